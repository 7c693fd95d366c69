#pragma once

namespace troupe {

/// Whether jemalloc keeps freed memory for this thread, to give it back without a lock; each thread begins
/// so. It comes to tens of kilobytes by and by, which threads that allocate little need not have. Does
/// nothing with another allocator.
void keep_thread_cache(bool wanted);

} // namespace troupe

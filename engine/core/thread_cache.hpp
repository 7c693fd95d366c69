#pragma once

namespace troupe {

/// For a thread that allocates little: jemalloc keeps nothing for it from here on, which by and by are tens
/// of kilobytes, times the number of such threads. Does nothing with another allocator.
void drop_thread_cache();

} // namespace troupe

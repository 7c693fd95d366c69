#include "engine/core/thread_cache.hpp"

#include <cstddef>

// jemalloc's; a program that is not linked with it has none.
extern "C" [[gnu::weak]] int mallctl(const char* name, void* old, std::size_t* old_size, void* with,
                                     std::size_t size);

namespace troupe {

void keep_thread_cache(bool wanted) {
  if (mallctl) mallctl("thread.tcache.enabled", nullptr, nullptr, &wanted, sizeof wanted);
}

} // namespace troupe

#pragma once

#include "bench/client.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <span>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace bench {

/// CLOCK_MONOTONIC, which all processes of a host share.
inline std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// What every contestant, in every language, leaves for bench/run to judge: a mapped file, made by it, of a
/// 64-bit number (how many events are done) and an entry for each event in the order they were done. Bytes
/// in the host's order. A file without room for entries only counts.
class logbook {
public:
  struct entry {
    std::int32_t key, sequence;
    std::int64_t begun, ended; // ns
  };

  explicit logbook(const char* file) {
    const int descriptor = ::open(file, O_RDWR | O_CLOEXEC);
    struct stat about {};
    if (descriptor < 0 || ::fstat(descriptor, &about) != 0) fail("no logbook");
    const auto size = static_cast<std::size_t>(about.st_size);
    void* shared = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    ::close(descriptor);
    if (shared == MAP_FAILED) fail("no logbook");
    done_ = static_cast<std::atomic<std::uint64_t>*>(shared);
    entries_ = {reinterpret_cast<entry*>(done_ + 1), (size - sizeof(std::uint64_t)) / sizeof(entry)};
  }

  /// From any thread.
  void done(std::int32_t key, std::int32_t sequence, std::int64_t begun, std::int64_t ended) {
    const auto at = done_->fetch_add(1, std::memory_order_relaxed);
    if (at < entries_.size()) entries_[at] = {key, sequence, begun, ended};
  }
  void count(std::uint64_t all) { done_->store(all, std::memory_order_relaxed); }

private:
  std::atomic<std::uint64_t>* done_ = nullptr;
  std::span<entry> entries_;
};

} // namespace bench

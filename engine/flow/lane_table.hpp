#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::flow {

/// The lanes of one partition by key. A lane is there as long as its key has events; it and its key's memory
/// are used again for the next one, so that keys that come and go allocate nothing.
class lane_table {
public:
  using index = std::uint32_t;
  static constexpr index none = ~index{0};

  struct lane {
    std::uint32_t first = none; ///< of its tasks: the active one; none: just made
    std::uint32_t last = none;
    std::string key;
    std::size_t hash = 0;
    index next = none; ///< in its bucket, or of those that are free
  };

  lane& operator[](index which) { return lanes_[which]; }
  /// The key's lane; an empty one where there was none.
  index find_or_add(std::string_view key);
  void remove(index which);

private:
  [[nodiscard]] index& bucket_of(std::size_t hash) { return buckets_[hash & (buckets_.size() - 1)]; }
  void grow();

  std::vector<lane> lanes_;
  std::vector<index> buckets_ = std::vector<index>(16, none); ///< a power of two of them
  index free_ = none;
};

} // namespace troupe::flow

#include "engine/kafka/producer.hpp"

#include <cstddef>

namespace troupe::kafka {

std::int32_t murmur2_partition(std::string_view key, std::int32_t partitions) {
  constexpr std::uint32_t multiplier = 0x5bd1e995;
  const auto byte = [&](std::size_t i) { return std::uint32_t{static_cast<unsigned char>(key[i])}; };

  auto hash = std::uint32_t{0x9747b28c} ^ static_cast<std::uint32_t>(key.size());
  std::size_t at = 0;
  for (; at + 4 <= key.size(); at += 4) {
    auto word = byte(at) | byte(at + 1) << 8 | byte(at + 2) << 16 | byte(at + 3) << 24;
    word *= multiplier;
    word ^= word >> 24;
    word *= multiplier;
    hash = (hash * multiplier) ^ word;
  }
  if (at < key.size()) {
    for (auto i = key.size(); i-- > at;)
      hash ^= byte(i) << (8 * (i - at));
    hash *= multiplier;
  }
  hash ^= hash >> 13;
  hash *= multiplier;
  hash ^= hash >> 15;
  // Java's toPositive drops the sign; its absolute value would not do.
  return static_cast<std::int32_t>((hash & 0x7fffffffU) % static_cast<std::uint32_t>(partitions));
}

} // namespace troupe::kafka

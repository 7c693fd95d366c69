#include "tests/fuzz/targets.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace troupe::fuzz {

void require(bool holds, const char* property) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", property);
  std::abort();
}

std::uint8_t cursor::byte() {
  if (rest_.empty()) return 0;
  const auto b = static_cast<std::uint8_t>(rest_.front());
  rest_.remove_prefix(1);
  return b;
}

std::uint64_t cursor::number() {
  std::uint64_t n = 0;
  for (auto more = byte() % 9; more > 0; --more)
    n = n << 8 | byte();
  return n;
}

std::string cursor::text() {
  const auto end = std::min(rest_.find('\0'), rest_.size());
  std::string t{rest_.substr(0, end)};
  rest_.remove_prefix(std::min(end + 1, rest_.size()));
  return t;
}

} // namespace troupe::fuzz

#include "engine/state/layout.hpp"

#include "engine/core/time.hpp"

namespace troupe::state {

std::string layout::by_second(std::int64_t epoch_s) const {
  return prefix_ + "c:1s:" + std::to_string(epoch_s);
}

std::string layout::by_minute(std::int64_t epoch_s) const {
  return prefix_ + "c:1m:" + std::to_string(epoch_s / 60);
}

std::string layout::by_day(std::int64_t epoch_s) const {
  const auto date = rfc3339(epoch_s * 1000); // 2026-01-31T…
  return prefix_ + "c:1d:" + date.substr(0, 4) + date.substr(5, 2) + date.substr(8, 2);
}

std::string layout::latencies(std::int64_t epoch_s) const {
  return prefix_ + "lat:10s:" + std::to_string(epoch_s / 10);
}

} // namespace troupe::state

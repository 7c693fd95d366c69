#pragma once

#include "apps/analytics/minutes.hpp"
#include "engine/core/result.hpp"
#include "engine/redis/client.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// The most frequent of what was counted per minute, over minutes or hours, without reading all of it each
/// time: sums are kept in Redis for a while, and those of whole hours for two days.
namespace analytics {

constexpr int most_shown = 10;

struct ranked {
  std::string name;
  std::int64_t count = 0;
  std::optional<double> before; ///< in as long a time before; none: what came then is not known
};

/// Of so many minutes up to now, remembered under `cache` for `kept_s`: what read_top reads. `since`: the
/// first minute that was counted; without it nothing is known of the time before.
troupe::redis::command ask_top(const std::string& cache, int kept_s, std::int64_t now_ms, int minutes,
                               const minute_sets& of, std::optional<minute> since);
std::vector<ranked> read_top(const troupe::redis::reply& answer);

/// The last 24 hours, and the same time a day earlier: sums that are made anew every 15 seconds.
class day_top {
public:
  day_top(std::string prefix, minute_sets of) : prefix_{std::move(prefix)}, of_{std::move(of)} {}
  /// What stands there now: nothing at all where the sum has to be made.
  [[nodiscard]] troupe::redis::command ask() const;
  struct made {
    std::vector<ranked> top;
    int hours = 0; ///< in it: those that nobody looked at before are added a few at a time
  };
  /// Makes it anew, from sums of whole hours and the minutes since.
  troupe::result<made> refresh(troupe::redis::client& redis, std::int64_t now_ms,
                               std::optional<minute> since) const;

private:
  [[nodiscard]] std::string hour_key(std::int64_t hour) const;
  std::string prefix_;
  minute_sets of_;
};

} // namespace analytics

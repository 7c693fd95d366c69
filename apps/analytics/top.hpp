#pragma once

#include "engine/core/result.hpp"
#include "engine/redis/client.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

/// The most frequent of what was counted per minute, over minutes or hours, without reading all of it each
/// time: sums are kept in Redis for a while, and those of whole hours for a day.
namespace analytics {

/// The key of a minute's sorted set.
using minute_key = std::function<std::string(std::int64_t minute)>;

constexpr int most_shown = 10;

/// Of these minutes, remembered under `cache` for `kept_s`: what read_top reads.
troupe::redis::command ask_top(const std::string& cache, int kept_s, std::int64_t newest, int minutes,
                               const minute_key& key);
std::vector<std::pair<std::string, std::int64_t>> read_top(const troupe::redis::reply& answer);

/// The last 24 hours: a sum that is made anew every 15 seconds.
class day_top {
public:
  day_top(std::string prefix, minute_key key) : prefix_{std::move(prefix)}, key_{std::move(key)} {}
  /// What stands there now: nothing at all where the sum has to be made.
  [[nodiscard]] troupe::redis::command ask() const;
  struct made {
    std::vector<std::pair<std::string, std::int64_t>> top;
    int hours = 0; ///< in it: those that nobody looked at before are added a few at a time
  };
  /// Makes it anew, from sums of whole hours and the minutes since.
  troupe::result<made> refresh(troupe::redis::client& redis, std::int64_t now_minute) const;

private:
  [[nodiscard]] std::string hour_key(std::int64_t hour) const;
  std::string prefix_;
  minute_key key_;
};

} // namespace analytics

#pragma once

#include "engine/aggregate/event_time.hpp"
#include "engine/core/result.hpp"
#include "engine/redis/client.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

/// What an aggregate actor counts by the minute, as Redis has it.
namespace analytics {

using troupe::aggregate::minute;

/// A sorted set for each minute in which anything was counted.
struct minute_sets {
  std::string name;                       ///< of all of them: the key with {minute}
  std::function<std::string(minute)> key; ///< none: nothing is counted
  std::int64_t kept = 0;                  ///< for how many minutes; Redis may have forgotten earlier ones
  explicit operator bool() const { return static_cast<bool>(key); }
};

/// The keys of so many minutes, the newest first.
std::vector<std::string> keys_of(const minute_sets& of, minute newest, std::int64_t count);

/// The first minute in which anything was counted: of earlier ones nothing is known, in a later one without a
/// set there was nothing. It is looked for among those that are kept, once, and then remembered in Redis.
class first_minutes {
public:
  /// `memo`: where in Redis, before the name of the sets.
  troupe::result<std::optional<minute>> of(const minute_sets& sets, troupe::redis::client& redis,
                                           const std::string& memo, minute now);

private:
  struct look {
    minute at = 0;
    std::optional<minute> found;
  };
  std::map<std::string, look> looks_; ///< by the name of the sets
};

} // namespace analytics

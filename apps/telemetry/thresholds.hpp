#pragma once

#include "engine/core/result.hpp"
#include "engine/core/time.hpp"

#include <string>

namespace telemetry {

/// A device is online while it was seen within `late`, late while within `silent`, silent from then on.
struct thresholds {
  troupe::milliseconds late{};
  troupe::milliseconds silent{};
};

/// Of the settings late_after and silent_after: a whole number with ms, s, m or h. errc::bad_config where one
/// is no such thing, or silent_after is not longer than late_after.
troupe::result<thresholds> thresholds_of(const std::string& late_after, const std::string& silent_after);

} // namespace telemetry

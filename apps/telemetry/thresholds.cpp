#include "apps/telemetry/thresholds.hpp"

#include "engine/config/values.hpp"

namespace telemetry {

namespace {

using troupe::errc;
using troupe::error;
using troupe::config::parse_duration;

error no_duration(const std::string& name, const std::string& text) {
  return {errc::bad_config,
          "settings." + name + " must be a duration such as 500ms or 2s, not '" + text + "'"};
}

} // namespace

troupe::result<thresholds> thresholds_of(const std::string& late_after, const std::string& silent_after) {
  const auto late = parse_duration(late_after);
  if (!late) return no_duration("late_after", late_after);
  const auto silent = parse_duration(silent_after);
  if (!silent) return no_duration("silent_after", silent_after);
  if (*silent <= *late)
    return error{errc::bad_config, "settings.silent_after must be longer than settings.late_after"};
  return thresholds{*late, *silent};
}

} // namespace telemetry

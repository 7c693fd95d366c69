#include "apps/telemetry/thresholds.hpp"

#include <charconv>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>

namespace telemetry {

namespace {

using troupe::errc;
using troupe::error;
using troupe::milliseconds;

std::optional<milliseconds> unit_of(std::string_view text) {
  using namespace std::chrono_literals;
  static const std::map<std::string_view, milliseconds> units{{"ms", 1ms}, {"s", 1s}, {"m", 1min}, {"h", 1h}};
  const auto at = units.find(text);
  if (at == units.end()) return std::nullopt;
  return at->second;
}

std::optional<milliseconds> duration_of(const std::string& text) {
  std::uint32_t count = 0;
  const auto* end = text.data() + text.size();
  const auto [rest, problem] = std::from_chars(text.data(), end, count);
  if (problem != std::errc{}) return std::nullopt;
  const auto unit = unit_of({rest, static_cast<std::size_t>(end - rest)});
  if (!unit) return std::nullopt;
  return count * *unit;
}

error no_duration(const std::string& name, const std::string& text) {
  return {errc::bad_config,
          "settings." + name + " must be a duration such as 500ms or 2s, not '" + text + "'"};
}

} // namespace

troupe::result<thresholds> thresholds_of(const std::string& late_after, const std::string& silent_after) {
  const auto late = duration_of(late_after);
  if (!late) return no_duration("late_after", late_after);
  const auto silent = duration_of(silent_after);
  if (!silent) return no_duration("silent_after", silent_after);
  if (*silent <= *late)
    return error{errc::bad_config, "settings.silent_after must be longer than settings.late_after"};
  return thresholds{*late, *silent};
}

} // namespace telemetry

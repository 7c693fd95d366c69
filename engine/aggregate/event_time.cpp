#include "engine/aggregate/event_time.hpp"

#include "engine/core/time.hpp"

#include <chrono>
#include <cstring>

namespace troupe::aggregate {

namespace {

namespace chr = std::chrono;

/// Two digits, or -1.
int two(std::string_view text, std::size_t at) {
  const auto tens = static_cast<unsigned>(text[at] - '0');
  const auto ones = static_cast<unsigned>(text[at + 1] - '0');
  return tens > 9 || ones > 9 ? -1 : static_cast<int>(tens * 10 + ones);
}

/// Of the first 16 characters, as if they were UTC.
std::optional<minute> local_minute(std::string_view t) {
  const int century = two(t, 0), years = two(t, 2), month = two(t, 5), day = two(t, 8);
  const int hours = two(t, 11), minutes = two(t, 14);
  if (t[4] != '-' || t[7] != '-' || (t[10] != 'T' && t[10] != 't') || t[13] != ':') return std::nullopt;
  if (century < 0 || years < 0 || month < 0 || day < 0 || hours < 0 || hours > 23 || minutes < 0 ||
      minutes > 59)
    return std::nullopt;
  const chr::year_month_day date{chr::year{century * 100 + years}, chr::month{static_cast<unsigned>(month)},
                                 chr::day{static_cast<unsigned>(day)}};
  if (!date.ok()) return std::nullopt;
  return chr::sys_days{date}.time_since_epoch().count() * 1440 + hours * 60 + minutes;
}

constexpr minute first_minute = -719'528LL * 1440;        // 0000-01-01T00:00
constexpr minute last_minute = 2'932'896LL * 1440 + 1439; // 9999-12-31T23:59

std::optional<minute> in_range(minute m) {
  if (m < first_minute || m > last_minute) return std::nullopt;
  return m;
}

} // namespace

std::optional<minute> minute_reader::read(std::string_view t) {
  if (t.size() < 20 || t[16] != ':') return std::nullopt;
  const int seconds = two(t, 17);
  // A leap second ends an hour, whatever the offset.
  if (seconds < 0 || seconds > 60 || (seconds == 60 && t.substr(14, 2) != "59")) return std::nullopt;
  std::size_t at = 19;
  if (t[at] == '.') {
    const auto digits = ++at;
    while (at < t.size() && static_cast<unsigned>(t[at] - '0') <= 9)
      ++at;
    if (at == digits || at == t.size()) return std::nullopt;
  }
  int offset = 0;
  if (t[at] == 'Z' || t[at] == 'z') {
    if (at + 1 != t.size()) return std::nullopt;
  } else {
    if ((t[at] != '+' && t[at] != '-') || at + 6 != t.size() || t[at + 3] != ':') return std::nullopt;
    const int hours = two(t, at + 1), minutes = two(t, at + 4);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return std::nullopt;
    offset = (hours * 60 + minutes) * (t[at] == '-' ? -1 : 1);
  }
  if (std::memcmp(t.data(), last_.data(), last_.size()) != 0) {
    const auto local = local_minute(t);
    if (!local) return std::nullopt;
    t.copy(last_.data(), last_.size());
    last_minute_ = *local;
  }
  return in_range(last_minute_ - offset);
}

std::optional<minute> minute_of(std::int64_t epoch_ms) {
  return in_range(epoch_ms / 60'000 - (epoch_ms % 60'000 < 0 ? 1 : 0));
}

std::string shown(minute m) {
  return rfc3339(m * 60'000).substr(0, shown_size);
}

} // namespace troupe::aggregate

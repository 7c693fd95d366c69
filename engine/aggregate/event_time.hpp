#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace troupe::aggregate {

/// Minutes since the epoch, of the years 0000 to 9999 in UTC.
using minute = std::int64_t;

/// The UTC minute of an RFC 3339 time, with any offset; nothing where the text is none. Events come in the
/// order of time, more or less: a text that begins as the one before is not worked out again.
class minute_reader {
public:
  std::optional<minute> read(std::string_view time);

private:
  std::array<char, 16> last_{}; ///< 2026-01-31T23:59
  minute last_minute_ = 0;
};

std::optional<minute> minute_of(std::int64_t epoch_ms);
/// 2026-01-31T23:59
std::string shown(minute m);
/// How long that text is.
inline constexpr std::size_t shown_size = 16;

} // namespace troupe::aggregate

#pragma once

#include "engine/log/log.hpp"

#include <span>
#include <string>
#include <string_view>

namespace troupe::log {

/// What one line of the log says.
struct entry {
  std::int64_t at_ms; ///< since the epoch
  level at;
  std::string_view event, text, app;
  std::span<const field> fields;
};

/// `12:04:03.123 WARN  text  name=value …` in local time, ended by a line feed. Always one line and never an
/// escape sequence of somebody else's: control characters of the contents are written as \n, \t, \x1b.
std::string human_line(const entry& e, bool colour);

/// One JSON object, valid whatever the contents: ts, level, msg, event, app and the fields, ended by a line
/// feed.
std::string json_line(const entry& e);

} // namespace troupe::log

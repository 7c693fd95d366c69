#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

/// Structured logging over spdlog's asynchronous logger, which drops the oldest lines (and counts them)
/// rather than make the engine wait for a stuck disk or terminal.
namespace troupe::log {

enum class level { debug, info, warning, error };
enum class format { automatic, human, json }; ///< automatic: human on a terminal, JSON otherwise

struct field {
  std::string_view name;
  std::variant<std::int64_t, double, std::string> value;
};

/// Before the first line; again to change. Lines go to standard error. `app` stands in every JSON line.
void start(level least, format as, std::string app);
void set_level(level least);
/// Writes out what is queued, waiting at most a moment.
void stop();

/// `event` is a stable code (snake_case) for machines; `text` a sentence for people.
void write(level at, std::string_view event, std::string_view text, std::initializer_list<field> fields = {});

inline void debug(std::string_view event, std::string_view text, std::initializer_list<field> fields = {}) {
  write(level::debug, event, text, fields);
}
inline void info(std::string_view event, std::string_view text, std::initializer_list<field> fields = {}) {
  write(level::info, event, text, fields);
}
inline void warning(std::string_view event, std::string_view text, std::initializer_list<field> fields = {}) {
  write(level::warning, event, text, fields);
}
inline void error(std::string_view event, std::string_view text, std::initializer_list<field> fields = {}) {
  write(level::error, event, text, fields);
}

/// Lines dropped since the start.
std::uint64_t dropped();

} // namespace troupe::log

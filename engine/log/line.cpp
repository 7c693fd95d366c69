#include "engine/log/line.hpp"

#include "engine/core/time.hpp"
#include "engine/core/utf8.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <ctime>

namespace troupe::log {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";

std::string number(double value) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

/// Calls `plain(piece)` for what may stand as it is, `control(code)` for control characters, C1 included.
template <class Plain, class Control>
void each_character(std::string_view text, Plain plain, Control control) {
  while (!text.empty()) {
    const std::size_t n = utf8_length(text);
    const auto first = static_cast<unsigned char>(text[0]);
    if (n == 0)
      plain(replacement);
    else if (n == 1 && (first < 0x20 || first == 0x7F))
      control(static_cast<unsigned>(first));
    else if (n == 2 && first == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0)
      control(static_cast<unsigned>(static_cast<unsigned char>(text[1])));
    else
      plain(text.substr(0, n));
    text.remove_prefix(std::max<std::size_t>(n, 1));
  }
}

/// The short escapes that JSON and people share; 0 where there is none.
char short_escape(unsigned code) {
  switch (code) {
  case '\n':
    return 'n';
  case '\r':
    return 'r';
  case '\t':
    return 't';
  default:
    return 0;
  }
}

void add_escape(std::string& out, unsigned code, const char* pattern) {
  out += '\\';
  if (const char c = short_escape(code); c != 0) {
    out += c;
    return;
  }
  std::array<char, 8> text{};
  out.append(text.data(), static_cast<std::size_t>(std::snprintf(text.data(), text.size(), pattern, code)));
}

void add_json_string(std::string& out, std::string_view text) {
  out += '"';
  each_character(
      text,
      [&](std::string_view piece) {
        if (piece == "\"" || piece == "\\") out += '\\';
        out += piece;
      },
      [&](unsigned code) { add_escape(out, code, "u%04x"); });
  out += '"';
}

void add_printable(std::string& out, std::string_view text) {
  each_character(
      text, [&](std::string_view piece) { out += piece; },
      [&](unsigned code) { add_escape(out, code, "x%02x"); });
}

void add_human_value(std::string& out, std::string_view text) {
  if (!text.empty() && text.find_first_of(" \"=\\") == std::string_view::npos) {
    add_printable(out, text);
    return;
  }
  std::string quoted;
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  out += '"';
  add_printable(out, quoted);
  out += '"';
}

struct look {
  std::string_view name, padded, colour;
};
look look_of(level at) {
  switch (at) {
  case level::debug:
    return {"debug", "DEBUG", "\x1b[90m"};
  case level::info:
    return {"info", "INFO ", "\x1b[32m"};
  case level::warning:
    return {"warn", "WARN ", "\x1b[33m"};
  case level::error:
    break;
  }
  return {"error", "ERROR", "\x1b[31m"};
}

std::string local_clock(std::int64_t at_ms) {
  const std::int64_t rest = ((at_ms % 1000) + 1000) % 1000;
  const std::time_t seconds = (at_ms - rest) / 1000;
  std::tm parts{};
  ::localtime_r(&seconds, &parts);
  std::array<char, 48> text{};
  const int n = std::snprintf(text.data(), text.size(), "%02d:%02d:%02d.%03d", parts.tm_hour, parts.tm_min,
                              parts.tm_sec, static_cast<int>(rest));
  return {text.data(), static_cast<std::size_t>(n)};
}

} // namespace

std::string human_line(const entry& e, bool colour) {
  const std::string_view dim = colour ? "\x1b[2m" : "", plain = colour ? "\x1b[0m" : "";
  const look as = look_of(e.at);
  std::string out = local_clock(e.at_ms);
  out += ' ';
  out.append(colour ? as.colour : "").append(as.padded).append(plain);
  out += ' ';
  add_printable(out, e.text);
  std::string_view gap = "  ";
  for (const auto& f : e.fields) {
    out.append(gap).append(dim);
    add_printable(out, f.name);
    out.append("=").append(plain);
    if (const auto* whole = std::get_if<std::int64_t>(&f.value))
      out += std::to_string(*whole);
    else if (const auto* real = std::get_if<double>(&f.value))
      out += number(*real);
    else
      add_human_value(out, std::get<std::string>(f.value));
    gap = " ";
  }
  out += '\n';
  return out;
}

std::string json_line(const entry& e) {
  std::string out = "{\"ts\":\"" + rfc3339(e.at_ms) + "\",\"level\":\"";
  out += look_of(e.at).name;
  out += "\",\"msg\":";
  add_json_string(out, e.text);
  out += ",\"event\":";
  add_json_string(out, e.event);
  if (!e.app.empty()) {
    out += ",\"app\":";
    add_json_string(out, e.app);
  }
  for (const auto& f : e.fields) {
    out += ',';
    add_json_string(out, f.name);
    out += ':';
    if (const auto* whole = std::get_if<std::int64_t>(&f.value))
      out += std::to_string(*whole);
    else if (const auto* real = std::get_if<double>(&f.value))
      out += std::isfinite(*real) ? number(*real) : "null"; // JSON has no other word for it
    else
      add_json_string(out, std::get<std::string>(f.value));
  }
  out += "}\n";
  return out;
}

} // namespace troupe::log

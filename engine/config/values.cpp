#include "engine/config/values.hpp"

#include <regex.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <memory>
#include <utility>

namespace troupe::config {
namespace {

constexpr std::string_view name_characters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
constexpr std::size_t longest_name = 249; ///< Kafka's, of topics

using unit = std::pair<std::string_view, std::uint64_t>;
// Longer units first, so that "ms" is not read as "s".
constexpr std::array<unit, 4> time_units{{{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}}};
constexpr std::array<unit, 7> size_units{{{"KiB", 1ULL << 10},
                                          {"MiB", 1ULL << 20},
                                          {"GiB", 1ULL << 30},
                                          {"KB", 1000},
                                          {"MB", 1'000'000},
                                          {"GB", 1'000'000'000},
                                          {"B", 1}}};

bool digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == text.npos;
}

/// Exact decimal number × factor; nothing if it is no number, no whole result, or over the limit.
std::optional<std::uint64_t> scaled(std::string_view text, std::uint64_t factor, std::uint64_t limit) {
  const auto point = text.find('.');
  const auto whole = text.substr(0, point);
  const auto fraction = point == text.npos ? std::string_view{} : text.substr(point + 1);
  if (!digits(whole) || whole.size() > 15 ||
      (point != text.npos && (!digits(fraction) || fraction.size() > 6)))
    return std::nullopt;
  std::uint64_t number = 0;
  std::from_chars(whole.data(), whole.data() + whole.size(), number);
  if (number > limit / factor) return std::nullopt;
  std::uint64_t part = 0, tenths = 1;
  for (const char c : fraction) {
    part = part * 10 + static_cast<std::uint64_t>(c - '0');
    tenths *= 10;
  }
  if (part * factor % tenths != 0) return std::nullopt;
  const auto all = number * factor + part * factor / tenths;
  return all <= limit ? std::optional{all} : std::nullopt;
}

template <std::size_t N>
std::optional<std::uint64_t> with_unit(std::string_view text, const std::array<unit, N>& units,
                                       std::uint64_t limit) {
  for (const auto& [suffix, factor] : units)
    if (text.ends_with(suffix)) return scaled(text.substr(0, text.size() - suffix.size()), factor, limit);
  return std::nullopt;
}

bool blank_or_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7F; });
}

bool port(std::string_view text) {
  const auto number = parse_count(text);
  return number && text.size() <= 5 && *number <= 65'535;
}

/// host, host:port or [v6]:port.
bool host_and_port(std::string_view text, bool port_needed) {
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == text.npos || end == 1) return false;
    const auto rest = text.substr(end + 1);
    return rest.empty() ? !port_needed : rest.starts_with(':') && port(rest.substr(1));
  }
  const auto colon = text.find(':');
  const auto host = text.substr(0, colon);
  if (host.empty() || host.find_first_of("/?#@,\"'\\[]") != host.npos) return false;
  return colon == text.npos ? !port_needed : port(text.substr(colon + 1));
}

class pattern {
public:
  explicit pattern(const std::string& text)
      : code_{::regcomp(&regex_, text.c_str(), REG_EXTENDED | REG_NOSUB)} {}
  ~pattern() {
    if (code_ == 0) ::regfree(&regex_);
  }
  pattern(const pattern&) = delete;
  pattern& operator=(const pattern&) = delete;

  [[nodiscard]] std::optional<std::string> complaint() const {
    if (code_ == 0) return std::nullopt;
    std::array<char, 200> why{};
    ::regerror(code_, &regex_, why.data(), why.size());
    return std::string{why.data()};
  }
  [[nodiscard]] bool matches(const std::string& topic) const {
    return code_ == 0 && ::regexec(&regex_, topic.c_str(), 0, nullptr, 0) == 0;
  }

private:
  regex_t regex_{};
  int code_;
};

} // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const auto ms = with_unit(text, time_units, 31'536'000'000'000ULL);
  if (!ms) return std::nullopt;
  return std::chrono::milliseconds{static_cast<std::int64_t>(*ms)};
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  return with_unit(text, size_units, 1ULL << 50);
}

std::optional<double> parse_ratio(std::string_view text) {
  const bool percent = text.ends_with('%');
  if (percent) text.remove_suffix(1);
  if (text.empty() || text.size() > 20 || text.find_first_not_of("0123456789.") != text.npos || text == ".")
    return std::nullopt;
  double value = 0;
  const auto [end, code] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (code != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return percent ? value / 100 : value;
}

std::optional<std::uint64_t> parse_count(std::string_view text) {
  if (!digits(text)) return std::nullopt;
  return scaled(text, 1, 1ULL << 53);
}

std::optional<bool> parse_boolean(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return std::nullopt;
}

std::string written_number(double value) {
  std::array<char, 40> out{};
  const auto [end, code] =
      std::to_chars(out.data(), out.data() + out.size(), value, std::chars_format::fixed);
  return {out.data(), code == std::errc{} ? end : out.data()};
}

std::string written_duration(double ms) {
  for (auto it = time_units.rbegin(); it != time_units.rend(); ++it)
    if (ms >= static_cast<double>(it->second) && std::fmod(ms, static_cast<double>(it->second)) == 0)
      return written_number(ms / static_cast<double>(it->second)) + std::string{it->first};
  return written_number(ms) + "ms";
}

std::string written_size(double bytes) {
  for (const std::size_t i : {2U, 1U, 0U})
    if (bytes >= static_cast<double>(size_units[i].second) &&
        std::fmod(bytes, static_cast<double>(size_units[i].second)) == 0)
      return written_number(bytes / static_cast<double>(size_units[i].second)) +
             std::string{size_units[i].first};
  return written_number(bytes) + "B";
}

std::optional<std::string> topic_complaint(std::string_view text) {
  if (text.empty()) return "a topic needs a name";
  if (text == "." || text == "..") return "a topic can't be called '.' or '..'";
  if (text.size() > longest_name) return "a topic's name has at most 249 characters";
  for (const char c : text)
    if (c != '.' && name_characters.find(c) == name_characters.npos)
      return "a topic's name holds only letters, digits, '.', '_' and '-'; a pattern starts with '^'";
  return std::nullopt;
}

std::optional<std::string> pattern_complaint(const std::string& text) {
  // The C library multiplies nested repetitions out, and a few characters can ask for gigabytes.
  std::uint64_t repeated = 1;
  for (auto open = text.find('{'); open != text.npos; open = text.find('{', open + 1)) {
    const auto times = std::string_view{text}.substr(open + 1, text.find('}', open) - open - 1);
    const auto comma = times.rfind(',');
    const auto most = parse_count(comma == times.npos || comma + 1 == times.size() ? times.substr(0, comma)
                                                                                   : times.substr(comma + 1));
    repeated *= std::max<std::uint64_t>(1, std::min<std::uint64_t>(most.value_or(1), 1'000'000));
    if (repeated > 1000) break;
  }
  if (text.find('\0') != text.npos || text.size() > 1000 || repeated > 1000)
    return "this pattern is too large; use at most 1000 characters, and repetitions of at most 1000 in all";
  if (const auto why = pattern{text}.complaint())
    return "this is not a POSIX extended regular expression: " + *why;
  return std::nullopt;
}

bool pattern_matches(const std::string& text, const std::string& topic) {
  return pattern{text}.matches(topic);
}

std::optional<std::string> group_complaint(std::string_view text) {
  if (text.empty()) return "a consumer group needs a name";
  if (text.size() > longest_name) return "a group's name has at most 249 characters";
  for (const char c : text)
    if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7F)
      return "a group's name holds only printable ASCII characters, and no blanks";
  return std::nullopt;
}

std::optional<std::string> pointer_complaint(std::string_view text) {
  if (!text.starts_with('/')) return "a JSON pointer starts with '/', as in '/payload/path'";
  for (auto i = text.find('~'); i != text.npos; i = text.find('~', i + 1))
    if (i + 1 >= text.size() || (text[i + 1] != '0' && text[i + 1] != '1'))
      return "in a JSON pointer write '~' as '~0'";
  return std::nullopt;
}

std::optional<std::string> listen_complaint(std::string_view text) {
  if (!blank_or_control(text) && host_and_port(text, true)) return std::nullopt;
  return "this is not an address to listen on; write host:port, as in '127.0.0.1:9090'";
}

std::optional<std::string> brokers_complaint(std::string_view text) {
  if (text == "embedded") return std::nullopt;
  for (;;) {
    const auto comma = text.find(',');
    auto one = text.substr(0, comma);
    if (const auto scheme = one.find("://"); scheme != one.npos) one.remove_prefix(scheme + 3);
    if (one == "embedded") return "'embedded' stands alone, not among other brokers";
    if (blank_or_control(one) || !host_and_port(one, false))
      return "this is not a broker's address; write host:port, as in 'localhost:9092', or 'embedded'";
    if (comma == text.npos) return std::nullopt;
    text.remove_prefix(comma + 1);
  }
}

std::optional<std::string> redis_url_complaint(std::string_view text) {
  constexpr const char* form = "write it as redis://host:6379/0, rediss://… for TLS or unix:///path?db=0; "
                               "in a user or password write @ as %40, : as %3A and / as %2F";
  const auto wrong = [&](const std::string& why) { return std::optional<std::string>{why + "; " + form}; };
  if (blank_or_control(text)) return wrong("a Redis URL holds no blanks");
  if (text.starts_with("unix:///"))
    return text.size() > 8 ? std::nullopt : wrong("the path of the socket is missing");
  if (text.starts_with("redis://"))
    text.remove_prefix(8);
  else if (text.starts_with("rediss://"))
    text.remove_prefix(9);
  else
    return wrong("this is not a Redis URL");
  auto authority = text.substr(0, text.find_first_of("/?#"));
  const auto rest = text.substr(authority.size());
  if (const auto at = authority.rfind('@'); at != authority.npos) authority.remove_prefix(at + 1);
  if (!host_and_port(authority, false)) return wrong("the host or the port of this Redis URL is wrong");
  if (rest.size() > 1 && rest[0] == '/' && !digits(rest.substr(1)))
    return wrong("the database of this Redis URL is not a number");
  if (rest.starts_with('?') || rest.starts_with('#'))
    return wrong("this Redis URL takes nothing behind its database");
  return std::nullopt;
}

std::optional<std::string> http_url_complaint(std::string_view text) {
  if (blank_or_control(text)) return "a URL holds no blanks; write them as %20";
  std::string_view rest = text;
  if (rest.starts_with("http://"))
    rest.remove_prefix(7);
  else if (rest.starts_with("https://"))
    rest.remove_prefix(8);
  else
    return "the URL of a handler starts with http:// or https://";
  auto authority = rest.substr(0, rest.find_first_of("/?#"));
  if (const auto at = authority.rfind('@'); at != authority.npos) authority.remove_prefix(at + 1);
  if (!host_and_port(authority, false))
    return "the URL of a handler needs a host, as in 'http://localhost:8080/orders'";
  return std::nullopt;
}

std::optional<std::string> name_complaint(std::string_view text) {
  if (text.empty()) return "a name is missing";
  if (text.size() > 100) return "a name has at most 100 characters";
  if (text.find_first_not_of(name_characters) != text.npos || text[0] == '-' || text[0] == '_')
    return "a name holds only letters, digits, '-' and '_', and starts with a letter or a digit";
  return std::nullopt;
}

std::optional<std::string> route_complaint(std::string_view text) {
  const auto blank = text.find(' ');
  const auto method = text.substr(0, blank);
  const auto path = blank == text.npos ? std::string_view{} : text.substr(blank + 1);
  if ((method == "POST" || method == "PUT") && path.starts_with('/') && !blank_or_control(path))
    return std::nullopt;
  return "a route is a method and a path, as in 'POST /events'";
}

std::optional<std::string> host_complaint(std::string_view text) {
  if (!blank_or_control(text) && host_and_port(text, false)) return std::nullopt;
  return "this is not a host; write its name without https://, as in 'troupe.example.com' or "
         "'troupe.example.com:8443'";
}

std::optional<std::string> account_complaint(std::string_view text) {
  constexpr std::size_t longest = 100;
  if (!text.empty() && text.size() <= longest && !blank_or_control(text)) return std::nullopt;
  return "a name has 1 to 100 characters and no blanks";
}

std::optional<std::string> hash_complaint(std::string_view text) {
  constexpr std::string_view kind = "$argon2id$v=19$m=";
  const auto dollars = std::count(text.begin(), text.end(), '$');
  if (text.starts_with(kind) && dollars == 5 && !text.ends_with('$') && !blank_or_control(text))
    return std::nullopt;
  return "this is not the hash of a password; write what `troupe web --hash-password` prints, in single "
         "quotes";
}

} // namespace troupe::config

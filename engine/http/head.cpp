#include "engine/http/head.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace troupe::http {
namespace {

constexpr milliseconds a_year = std::chrono::hours{24 * 365};

std::string lower(std::string_view text) {
  std::string out{text};
  for (auto& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

bool is_token(std::string_view name) {
  constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
  return !name.empty() && std::all_of(name.begin(), name.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           marks.find(c) != std::string_view::npos;
  });
}

bool is_value(std::string_view value) {
  return std::none_of(value.begin(), value.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\t') || byte == 0x7F;
  });
}

bool is_target(std::string_view target) {
  return target.starts_with('/') && std::all_of(target.begin(), target.end(), [](char c) {
           const auto byte = static_cast<unsigned char>(c);
           return byte > 0x20 && byte < 0x7F;
         });
}

std::optional<int> digits(std::string_view text) {
  int value = 0;
  if (text.empty() || text[0] < '0' || text[0] > '9') return std::nullopt;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc{} || read.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Sun, 06 Nov 1994 08:49:37 GMT: the one form of a date that HTTP still generates.
std::optional<std::int64_t> parse_imf_fixdate(std::string_view text) {
  constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  if (text.size() != 29 || text.substr(3, 2) != ", " || text[7] != ' ' || text[11] != ' ' ||
      text[16] != ' ' || text[19] != ':' || text[22] != ':' || text.substr(25) != " GMT")
    return std::nullopt;
  const auto month = std::find(months.begin(), months.end(), text.substr(8, 3));
  const auto day = digits(text.substr(5, 2)), year = digits(text.substr(12, 4));
  const auto hour = digits(text.substr(17, 2)), minute = digits(text.substr(20, 2)),
             second = digits(text.substr(23, 2));
  if (month == months.end() || !day || !year || !hour || !minute || !second) return std::nullopt;
  using namespace std::chrono;
  const year_month_day date{std::chrono::year{*year},
                            std::chrono::month{static_cast<unsigned>(month - months.begin()) + 1},
                            std::chrono::day{static_cast<unsigned>(*day)}};
  if (!date.ok() || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  const auto at = sys_days{date} + hours{*hour} + minutes{*minute} + seconds{*second};
  return duration_cast<milliseconds>(at.time_since_epoch()).count();
}

} // namespace

result<std::string> request_head(const call& c) {
  if (!is_target(c.to.target)) return error{errc::usage, "the URL's path cannot be sent: percent-encode it"};
  if (!is_token(c.method)) return error{errc::usage, "the method is not a token of HTTP"};
  const bool bare_port = c.to.port == (c.to.tls ? "443" : "80");
  const bool ipv6 = c.to.host.find(':') != std::string::npos;
  const auto port = digits(c.to.port);
  if (c.to.host.empty() || !is_value(c.to.host) || !port || *port < 1 || *port > 65535)
    return error{errc::usage, "the URL has no valid host and port"};

  std::string head;
  head.reserve(512);
  head.append(c.method).append(" ").append(c.to.target).append(" HTTP/1.1\r\nHost: ");
  head.append(ipv6 ? "[" : "").append(c.to.host).append(ipv6 ? "]" : "");
  if (!bare_port) head.append(":").append(c.to.port);
  head.append("\r\nUser-Agent: troupe\r\nContent-Length: ")
      .append(std::to_string(c.body.size()))
      .append("\r\n");
  for (const auto& [name, value] : c.headers) {
    if (!is_token(name)) return error{errc::usage, "a header's name is not a token of HTTP"};
    if (!is_value(value))
      return error{errc::usage, "the header " + name + " holds a control character: encode its value"};
    const std::string known = lower(name);
    if (known == "host" || known == "content-length" || known == "connection" ||
        known == "transfer-encoding" || known == "expect" || known == "user-agent")
      continue;
    head.append(name).append(": ").append(value).append("\r\n");
  }
  head += "\r\n";
  return head;
}

std::optional<milliseconds> parse_retry_after(std::string_view value, std::int64_t now_ms) {
  while (!value.empty() && (value.back() == ' ' || value.back() == '\t'))
    value.remove_suffix(1);
  while (!value.empty() && (value.front() == ' ' || value.front() == '\t'))
    value.remove_prefix(1);
  if (value.empty()) return std::nullopt;
  if (std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    // A number that does not even fit is "as late as can be", not nonsense.
    const auto seconds = value.size() > 9 ? std::nullopt : digits(value);
    return std::min<milliseconds>(seconds ? std::chrono::seconds{*seconds} : a_year, a_year);
  }
  const auto at = parse_imf_fixdate(value);
  if (!at) return std::nullopt;
  return std::clamp(milliseconds{*at - now_ms}, milliseconds{0}, a_year);
}

} // namespace troupe::http

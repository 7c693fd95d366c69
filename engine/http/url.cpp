#include "engine/http/client.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>

#include <arpa/inet.h>

namespace troupe::http {
namespace {

error bad(const std::string& why) {
  return {errc::bad_config, why};
}

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool starts_with_scheme(std::string_view text, std::string_view scheme) {
  return text.size() >= scheme.size() &&
         std::equal(scheme.begin(), scheme.end(), text.begin(), [](char a, char b) { return a == lower(b); });
}

bool is_ipv6(const std::string& host) {
  in6_addr ignored{};
  return ::inet_pton(AF_INET6, host.c_str(), &ignored) == 1;
}

bool is_host_name(std::string_view host) {
  return !host.empty() && host.size() <= 253 && host.find("..") == std::string_view::npos && host[0] != '.' &&
         std::all_of(host.begin(), host.end(),
                     [](char c) { return is_letter_or_digit(c) || c == '-' || c == '.' || c == '_'; });
}

} // namespace

result<url> parse_url(const std::string& text) {
  if (text.empty()) return bad("the URL is empty: write http://host:port/path");
  for (const char c : text)
    if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7F)
      return bad("the URL holds a blank, a control character or a letter beyond ASCII: percent-encode it");

  url to;
  std::string_view rest = text;
  if (starts_with_scheme(rest, "https://")) {
    to.tls = true;
    rest.remove_prefix(8);
  } else if (starts_with_scheme(rest, "http://")) {
    rest.remove_prefix(7);
  } else {
    return bad("the URL must start with http:// or https://");
  }

  const auto authority = rest.substr(0, rest.find_first_of("/?#"));
  rest.remove_prefix(authority.size());
  // The text itself is not repeated: what stands before the @ is a secret.
  if (authority.find('@') != std::string_view::npos)
    return bad(
        "the URL holds a user name or password: send credentials in a header instead, such as Authorization");
  if (rest.find('#') != std::string_view::npos)
    return bad("the URL holds a #fragment, which is never sent: leave it out, or write %23");

  std::string_view port;
  bool has_port = false;
  if (authority.starts_with('[')) {
    const auto end = authority.find(']');
    to.host = end == std::string_view::npos ? "" : authority.substr(1, end - 1);
    if (!is_ipv6(to.host)) return bad("the brackets of the URL hold no IPv6 address, such as [::1]");
    const auto after = authority.substr(end + 1);
    if (!after.empty() && after[0] != ':') return bad("only :port may follow the IPv6 address of the URL");
    has_port = !after.empty();
    if (has_port) port = after.substr(1);
  } else {
    const auto colon = authority.find(':');
    has_port = colon != std::string_view::npos;
    to.host = authority.substr(0, colon);
    if (has_port) port = authority.substr(colon + 1);
    if (port.find(':') != std::string_view::npos)
      return bad("the URL's host holds several colons: an IPv6 address goes into brackets, as in "
                 "http://[::1]:8080/");
    if (!is_host_name(to.host)) return bad("the URL names no valid host");
  }
  std::transform(to.host.begin(), to.host.end(), to.host.begin(), lower);

  if (has_port) {
    unsigned number = 0;
    const auto end = port.data() + port.size();
    const auto read = std::from_chars(port.data(), end, number);
    if (read.ec != std::errc{} || read.ptr != end || number == 0 || number > 65535)
      return bad("the URL's port must be a number from 1 to 65535");
    to.port = std::to_string(number);
  } else {
    to.port = to.tls ? "443" : "80";
  }
  to.target = rest.starts_with('/') ? rest : "/" + std::string{rest};
  return to;
}

} // namespace troupe::http

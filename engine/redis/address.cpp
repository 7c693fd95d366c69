#include "engine/redis/client.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>
#include <string_view>

namespace troupe::redis {

namespace {

/// Says what is wrong and how it should look, and never repeats a piece of the URL: a password with an
/// unescaped / or @ in it may have ended up in any of them.
error wrong(std::string_view why) {
  return {errc::bad_config,
          "redis.url: " + std::string{why} +
              " (redis://user:password@host:6379/0, rediss:// for TLS, or unix:///path?db=0; in a user or "
              "password write @ as %40, : as %3A, / as %2F and % as %25)"};
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    unsigned value = 0;
    if (i + 2 >= text.size()) return std::nullopt;
    const auto [end, problem] = std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16);
    if (problem != std::errc{} || end != text.data() + i + 3) return std::nullopt;
    out += static_cast<char>(value);
    i += 2;
  }
  return out;
}

template <class T>
std::optional<T> number(std::string_view text) {
  T value{};
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc{} || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

bool host_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_';
  });
}

std::optional<error> take_user(address& to, std::string_view text) {
  const auto colon = text.find(':');
  if (colon == text.npos) return wrong("before the @ a password is written as :password or user:password");
  const auto user = percent_decoded(text.substr(0, colon));
  const auto password = percent_decoded(text.substr(colon + 1));
  if (!user || !password)
    return wrong("in the user or password a % is not followed by two hexadecimal digits");
  if (user->empty() && password->empty()) return wrong("the password before the @ is empty");
  to.user = *user;
  to.password = *password;
  return std::nullopt;
}

std::optional<error> take_host(address& to, std::string_view text) {
  std::string_view port;
  bool has_port = false;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == text.npos) return wrong("the [ of an IPv6 address is not closed");
    to.host = text.substr(1, end - 1);
    in6_addr ignored;
    if (inet_pton(AF_INET6, to.host.c_str(), &ignored) != 1)
      return wrong("what stands in [ ] is not an IPv6 address");
    const auto rest = text.substr(end + 1);
    if (!rest.empty() && rest.front() != ':') return wrong("after the ] comes :port or nothing");
    has_port = !rest.empty();
    if (has_port) port = rest.substr(1);
  } else {
    const auto colon = text.find(':');
    to.host = text.substr(0, colon);
    has_port = colon != text.npos;
    if (has_port) port = text.substr(colon + 1);
    if (port.find(':') != port.npos) return wrong("an IPv6 address is written in [ ]");
    if (to.host.empty()) return wrong("the host is missing");
    if (!host_name(to.host)) return wrong("the host is not a host name");
  }
  if (!has_port) return std::nullopt;
  const auto value = number<std::uint16_t>(port);
  if (!value || *value == 0) return wrong("the port is not a number from 1 to 65535");
  to.port = *value;
  return std::nullopt;
}

result<address> parse_unix(std::string_view rest) {
  address to;
  const auto query = rest.find('?');
  auto path = rest.substr(0, query);
  const auto slash = path.find('/');
  if (slash == path.npos) return wrong("the path of the socket is missing, or not absolute");
  const auto at = path.substr(0, slash).rfind('@');
  if (slash != 0) {
    if (at != slash - 1) return wrong("the path of the socket is not absolute: unix:// is followed by /");
    if (auto problem = take_user(to, path.substr(0, at))) return *problem;
  }
  const auto decoded = percent_decoded(path.substr(slash));
  if (!decoded || decoded->find('\0') != decoded->npos)
    return wrong("in the path a % is not followed by two hexadecimal digits");
  if (decoded->size() < 2) return wrong("the path of the socket is missing");
  if (decoded->size() > 107)
    return wrong("the path of the socket is longer than the 107 bytes the system allows");
  to.unix_path = *decoded;
  if (query == rest.npos) return to;
  const auto option = rest.substr(query + 1);
  const auto db = option.starts_with("db=") ? number<int>(option.substr(3)) : std::nullopt;
  if (!db) return wrong("after the ? of a unix socket only db=number is known");
  to.database = *db;
  return to;
}

} // namespace

result<address> parse_url(const std::string& url) {
  if (url.empty()) return wrong("it is empty");
  if (std::any_of(url.begin(), url.end(), [](unsigned char c) { return c <= ' ' || c == 0x7f; }))
    return wrong("it has a space or a control character in it");
  const auto end = url.find("://");
  if (end == url.npos) return wrong("it does not begin with redis://, rediss:// or unix://");
  std::string scheme = url.substr(0, end);
  std::transform(scheme.begin(), scheme.end(), scheme.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  auto rest = std::string_view{url}.substr(end + 3);
  if (scheme == "unix") return parse_unix(rest);
  if (scheme != "redis" && scheme != "rediss")
    return wrong("it does not begin with redis://, rediss:// or unix://");

  address to;
  to.tls = scheme == "rediss";
  if (rest.find_first_of("?#") != rest.npos)
    return wrong("it has a ? or # in it: the database is written as /0");
  const auto slash = rest.find('/');
  auto authority = rest.substr(0, slash);
  if (slash != rest.npos && rest.find('@', slash) != rest.npos) return wrong("there is a / before the @");
  if (const auto at = authority.rfind('@'); at != authority.npos) {
    if (auto problem = take_user(to, authority.substr(0, at))) return *problem;
    authority.remove_prefix(at + 1);
  }
  if (auto problem = take_host(to, authority)) return *problem;
  if (slash == rest.npos || slash + 1 == rest.size()) return to;
  const auto db = number<int>(rest.substr(slash + 1));
  if (!db) return wrong("the database after the / is not a number");
  to.database = *db;
  return to;
}

std::string address::shown() const {
  const auto who = user.empty() ? "" : user + "@";
  if (!unix_path.empty()) return "unix://" + who + unix_path + "?db=" + std::to_string(database);
  const auto where = host.find(':') == host.npos ? host : "[" + host + "]";
  return (tls ? "rediss://" : "redis://") + who + where + ":" + std::to_string(port) + "/" +
         std::to_string(database);
}

} // namespace troupe::redis

#include "apps/dashboard/access.hpp"

#include <algorithm>
#include <utility>

#include <arpa/inet.h>

namespace troupe::dashboard {
namespace {

std::string small(std::string_view text) {
  std::string out{text};
  for (auto& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

/// Without the port; an IPv6 address without its brackets.
std::string host_of(std::string_view authority) {
  if (authority.starts_with('[')) return small(authority.substr(1, authority.find(']') - 1));
  return small(authority.substr(0, authority.find(':')));
}

bool is_address(const std::string& host) {
  in6_addr ignored{};
  return ::inet_pton(AF_INET, host.c_str(), &ignored) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), &ignored) == 1;
}

bool names_this_host(const std::string& host) {
  in_addr address{};
  if (::inet_pton(AF_INET, host.c_str(), &address) == 1) return (ntohl(address.s_addr) >> 24) == 127;
  return host == "localhost" || host == "::1";
}

} // namespace

bool is_loopback(std::string_view listen) {
  return names_this_host(host_of(listen));
}

access::access(const config::dashboard& rules, std::string local_user)
    : asks_who_{rules.asks_who}, loopback_{is_loopback(rules.listen)}, own_host_{host_of(rules.listen)},
      user_{std::move(local_user)} {
  any_address_ = own_host_ == "0.0.0.0" || own_host_ == "::" || own_host_ == "*";
  for (const auto& h : rules.hosts)
    hosts_.push_back(small(h));
}

visitor access::without_login(bool forwarded) const {
  const bool local = loopback_ && hosts_.empty() && !forwarded;
  return {.user = local ? user_ : "anybody", .operates = local, .reads_payloads = local};
}

std::optional<std::string> access::banner(const visitor& who) const {
  if (asks_who_ || who.operates) return std::nullopt;
  return "Nobody logs in here: everybody who reaches this address can look, nobody can act, and payloads are "
         "hidden. Write dashboard.auth into the config to change that.";
}

bool access::answers_to(std::string_view host) const {
  const auto name = host_of(host);
  if (name.empty()) return false;
  if (names_this_host(name) || name == own_host_) return true;
  // A stranger's page reaches us by a name of his; an address in the place of the name is ours.
  if (any_address_ && is_address(name)) return true;
  return std::any_of(hosts_.begin(), hosts_.end(), [&](const auto& h) { return host_of(h) == name; });
}

bool access::is_own_page(std::string_view origin, std::string_view host) const {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!origin.starts_with(scheme)) continue;
    const auto authority = small(origin.substr(scheme.size()));
    // Another port of this host is another page. A proxy may have put its own name into Host.
    return !authority.empty() &&
           (authority == small(host) || std::find(hosts_.begin(), hosts_.end(), authority) != hosts_.end());
  }
  return false;
}

} // namespace troupe::dashboard

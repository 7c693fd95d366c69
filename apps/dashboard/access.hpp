#pragma once

#include "apps/dashboard/endpoint.hpp"
#include "engine/config/model.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace troupe::dashboard {

/// Whether only this host itself can reach such an address.
bool is_loopback(std::string_view listen);

/// Who may come in, and what they may do. Pure; of one address.
class access {
public:
  /// `local_user`: the name of who acts without a login.
  access(const config::dashboard& rules, std::string local_user);

  /// People log in.
  [[nodiscard]] bool asks_who() const { return asks_who_; }
  /// Who comes without a login: may act where only this host's own people can come, elsewhere only look. A
  /// proxy brings others: who is `forwarded`, or may use a further name.
  [[nodiscard]] visitor without_login(bool forwarded) const;
  /// What stands on every page of such a visitor because it should be changed.
  [[nodiscard]] std::optional<std::string> banner(const visitor& who) const;

  /// Whether a request to this host (and port) is meant for us: not where a stranger's name was pointed at
  /// our address.
  [[nodiscard]] bool answers_to(std::string_view host) const;
  /// Whether a page of this origin, which asked by this host, is one of ours.
  [[nodiscard]] bool is_own_page(std::string_view origin, std::string_view host) const;

private:
  bool asks_who_, loopback_, any_address_;
  std::string own_host_, user_;
  std::vector<std::string> hosts_; ///< in small letters
};

} // namespace troupe::dashboard

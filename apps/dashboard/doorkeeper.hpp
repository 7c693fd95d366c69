#pragma once

#include "apps/dashboard/access.hpp"
#include "apps/dashboard/desk.hpp"
#include "apps/dashboard/endpoint.hpp"
#include "apps/dashboard/present.hpp"
#include "apps/dashboard/sessions.hpp"

#include <optional>
#include <string>
#include <vector>

namespace troupe::dashboard {

/// Knows who asks, and lets nobody do what is not theirs.
class doorkeeper {
public:
  doorkeeper(const present_config& config, std::string local_user);

  struct caller {
    visitor who;
    std::string csrf;
  };
  /// nullopt: whoever it is has to log in.
  std::optional<caller> identify(const http::request& asked);
  /// Why a request must not have its answer, before it is looked at any closer.
  [[nodiscard]] std::optional<http::response> refusal(const http::request& asked) const;
  /// Why this caller must not use this endpoint.
  [[nodiscard]] std::optional<http::response> refusal(const http::request& asked, const endpoint& what,
                                                      const std::optional<caller>& by) const;
  /// Where people log in and out, and learn who they are.
  std::vector<endpoint> endpoints();

private:
  void log_in(const http::request& asked, http::reply& to);
  [[nodiscard]] http::response session_of(const caller& c) const;

  const present_config& config_;
  const access access_;
  const std::string csrf_ = random_token(); ///< where nobody logs in
  sessions sessions_;
  throttle throttle_; ///< of the desk's thread
  desk porter_;       ///< the last: it uses the rest
};

} // namespace troupe::dashboard

#pragma once

#include "engine/core/time.hpp"

#include <cstddef>
#include <deque>

namespace troupe::policy {

/// How many restarts within a time are a nuisance, and from where on they are a fault (Erlang's "restart
/// intensity").
class restart_budget {
public:
  restart_budget(std::size_t restarts, milliseconds within) : restarts_{restarts}, within_{within} {}
  /// False: spent, give up.
  bool spend(steady_time now);

private:
  std::size_t restarts_;
  milliseconds within_;
  std::deque<steady_time> spent_;
};

} // namespace troupe::policy

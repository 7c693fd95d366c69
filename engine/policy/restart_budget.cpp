#include "engine/policy/restart_budget.hpp"

namespace troupe::policy {

bool restart_budget::spend(steady_time now) {
  while (!spent_.empty() && now - spent_.front() >= within_)
    spent_.pop_front();
  if (spent_.size() >= restarts_) return false;
  spent_.push_back(now);
  return true;
}

} // namespace troupe::policy

#pragma once

#include "engine/core/time.hpp"

#include <optional>

namespace troupe::policy {

enum class backoff_kind { constant, linear, quadratic, exponential };

struct retry_rules {
  unsigned attempts = 5; ///< calls, the first included
  backoff_kind backoff = backoff_kind::quadratic;
  milliseconds initial{1000};
  milliseconds max{60'000};
  double jitter =
      0.2; ///< share of the delay that is random, 0 to 1: delay × [1 - jitter, 1 + jitter], at most max
  friend bool operator==(const retry_rules&, const retry_rules&) = default;
};

/// How long to wait after the failed call number `attempt` (1 is the first); nullopt: attempts are spent.
/// constant: initial; linear: attempt × initial; quadratic: attempt² × initial; exponential: 2^(attempt-1) ×
/// initial. Never more than max, whatever overflows. `random` is in [0, 1).
std::optional<milliseconds> next_delay(const retry_rules& rules, unsigned attempt, double random);

/// The same without counting attempts: for what is tried until it works (dead letters, publishes).
milliseconds delay_of(const retry_rules& rules, unsigned attempt, double random);

} // namespace troupe::policy

#include "engine/policy/backoff.hpp"

#include <algorithm>
#include <cmath>

namespace troupe::policy {
namespace {

double factor(backoff_kind kind, unsigned attempt) {
  const double n = attempt;
  switch (kind) {
  case backoff_kind::constant:
    return 1;
  case backoff_kind::linear:
    return n;
  case backoff_kind::quadratic:
    return n * n;
  case backoff_kind::exponential:
    // 2^1023 is the last power of two that a double holds; max cuts it down long before.
    return std::ldexp(1.0, static_cast<int>(std::min(attempt - 1, 1023U)));
  }
  return 1;
}

} // namespace

milliseconds delay_of(const retry_rules& rules, unsigned attempt, double random) {
  const auto initial = static_cast<double>(std::max(rules.initial, milliseconds{0}).count());
  const auto max_delay = std::max(rules.max, milliseconds{0});
  const auto max = static_cast<double>(max_delay.count());
  // Capped before the jitter too: otherwise long delays would all be exactly max and come due together.
  const double delay = std::min(initial * factor(rules.backoff, std::max(attempt, 1U)), max);
  const double jitter = std::clamp(rules.jitter, 0.0, 1.0);
  const double spread = delay * (1 + jitter * (2 * std::clamp(random, 0.0, 1.0) - 1));
  if (spread >= max) return max_delay;
  return milliseconds{std::llround(spread)};
}

std::optional<milliseconds> next_delay(const retry_rules& rules, unsigned attempt, double random) {
  if (attempt >= rules.attempts) return std::nullopt;
  return delay_of(rules, attempt, random);
}

} // namespace troupe::policy

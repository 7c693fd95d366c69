#include "engine/policy/breaker.hpp"

#include <algorithm>

namespace troupe::policy {
namespace {

breaker_rules within_reason(breaker_rules rules) {
  rules.over = std::max(rules.over, 1U);
  rules.open_for = std::max(rules.open_for, milliseconds{0});
  return rules;
}

/// A downstream may ask for more time than a clock holds.
steady_time after(steady_time now, milliseconds wait) {
  const auto left = std::chrono::floor<milliseconds>(steady_time::max() - std::max(now, steady_time{}));
  return now + std::min(wait, left);
}

} // namespace

circuit_breaker::circuit_breaker(breaker_rules rules)
    : rules_{within_reason(rules)}, window_(rules_.over, false) {}

circuit_breaker::state circuit_breaker::now_is() const {
  return state_;
}

std::optional<steady_time> circuit_breaker::probe_due() const {
  if (state_ != state::open) return std::nullopt;
  return open_until_;
}

void circuit_breaker::probe_started() {
  if (state_ == state::open) state_ = state::probing;
}

bool circuit_breaker::record(bool ok, bool unavailable, steady_time now,
                             std::optional<milliseconds> retry_after) {
  if (seen_ == window_.size())
    failures_ -= window_[next_] ? 1U : 0U;
  else
    ++seen_;
  window_[next_] = !ok;
  failures_ += ok ? 0U : 1U;
  next_ = (next_ + 1) % window_.size();

  const bool was_closed = state_ == state::closed;
  if (unavailable) {
    open_for_at_least(now, retry_after);
    return was_closed;
  }
  if (!was_closed || seen_ < window_.size() || failures_ == 0) return false;
  if (static_cast<double>(failures_) / static_cast<double>(seen_) < rules_.failure_ratio) return false;
  open_for_at_least(now, {});
  return true;
}

void circuit_breaker::probe_ended(bool ok, steady_time now, std::optional<milliseconds> retry_after) {
  if (state_ != state::probing) {
    // Reset while the probe ran: its outcome is one like any other.
    (void)record(ok, false, now);
    return;
  }
  if (ok) {
    reset();
    return;
  }
  state_ = state::open;
  open_for_at_least(now, retry_after);
}

void circuit_breaker::trip(steady_time now) {
  open_for_at_least(now, {});
}

void circuit_breaker::reset() {
  state_ = state::closed;
  open_until_ = {};
  std::fill(window_.begin(), window_.end(), false);
  next_ = seen_ = failures_ = 0;
}

void circuit_breaker::change(breaker_rules rules) {
  rules_ = within_reason(rules);
  if (rules_.over == window_.size()) return;
  std::vector<bool> window(rules_.over, false);
  const std::size_t kept = std::min<std::size_t>(seen_, window.size());
  failures_ = 0;
  for (std::size_t i = 0; i < kept; ++i) {
    window[i] = window_[(next_ + window_.size() - kept + i) % window_.size()];
    failures_ += window[i] ? 1U : 0U;
  }
  window_ = std::move(window);
  seen_ = kept;
  next_ = kept % window_.size();
}

void circuit_breaker::open_for_at_least(steady_time now, std::optional<milliseconds> asked) {
  const auto wait = std::max(rules_.open_for, asked.value_or(milliseconds{0}));
  const auto until = after(now, wait);
  open_until_ = state_ == state::closed ? until : std::max(open_until_, until);
  // A probe under way stays the only one: a second would start if this made it `open` again.
  if (state_ == state::closed) state_ = state::open;
}

} // namespace troupe::policy

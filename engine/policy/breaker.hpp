#pragma once

#include "engine/core/time.hpp"

#include <cstddef>
#include <optional>
#include <vector>

namespace troupe::policy {

struct breaker_rules {
  double failure_ratio = 0.5;
  unsigned over = 20; ///< outcomes looked at; fewer than this many never open it
  milliseconds open_for{10'000};
  friend bool operator==(const breaker_rules&, const breaker_rules&) = default;
};

/// Circuit breaker of a pool. closed: all runs. open: nothing new starts, but one probe at a time, `open_for`
/// apart. A successful probe closes it.
class circuit_breaker {
public:
  explicit circuit_breaker(breaker_rules rules);

  enum class state { closed, open, probing };
  [[nodiscard]] state now_is() const;
  [[nodiscard]] bool closed() const { return now_is() == state::closed; }

  /// closed: any event may start.
  /// When the next probe may start: nullopt while closed or while a probe is under way.
  [[nodiscard]] std::optional<steady_time> probe_due() const;
  /// A probe starts. Only when open and due.
  void probe_started();

  /// The outcome of an ordinary call (one started while closed; those that end after it opened count too).
  /// `unavailable` opens at once, for at least `retry_after`. True if this opened it.
  bool record(bool ok, bool unavailable, steady_time now, std::optional<milliseconds> retry_after = {});
  /// The outcome of the probe: ok closes and forgets the window; anything else opens for another open_for.
  void probe_ended(bool ok, steady_time now, std::optional<milliseconds> retry_after = {});

  /// Opens from outside (the flood brake does).
  void trip(steady_time now);
  /// Closes from outside (`pool reset`).
  void reset();
  void change(breaker_rules rules);

private:
  void open_for_at_least(steady_time now, std::optional<milliseconds> asked);

  breaker_rules rules_;
  std::vector<bool> window_; ///< ring of the last `over` outcomes, true for a failure
  std::size_t next_ = 0, seen_ = 0, failures_ = 0;
  state state_ = state::closed;
  steady_time open_until_{};
};

} // namespace troupe::policy

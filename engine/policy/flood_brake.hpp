#pragma once

#include "engine/core/time.hpp"

#include <bitset>
#include <cstddef>

namespace troupe::policy {

struct flood_rules {
  double ratio = 0.2; ///< of the last 200 outcomes; 1 switches it off
  unsigned run = 50;  ///< dead letters in a row
  friend bool operator==(const flood_rules&, const flood_rules&) = default;
};

/// Notices that a topic is being emptied into its DLQ. The ratio counts once 200 outcomes were seen.
class flood_brake {
public:
  explicit flood_brake(flood_rules rules);
  /// The final outcome of an event: success or dead letter. True if the brake just pulled.
  bool record(bool dead_letter);
  [[nodiscard]] bool pulled() const { return pulled_; }
  /// After a successful probe. The window is kept: while its ratio is still that of a flood, the next dead
  /// letter pulls the brake again, or every probe that happens on a good event would let a burst through.
  void release();
  /// `pool reset`: forgets what it saw.
  void reset();
  void change(flood_rules rules) { rules_ = rules; }

  static constexpr std::size_t window = 200;

private:
  flood_rules rules_;
  std::bitset<window> dead_;
  std::size_t next_ = 0, seen_ = 0;
  unsigned run_ = 0;
  bool pulled_ = false;
};

} // namespace troupe::policy

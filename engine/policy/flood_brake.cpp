#include "engine/policy/flood_brake.hpp"

#include <algorithm>

namespace troupe::policy {

flood_brake::flood_brake(flood_rules rules) : rules_{rules} {}

bool flood_brake::record(bool dead_letter) {
  dead_.set(next_, dead_letter);
  next_ = (next_ + 1) % window;
  seen_ = std::min(seen_ + 1, window);
  run_ = dead_letter ? run_ + 1 : 0;
  if (pulled_ || !dead_letter) return false; // a success never pulls it, whatever it pushes out of the window
  const double dead = static_cast<double>(dead_.count());
  const bool flooded =
      seen_ == window && rules_.ratio < 1 && dead / static_cast<double>(window) >= rules_.ratio;
  pulled_ = flooded || (run_ > 0 && run_ >= rules_.run);
  return pulled_;
}

void flood_brake::release() {
  run_ = 0;
  pulled_ = false;
}

void flood_brake::reset() {
  release();
  dead_.reset();
  next_ = seen_ = 0;
}

} // namespace troupe::policy

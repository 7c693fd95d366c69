#pragma once

#include <chrono>
#include <thread>

namespace troupe::actors {

using namespace std::chrono_literals;

/// Looks again and again until the condition holds; false when the bound is reached first.
template <class F>
bool eventually(std::chrono::milliseconds bound, F&& holds) {
  const auto until = std::chrono::steady_clock::now() + bound;
  while (!holds()) {
    if (std::chrono::steady_clock::now() >= until) return false;
    std::this_thread::sleep_for(5ms);
  }
  return true;
}

} // namespace troupe::actors

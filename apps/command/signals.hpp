#pragma once

#include <chrono>

namespace troupe {

/// SIGINT, SIGTERM and SIGHUP as events for one thread; ignores SIGPIPE. By handlers rather than by a mask:
/// the program around us may have started threads of its own before, which would take an unmasked signal's
/// default action. One of these at a time.
class signals {
public:
  signals();
  ~signals();
  signals(const signals&) = delete;
  signals& operator=(const signals&) = delete;

  enum class event { stop, reload, woken, timeout };
  /// Waits for the next one, or for wake().
  event wait(std::chrono::milliseconds at_most);
  // From any thread.
  void wake();
  void reload(); ///< as SIGHUP
};

} // namespace troupe

#pragma once

#include "engine/core/time.hpp"
#include "engine/redis/client.hpp"
#include "engine/state/layout.hpp"
#include "engine/state/snapshot.hpp"

#include <functional>
#include <memory>
#include <string>

namespace troupe::state {

/// Writes what a process says of itself. Never waits and never queues: while a batch is under way, or when
/// Redis does not take one, the update is dropped and counted. What is added up (events, latencies, dead
/// letters) is the difference to the last batch that Redis acknowledged, so that a dropped update loses
/// nothing of it; one whose answer was lost is sent again as it was, under its number, and Redis applies it
/// once. Thread-safe.
class recorder {
public:
  /// `dropped` is called for each update that Redis did not get, from any thread.
  recorder(std::shared_ptr<redis::client> to, const std::string& app, identity who,
           std::function<void()> dropped);
  ~recorder();

  void record(const snapshot& now);
  /// The goodbye: waits for a batch under way and for its own answer, `at_most` each.
  void record_last(const snapshot& now, milliseconds at_most);

private:
  struct books;
  std::shared_ptr<books> books_; ///< answers may come after we are gone
};

} // namespace troupe::state

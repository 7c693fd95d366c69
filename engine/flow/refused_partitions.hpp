#pragma once

#include "engine/core/time.hpp"
#include "engine/flow/dispatcher.hpp"
#include "engine/policy/backoff.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace troupe::flow {

/// Which partitions of an actor with exactly_once wait, because an output of theirs is not taken as things
/// are. Whoever waits is left out of the transactions of the others, so that theirs commit, and is tried
/// again after a backoff, in a transaction of its own: no other's work is aborted to find out.
class refused_partitions {
public:
  explicit refused_partitions(policy::retry_rules again) : again_{again} {}

  struct wait {
    milliseconds delay{};
    bool news = false; ///< it did not wait before, or for another reason
  };
  /// Once for each transaction that it was in.
  wait refused(partition_index which, std::string why, steady_time now);
  /// Its outputs were taken. True if it waited.
  bool taken(partition_index which);
  [[nodiscard]] bool waits(partition_index which) const { return waiting_.contains(which); }
  void clear() { waiting_.clear(); }

  /// Of those that want to commit, who goes into the next transaction, as places in `wanting`: all that do
  /// not wait, or one that does and is due, in turn. `last_chance`: all are due, after the others.
  std::vector<std::size_t> next(const std::vector<partition_index>& wanting, steady_time now,
                                bool last_chance);

private:
  struct waiting {
    std::string why;
    unsigned tries = 0;
    steady_time due{};
  };
  [[nodiscard]] std::optional<std::size_t> longest_due(const std::vector<partition_index>& wanting,
                                                       steady_time now, bool last_chance) const;

  policy::retry_rules again_;
  std::map<partition_index, waiting> waiting_;
  bool tried_one_ = false; ///< the last transaction was of one that waits
};

} // namespace troupe::flow

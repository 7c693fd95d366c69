#pragma once

#include "engine/core/result.hpp"
#include "engine/core/time.hpp"
#include "engine/kafka/connection.hpp"
#include "engine/kafka/consumer.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace troupe::kafka {

/// Where a group stands in a partition, as the brokers have it.
struct standing {
  topic_partition where;
  std::optional<std::int64_t> committed; ///< none: the group never committed here
  watermarks log;
  std::optional<std::int64_t>
      oldest_ms; ///< timestamp of the first event beyond the commit, where it could be read
};

/// Looks at a group and its topics from outside: it joins no group and commits nothing. Every call waits for
/// the network: never on an actor's thread.
class observer {
public:
  static result<std::unique_ptr<observer>> open(const connection& to, const std::string& group);
  ~observer();

  /// All partitions of the topics that exist, names or patterns that start with ^, in order.
  result<std::vector<topic_partition>> partitions(const std::vector<std::string>& topics,
                                                  milliseconds timeout);
  /// `from_end`: where a group that never committed begins.
  result<std::vector<standing>> standings(const std::vector<topic_partition>& where, bool from_end,
                                          milliseconds timeout);
  /// Reads from the ends on.
  result<void> follow(const std::vector<topic_partition>& where);
  /// The next event of those, or nothing within `at_most`.
  std::optional<record> next(milliseconds at_most);

private:
  struct impl;
  explicit observer(std::unique_ptr<impl>);
  std::unique_ptr<impl> impl_;
};

} // namespace troupe::kafka

#pragma once

#include "engine/core/result.hpp"
#include "engine/core/time.hpp"
#include "engine/kafka/connection.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace troupe::kafka {

/// Topics and their partition counts. Every call waits for the network: never on an actor's thread.
class admin {
public:
  static result<std::unique_ptr<admin>> open(const connection& to);
  ~admin();

  /// All topics but internal ones (their names start with two underscores). unavailable when no broker
  /// answers; the text names the brokers and the remedy.
  result<std::map<std::string, std::int32_t>> topics(milliseconds timeout);
  /// Creates the topic where it is missing; an existing one is success, whatever its settings. The broker's
  /// default replication.
  result<void> create_topic(const std::string& name, std::int32_t partitions, milliseconds timeout,
                            const properties& settings = {});

private:
  struct impl;
  explicit admin(std::unique_ptr<impl>);
  std::unique_ptr<impl> impl_;
};

} // namespace troupe::kafka

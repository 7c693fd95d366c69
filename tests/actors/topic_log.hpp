#pragma once

#include "engine/core/record.hpp"
#include "engine/kafka/handles.hpp"

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace troupe::actors {

/// What lies in a topic, read from its beginning without a group: the truth that tests compare with.
class topic_log {
public:
  topic_log(const std::string& brokers, std::string topic, std::int32_t partitions);

  /// Reads on until the condition holds for all that was read so far; false at the bound.
  bool read_until(const std::function<bool(const std::vector<record>&)>& enough,
                  std::chrono::milliseconds bound);
  /// Reads everything that is there now.
  bool read_to_end(std::chrono::milliseconds bound);
  [[nodiscard]] const std::vector<record>& records() const { return records_; }

private:
  void poll();

  std::shared_ptr<const std::string> topic_;
  kafka::client_ptr client_;
  std::vector<std::int64_t> next_; ///< by partition
  std::vector<record> records_;
};

/// The value of a record's header, or "" where it has none.
std::string header_of(const record& event, std::string_view name);

} // namespace troupe::actors

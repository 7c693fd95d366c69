#pragma once

#include "engine/config/model.hpp"
#include "engine/core/record.hpp"
#include "engine/core/result.hpp"
#include "engine/kafka/topic_reader.hpp"

#include <memory>
#include <string>
#include <vector>

namespace troupe::dashboard {

/// A look at the newest events of an actor's topics, as nobody's member. Waits for Kafka; one thread.
class tap_reader {
public:
  /// At most twenty, the newest first; of many partitions some.
  result<std::vector<record>> newest(const config::settings& s, const config::actor& of);

private:
  std::unique_ptr<kafka::topic_reader> reader_;
  std::string brokers_; ///< of the reader
};

} // namespace troupe::dashboard

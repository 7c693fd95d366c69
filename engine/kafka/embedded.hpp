#pragma once

#include "engine/core/result.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace troupe::kafka {

/// librdkafka's mock cluster in this process, for the demo and for tests: in memory, at most 5 MiB or
/// 100,000 batches per partition (older ones are dropped silently), no durability, no idempotence.
class embedded_broker {
public:
  static result<std::unique_ptr<embedded_broker>> start();
  ~embedded_broker();
  [[nodiscard]] std::string bootstrap() const;
  result<void> create_topic(const std::string& name, std::int32_t partitions);

private:
  struct impl;
  explicit embedded_broker(std::unique_ptr<impl>);
  std::unique_ptr<impl> impl_;
};

} // namespace troupe::kafka

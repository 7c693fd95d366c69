#pragma once

#include "engine/core/result.hpp"
#include "engine/core/time.hpp"
#include "engine/kafka/connection.hpp"
#include "engine/kafka/consumer.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace troupe::kafka {

/// The offsets [begin, end) of a partition.
struct offset_range {
  std::int32_t partition = 0;
  std::int64_t begin = 0, end = 0;
};

/// Reads what a topic holds, from offsets to offsets: no group, no commits, only what is committed. For
/// those who look into a log rather than follow it. Every call waits for the network.
class topic_reader {
public:
  static result<std::unique_ptr<topic_reader>> open(const connection& to);
  ~topic_reader();

  /// What each partition holds now; nothing where there is no such topic.
  result<std::map<std::int32_t, watermarks>> bounds(const std::string& topic, milliseconds timeout);

  /// The events of the ranges, each partition's in the order of its offsets, several partitions at once.
  /// What retention took meanwhile is left out. `each` answers false to end the reading; it may take its
  /// time. errc::unavailable when nothing comes for as long as `patience`.
  result<void> read(const std::string& topic, const std::vector<offset_range>& ranges, milliseconds patience,
                    const std::function<bool(const message&)>& each);

private:
  struct impl;
  explicit topic_reader(std::unique_ptr<impl>);
  std::unique_ptr<impl> impl_;
};

} // namespace troupe::kafka

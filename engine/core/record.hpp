#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace troupe {

struct topic_partition {
  std::string topic;
  std::int32_t partition = 0;
  friend auto operator<=>(const topic_partition&, const topic_partition&) = default;
};

/// A Kafka header; its value may be null, which is not the same as empty.
struct header {
  std::string name;
  std::optional<std::string> value;
  friend bool operator==(const header&, const header&) = default;
};

/// How the timestamp of a record came about. Log append time is not event time.
enum class timestamp_type { none, created, appended };

/// One consumed event, immutable once read.
struct record {
  std::shared_ptr<const std::string> topic; ///< shared by all records of a partition
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::int64_t timestamp_ms = -1; ///< milliseconds since the epoch, -1 where there is none
  timestamp_type time_type = timestamp_type::none;
  std::optional<std::string> key;   ///< null keys are not ordered
  std::optional<std::string> value; ///< null is a tombstone
  std::vector<header> headers;

  /// What it counts in the windows: key, value and headers, in bytes.
  [[nodiscard]] std::size_t bytes() const {
    std::size_t n = (key ? key->size() : 0) + (value ? value->size() : 0);
    for (const auto& h : headers)
      n += h.name.size() + (h.value ? h.value->size() : 0);
    return n;
  }
  /// topic/partition/offset: the identity of the event, and its idempotency key.
  [[nodiscard]] std::string id() const {
    return *topic + '/' + std::to_string(partition) + '/' + std::to_string(offset);
  }
};

using record_ptr = std::shared_ptr<const record>;

/// An event on its way out.
struct outgoing {
  std::string topic;
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<header> headers;
  std::optional<std::int64_t> timestamp_ms; ///< now, where it is not given
  std::optional<std::int32_t> partition;    ///< by key (murmur2, as Java does it), where it is not given
};

} // namespace troupe

template <>
struct std::hash<troupe::topic_partition> {
  std::size_t operator()(const troupe::topic_partition& tp) const noexcept {
    return std::hash<std::string>{}(tp.topic) ^
           (static_cast<std::size_t>(tp.partition) * std::size_t{0x9E3779B97F4A7C15});
  }
};

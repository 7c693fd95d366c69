#pragma once

#include "engine/core/record.hpp"
#include "engine/core/result.hpp"
#include "engine/deadletters/causes.hpp"
#include "engine/deadletters/filter.hpp"
#include "engine/deadletters/marks.hpp"
#include "engine/kafka/topic_reader.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace troupe::deadletters {

/// What lies in one topic of dead letters, of what a filter takes.
struct contents {
  std::uint64_t open = 0, replayed = 0, discarded = 0;
  std::vector<cause> causes; ///< of the open ones, the most frequent first
};

/// Reads topics of dead letters and what became of the letters. Every call waits for Kafka, for as long as
/// it takes to read the topic whole.
class archive {
public:
  static result<std::unique_ptr<archive>> open(const kafka::connection& to);

  /// False from `each` ends the reading. Letters come by partition in the order of their offsets.
  using visitor = std::function<bool(const record& letter, std::optional<action> resolved)>;
  /// errc::usage where there is no such topic.
  result<void> scan(const std::string& topic, const filter& which, const visitor& each);
  result<contents> look_into(const std::string& topic, const filter& which);

  struct found {
    record letter;
    std::optional<action> resolved;
  };
  /// errc::usage where there is none, with what there is.
  result<found> find(const std::string& topic, std::int32_t partition, std::int64_t offset);

  /// Only these letters.
  result<void> read(const std::string& topic, const std::vector<kafka::offset_range>& ranges,
                    const std::function<bool(const record&)>& each);
  /// What became of the topic's letters until now.
  result<mark_book> marks_of(const std::string& topic);
  /// The event that lies there, wherever it is; nothing where it is gone.
  result<std::optional<record>> event_at(const topic_partition& where, std::int64_t offset);
  result<std::int32_t> partitions_of(const std::string& topic); ///< 0 where there is no such topic

private:
  explicit archive(std::unique_ptr<kafka::topic_reader> reader) : reader_{std::move(reader)} {}
  result<std::map<std::int32_t, kafka::watermarks>> bounds_of(const std::string& topic);

  std::unique_ptr<kafka::topic_reader> reader_;
};

} // namespace troupe::deadletters

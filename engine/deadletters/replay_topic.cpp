#include "engine/deadletters/replay_topic.hpp"

#include "engine/deadletters/letter.hpp"

namespace troupe::deadletters {
namespace {

constexpr milliseconds ask_timeout{10'000};

/// A replayed event keeps its time, which may be long past: by the usual retention it could be gone before
/// it is read.
const kafka::properties kept_whatever_its_age{{"retention.ms", "-1"}};

} // namespace

result<void> make_replay_topic(kafka::admin& by, archive& in, const route& way) {
  const auto count = in.partitions_of(way.source);
  if (!count) return count.failure();
  if (*count == 0)
    return error{errc::usage, "there is no topic " + way.source + ", which actor '" + way.actor + "' reads"};
  return by.create_topic(way.replay_topic(), *count, ask_timeout, kept_whatever_its_age);
}

std::optional<std::int32_t> partition_for(const record& letter, const std::string& target, bool to_source,
                                          std::int32_t count) {
  const auto from = origin_of(letter);
  if (!from || count <= 0) return std::nullopt;
  if (to_source && from->where.topic == target && from->where.partition < count) return from->where.partition;
  if (letter.key) return std::nullopt;
  return from->where.partition % count;
}

} // namespace troupe::deadletters

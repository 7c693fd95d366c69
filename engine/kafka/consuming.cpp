#include "engine/kafka/consuming.hpp"

#include "engine/kafka/client_config.hpp"

#include <algorithm>
#include <cstdlib>

namespace troupe::kafka {
namespace {

/// Of one answer. It lies in memory until its last message is counted or copied.
std::size_t fetch_bytes(std::size_t prefetch) {
  return std::clamp(prefetch / 4, std::size_t{1} << 20, std::size_t{2} << 20);
}

/// fetch.max.bytes must not be smaller than this property. 0 where it is not given.
std::size_t largest_message(const connection& to) {
  std::size_t largest = 0;
  for (const auto* properties : {&to.common, &to.consumer})
    if (const auto given = properties->find("message.max.bytes"); given != properties->end())
      largest = std::strtoull(given->second.c_str(), nullptr, 10);
  return largest;
}

} // namespace

result<conf_ptr> make_consumer_conf(const consumer_config& config) {
  const auto& to = config.connection;
  const auto kbytes = std::clamp<std::size_t>(config.prefetch_bytes / 1024, 1, 2'097'151);
  properties ours{
      {"client.id", config.client_id},
      {"session.timeout.ms", to.embedded ? "3000" : "6000"},
      {"heartbeat.interval.ms", to.embedded ? "500" : "2000"},
      // Either of both stops fetching: small messages take much more memory than their bytes.
      {"queued.min.messages",
       std::to_string(std::clamp<std::size_t>(config.prefetch_messages, 1, 10'000'000))},
      {"queued.max.messages.kbytes", std::to_string(kbytes)},
      {"fetch.queue.backoff.ms", "2"}, // from 2.2 on; see consumer_session::resume_fetching
      {"allow.auto.create.topics", "false"},
      // How soon a topic that was missing, or a new one of a pattern, is seen.
      {"topic.metadata.refresh.interval.ms", to.embedded ? "1000" : "10000"},
  };
  // Answers of a moderate size come into memory that was just used, instead of fresh pages.
  const auto fetched = fetch_bytes(config.prefetch_bytes);
  if (largest_message(to) <= fetched) {
    ours["fetch.max.bytes"] = std::to_string(fetched);
    ours["max.partition.fetch.bytes"] = std::to_string(fetched / 2); // a larger batch comes alone
  }
  if (to.embedded) ours["fetch.wait.max.ms"] = "10"; // its fetches never wake early
  properties promised{
      {"group.id", config.group},
      {"enable.auto.commit", "false"},
      {"enable.auto.offset.store", "false"},
      {"auto.offset.reset", "error"},
      {"partition.assignment.strategy", "range,roundrobin"},
      {"isolation.level", "read_committed"},
      {"enable.partition.eof", "false"},
      {"log.queue", "true"},
  };
  if (!config.static_id.empty()) promised["group.instance.id"] = config.static_id;
  return make_conf(to, role::consumer, ours, promised);
}

} // namespace troupe::kafka

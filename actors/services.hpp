#pragma once

#include "actors/http_doors.hpp"
#include "engine/config/model.hpp"
#include "engine/core/slot_lock.hpp"
#include "engine/flow/behind_clock.hpp"
#include "engine/handler/executor.hpp"
#include "engine/handler/handler.hpp"
#include "engine/http/client.hpp"
#include "engine/journal/crash_memory.hpp"
#include "engine/kafka/admin.hpp"
#include "engine/kafka/connection.hpp"
#include "engine/kafka/consumer.hpp"
#include "engine/kafka/embedded.hpp"
#include "engine/kafka/producer.hpp"
#include "engine/metrics/registry.hpp"
#include "engine/redis/client.hpp"
#include "engine/state/control.hpp"
#include "engine/state/recorder.hpp"

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace troupe::actors {

/// How far each partition's group has come, for the lag on /metrics: written by supervisors, read by the
/// scraper's thread. Thread-safe.
class lag_board {
public:
  explicit lag_board(metrics::registry& registry) : registry_{registry} {}
  void update(const std::string& group, const topic_partition& where, std::int64_t position,
              flow::behind_clock::mark behind, const std::shared_ptr<kafka::consumer>& consumer);
  void remove(const std::string& group, const topic_partition& where);
  /// Sets the gauges.
  void refresh();
  [[nodiscard]] std::vector<state::partition_state> partitions();

private:
  struct entry {
    std::int64_t position = 0;
    flow::behind_clock behind;
    std::weak_ptr<kafka::consumer> consumer;
    /// How many messages there are beyond the position.
    [[nodiscard]] std::int64_t beyond(const kafka::watermarks& marks) const;
  };
  metrics::registry& registry_;
  mutable std::mutex lock_;
  std::map<std::pair<std::string, topic_partition>, entry> entries_;
};

/// What operators want of the pools: written by telemetry, read by supervisors, those that are born later
/// too. Thread-safe.
class desired_board {
public:
  [[nodiscard]] std::optional<state::desired> of(const std::string& actor) const;
  /// The actors for which something else is desired now.
  std::vector<std::string> replace(std::map<std::string, state::desired> wanted);

private:
  mutable std::mutex lock_;
  std::map<std::string, state::desired> wanted_;
};

/// What the actors of a process share and do not own; outlives all of them.
struct services {
  explicit services(config::settings s, const handlers& h)
      : settings{std::move(s)}, handlers{h}, lag{metrics}, sent{metrics.counter(
                                                               "messaging_client_sent_messages_total",
                                                               {{"messaging_system", "kafka"}})},
        send_duration{
            metrics.histogram("messaging_client_operation_duration_seconds",
                              {{"messaging_system", "kafka"}, {"messaging_operation_name", "send"}})},
        commit_duration{
            metrics.histogram("messaging_client_operation_duration_seconds",
                              {{"messaging_system", "kafka"}, {"messaging_operation_name", "commit"}})} {}

  config::settings settings;
  const troupe::handlers& handlers;
  metrics::registry metrics;
  lag_board lag;
  metrics::counter& sent;
  metrics::histogram &send_duration, &commit_duration;
  kafka::connection kafka;
  std::unique_ptr<kafka::embedded_broker> embedded; ///< with `kafka.brokers: embedded`
  std::shared_ptr<redis::client> redis; ///< none where no aggregate needs it and the config has none
  // The operational state: none where the config has no `redis`. On a connection of their own.
  std::unique_ptr<state::recorder> recorder;
  std::unique_ptr<state::inbox> inbox;
  desired_board desired;
  http::client http;
  http_doors doors;
  std::unique_ptr<journal::crash_memory> crashes; ///< none without `state`
  executor chores{4}; ///< start-up and rebalance work that waits for Kafka or Redis
  std::atomic<troupe::publisher*> publisher{nullptr};
  /// True once for an actor named by --rebuild, or by --adopt.
  bool take_rebuild(const std::string& actor);
  bool take_adopt(const std::string& actor);
  void mark_rebuild(const std::string& actor);
  void mark_adopt(const std::string& actor);

  // What /livez and /readyz tell.
  std::atomic<bool> ready{false}, stopping{false};
  std::atomic<bool> started{false}; ///< was ready once: from then on outages are waited for

  /// Topics with partition counts; the embedded broker creates what it lacks instead of knowing nothing.
  result<std::map<std::string, std::int32_t>> topics(milliseconds timeout);
  /// Without an age limit: dead letters keep the time of their events, which may be long past.
  result<void> create_dlq_topic(const std::string& name, std::int32_t partitions, milliseconds timeout);

  /// What tells this process from the others of its app, and is the same when it is started again: the
  /// config's `instance`, or the host's name and the lowest number that is free on it.
  result<std::string> instance();

  /// Handler calls of an actor that have begun and not ended, whichever life of its supervisor began them.
  std::shared_ptr<std::atomic<std::size_t>> calls_of(const std::string& actor);

  /// For as long as somebody holds it, no other actor of the process runs an event that is suspected of
  /// having killed it; otherwise it could not be told which of two did. nullptr: another one has it.
  std::shared_ptr<void> take_solitude();
  /// The journal of calls; nullptr without `state`.
  [[nodiscard]] std::shared_ptr<journal::call_journal> calls() const {
    return crashes ? crashes->calls() : nullptr;
  }

  /// The shared producers, by what librdkafka can only set for a whole client.
  result<std::shared_ptr<kafka::producer>> producer(config::acks acks, milliseconds timeout);
  /// Produces, and counts it.
  void produce(kafka::producer& to, const outgoing& event, kafka::producer::report done);
  /// Several, of which there is one at least: `done` is called once, when the last one is reported, on the
  /// producer's thread or on this one; with a failure where any failed.
  void produce(kafka::producer& to, std::span<const outgoing> events,
               std::function<void(const std::optional<error>&)> done);
  /// Counts a dead letter that a broker acknowledged.
  void count_dead_letter(const std::string& actor, const std::string& error_class, const std::string& topic);
  [[nodiscard]] std::map<std::string, std::uint64_t> dead_letters_by_topic() const;
  /// Flushes them all; true if nothing is left.
  bool flush_producers(milliseconds deadline);

private:
  void count_sent(std::size_t events, std::chrono::steady_clock::time_point since);

  std::mutex marks_lock_, producers_lock_, instance_lock_;
  mutable std::mutex letters_lock_;
  std::map<std::string, std::uint64_t> letters_;
  std::optional<slot_lock> slot_;
  std::weak_ptr<void> solitude_;
  std::set<std::string> rebuild_, adopt_;
  std::map<std::pair<config::acks, milliseconds>, std::shared_ptr<kafka::producer>> producers_;
  std::map<std::string, std::shared_ptr<std::atomic<std::size_t>>> calls_;
};

/// How long the brokers may take to answer at the start before the process gives up (exit 69).
constexpr milliseconds start_timeout{10'000};

void log_kafka(int level, const std::string& facility, const std::string& text);

} // namespace troupe::actors

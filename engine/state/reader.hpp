#pragma once

#include "engine/core/result.hpp"
#include "engine/redis/client.hpp"
#include "engine/state/desired.hpp"
#include "engine/state/layout.hpp"
#include "engine/state/snapshot.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

/// All processes of an app together, as Redis has them. What is not known is std::nullopt, never 0.
namespace troupe::state {

enum class presence { live, late, lost, stopped };
/// `beat_ms`: when it last wrote. One that said goodbye is stopped, however long ago.
presence presence_of(std::int64_t beat_ms, bool stopped, std::int64_t now_ms);
std::string name_of(presence what);

struct instance_view {
  std::string id, host, version, config_digest, phase;
  state::presence presence = presence::lost;
  std::int64_t beat_ms = 0;
  std::optional<std::int64_t> pid, start_ms;
  std::optional<std::uint64_t> resident_bytes;
  std::optional<double> cpu_seconds;
};

struct retry_view {
  std::string instance, actor, topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0, due_ms = 0;
  std::optional<std::int64_t> since_ms;
  std::optional<unsigned> attempt;
  std::string error, error_class;
};

struct partition_view {
  std::string group, topic, source; ///< source: the instance that told it
  std::int32_t partition = 0;
  std::int64_t at_ms = 0;
  std::optional<std::int64_t> committed, start, end, oldest_ms;
  std::optional<state::blocker> blocked;
  [[nodiscard]] std::optional<std::int64_t> lag() const;
  /// Seconds from the oldest unfinished event to `now_ms`.
  [[nodiscard]] std::optional<double> behind_s(std::int64_t now_ms) const;
};

/// One actor, summed over the instances that are live.
struct actor_view {
  std::string kind, group;
  unsigned reporting = 0; ///< live instances that told of it
  std::optional<std::uint64_t> workers, busy, most_workers, queued, capacity, parked;
  unsigned paused = 0, breaker_open = 0; ///< instances whose pool is
  std::optional<double> per_second, errors_per_second;
  std::optional<double> p50_s, p95_s, p99_s; ///< over the last minute
  std::optional<std::int64_t> lag;           ///< over all partitions; none where one is not known
  std::optional<double> behind_s;            ///< of the worst partition
  std::optional<state::desired> desired;
};

struct audit_entry {
  std::string entry; ///< its place in the audit
  std::int64_t at_ms = 0;
  std::string id, by, action, actor, before, after, result;
};

struct overview {
  std::int64_t at_ms = 0;
  std::vector<instance_view> instances;
  unsigned live = 0, expected = 0; ///< expected: live and late ones
  std::optional<double> p99_s;     ///< of all actors, over the last minute
  std::map<std::string, actor_view> actors;
  std::vector<partition_view> partitions;
  std::vector<retry_view> retries;                  ///< those due first
  std::map<std::string, std::int64_t> dead_letters; ///< open, by topic
  std::vector<audit_entry> audit;                   ///< the newest first
};

/// Partitions told longer ago than this say nothing of now.
constexpr std::chrono::milliseconds stale_after{6000};
/// Rates are means over so many whole seconds.
constexpr int rate_seconds = 10;

class reader {
public:
  reader(std::shared_ptr<redis::client> from, const std::string& app);
  /// One pipeline. Waits: never on an actor's thread.
  result<overview> read(std::int64_t now_ms, std::size_t audited = 50);
  /// The audit from the entry before this one on, or from the newest; the newest first. Waits too.
  result<std::vector<audit_entry>> audit(const std::string& before, std::size_t most);

private:
  std::shared_ptr<redis::client> from_;
  layout keys_;
};

} // namespace troupe::state

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

/// The operational state of an app in Redis: what its processes write about themselves, and what people want
/// of them. Losing it costs history and the desired state, never an event or a count.
namespace troupe::state {

/// Names of the keys of one app. The braces are a hash tag: all of them lie in one slot of a Redis Cluster,
/// so that one script may touch them together.
class layout {
public:
  explicit layout(const std::string& app) : prefix_{"tr:{" + app + "}:"} {}

  [[nodiscard]] std::string schema() const { return prefix_ + "schema"; }
  /// ZSET: instance → its last beat, in milliseconds.
  [[nodiscard]] std::string instances() const { return prefix_ + "inst"; }
  [[nodiscard]] std::string instance(const std::string& id) const { return prefix_ + "inst:" + id; }
  /// HASH: actor → JSON.
  [[nodiscard]] std::string pools(const std::string& id) const { return instance(id) + ":pools"; }
  /// ZSET: `actor/topic/partition/offset` → when it is due, in milliseconds.
  [[nodiscard]] std::string retries(const std::string& id) const { return instance(id) + ":retry"; }
  /// HASH: the same members → JSON of attempt, error and since when.
  [[nodiscard]] std::string retry_notes(const std::string& id) const { return retries(id) + ":why"; }
  /// HASH: `group/topic/partition` → JSON.
  [[nodiscard]] std::string lag() const { return prefix_ + "lag"; }
  // HASHes: `actor/ok|err|retry|dlq` → how many, by the second, the minute and the day (UTC). Those of
  // seconds and minutes also tell how often a process wrote: without it nothing happened there because nobody
  // was.
  static constexpr std::string_view told_field = "told";
  [[nodiscard]] std::string by_second(std::int64_t epoch_s) const;
  [[nodiscard]] std::string by_minute(std::int64_t epoch_s) const;
  [[nodiscard]] std::string by_day(std::int64_t epoch_s) const;
  /// HASH of ten seconds: `actor/b<i>` → calls whose duration lay in that bucket.
  [[nodiscard]] std::string latencies(std::int64_t epoch_s) const;
  /// HASH: instance → its life and the last batch of it that was applied.
  [[nodiscard]] std::string flush() const { return prefix_ + "flush"; }
  /// HASH: actor → JSON of `desired`.
  [[nodiscard]] std::string desired() const { return prefix_ + "desired"; }
  /// STREAM of orders; HASH: instance → JSON of its answer.
  [[nodiscard]] std::string orders() const { return prefix_ + "cmd"; }
  [[nodiscard]] std::string answers(const std::string& order) const { return prefix_ + "cmd:" + order; }
  [[nodiscard]] std::string audit() const { return prefix_ + "audit"; }
  /// HASH: dead-letter topic → dead letters in it that nobody has dealt with.
  [[nodiscard]] std::string dead_letters() const { return prefix_ + "dlq:n"; }

private:
  std::string prefix_;
};

// How long keys live after they were last written.
constexpr std::chrono::seconds instance_kept{30};
constexpr std::chrono::hours stopped_kept{24}; ///< of one that said goodbye, and in the list of instances
constexpr std::chrono::hours lag_kept{7 * 24};
constexpr std::chrono::minutes second_kept{15};
constexpr std::chrono::hours minute_kept{48};
constexpr std::chrono::hours day_kept{400 * 24};
constexpr std::chrono::hours flush_kept{7 * 24};
constexpr std::chrono::hours answers_kept{1};
// How many there may be.
constexpr std::size_t most_retries = 1000; ///< of an instance, those that are due first
constexpr std::size_t most_orders = 1000;
constexpr std::size_t most_audited = 10'000;
/// An error is cut to so many bytes.
constexpr std::size_t longest_error = 300;

// When an instance that does not write counts as late, and as lost.
constexpr std::chrono::milliseconds late_after{6000};
constexpr std::chrono::milliseconds lost_after{30'000};

} // namespace troupe::state

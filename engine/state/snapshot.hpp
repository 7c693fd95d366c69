#pragma once

#include "engine/state/latency.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

/// What a process says of itself at one moment. Times are milliseconds of the wall clock.
namespace troupe::state {

struct identity {
  std::string id; ///< among the app's processes; the same when it is started again
  std::string host, version, config_digest;
  std::int64_t pid = 0, start_ms = 0;
};

/// Since the process started.
struct totals {
  std::uint64_t ok = 0;    ///< events done by success
  std::uint64_t err = 0;   ///< calls that failed
  std::uint64_t retry = 0; ///< of those, to be tried again
  std::uint64_t dead = 0;  ///< of those, dead-lettered
  friend bool operator==(const totals&, const totals&) = default;
};

struct pool_state {
  std::uint64_t workers = 0, busy = 0, most_workers = 0; ///< workers: as many as are wanted now
  std::uint64_t queued = 0, capacity = 0, parked = 0;
  bool paused = false; ///< by an operator
  bool breaker_open = false;
};

struct actor_state {
  std::string kind;  ///< handler, aggregate, ingest, generate
  std::string group; ///< empty: it consumes nothing
  totals so_far;
  buckets latency{};
  std::optional<pool_state> pool; ///< none: it has none, or its supervisor did not say
};

/// An event that waits to be tried again.
struct parked_event {
  std::string actor, topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0, due_ms = 0, since_ms = 0; ///< since it first failed
  unsigned attempt = 0;                              ///< of the next call
  std::string error, error_class;
};

/// The first unfinished event of a partition, where it is more than on its way.
struct blocker {
  std::int64_t offset = 0, since_ms = 0;
  std::string why;
  friend bool operator==(const blocker&, const blocker&) = default;
};

struct partition_state {
  std::string group, topic;
  std::int32_t partition = 0;
  std::int64_t committed = 0;
  std::optional<std::int64_t> start, end; ///< of the log, as far as it was told
  std::optional<std::int64_t> oldest_ms;  ///< timestamp of the oldest unfinished event
  std::optional<state::blocker> blocked;
};

struct snapshot {
  std::int64_t at_ms = 0;
  std::string phase; ///< starting, running, stopping, stopped
  std::optional<std::uint64_t> resident_bytes;
  std::optional<double> cpu_seconds;
  std::map<std::string, actor_state> actors;
  std::vector<parked_event> parked; ///< those due first
  std::vector<partition_state> partitions;
  std::map<std::string, std::uint64_t> dead_letters; ///< acknowledged so far, by topic
};

} // namespace troupe::state

#pragma once

#include "engine/core/record.hpp"
#include "engine/core/result.hpp"
#include "engine/core/time.hpp"
#include "engine/kafka/connection.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

namespace troupe::kafka {

struct delivery {
  std::int32_t partition = -1;
  std::int64_t offset = -1;
};

struct producer_config {
  kafka::connection connection;
  bool acks_all = true;         ///< with idempotence; false: acks=1, without it
  milliseconds timeout{10'000}; ///< message.timeout.ms: how long the library tries
  std::string client_id = "troupe";
  bool one_per_batch = false; ///< for what must not share the fate of its neighbours; slow
  std::function<void(error, bool fatal)> trouble;                             ///< may be empty
  std::function<void(int level, std::string facility, std::string text)> log; ///< may be empty
};

/// The shared producer: thread-safe, batched; keys go to the partition that Java's murmur2 gives them.
/// A fatal error of the idempotent producer replaces the client underneath; what was under way is reported
/// as errc::timeout (outcome unknown).
class producer {
public:
  using report = std::function<void(result<delivery>)>;
  using reports = std::function<void(std::size_t which, result<delivery>)>;

  static result<std::shared_ptr<producer>> open(producer_config config);
  /// Undelivered events are reported as errc::timeout; use flush first.
  ~producer();

  /// `done` is called once, on the producer's thread, or on this one where the event is not even taken; it
  /// must not block. Errors: too_large (for good), timeout (unknown), unavailable (a full local queue among
  /// them: try again), refused (authorisation, topic missing).
  void produce(const outgoing& event, report done);
  /// Several, for the cost of their bytes: `each` is called once for each of them, in any order, and from
  /// both threads at a time where some are not taken.
  void produce(std::span<const outgoing> events, reports each);

  /// Waits until everything is reported, at most this long. True if nothing is left.
  bool flush(milliseconds deadline);
  /// Events handed over and not reported yet.
  [[nodiscard]] std::size_t pending() const;

private:
  struct impl;
  explicit producer(std::shared_ptr<impl>);
  std::shared_ptr<impl> impl_;
};

/// Java's key hash, for tests and for those who choose a partition by hand.
std::int32_t murmur2_partition(std::string_view key, std::int32_t partitions);

} // namespace troupe::kafka

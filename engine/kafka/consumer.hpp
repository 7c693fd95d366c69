#pragma once

#include "engine/core/record.hpp"
#include "engine/core/result.hpp"
#include "engine/core/time.hpp"
#include "engine/kafka/connection.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct rd_kafka_consumer_group_metadata_s;
struct rd_kafka_message_s;
struct rd_kafka_queue_s;

namespace troupe::kafka {

/// A consumed message as librdkafka holds it: no copy. It pins the fetch response it came in, so whoever
/// keeps an event for longer than a batch takes a copy with to_record.
class message {
public:
  explicit message(rd_kafka_message_s* raw) noexcept : raw_{raw} {}
  message(message&& other) noexcept : raw_{other.raw_} { other.raw_ = nullptr; }
  message& operator=(message&& other) noexcept;
  message(const message&) = delete;
  message& operator=(const message&) = delete;
  ~message();

  /// False for what librdkafka reports about the partition in place of an event.
  [[nodiscard]] bool is_event() const noexcept;
  /// For what is no event: errc::conflict says that the position lies outside of the log (retention, a
  /// recreated topic); anything else is told and passes by itself.
  [[nodiscard]] error failure() const;

  [[nodiscard]] std::string topic() const;
  [[nodiscard]] std::int32_t partition() const noexcept;
  [[nodiscard]] std::int64_t offset() const noexcept;
  [[nodiscard]] std::int64_t timestamp_ms() const noexcept; ///< -1 where there is none
  [[nodiscard]] timestamp_type time_type() const noexcept;
  [[nodiscard]] bool has_value() const noexcept;
  [[nodiscard]] std::string_view value() const noexcept;
  /// Identity of the topic within its consumer: equal pointers, equal topics. For grouping without strings.
  [[nodiscard]] const void* topic_handle() const noexcept;

  /// Copies everything, headers included.
  [[nodiscard]] record to_record(std::shared_ptr<const std::string> topic) const;
  /// Bytes of key and value.
  [[nodiscard]] std::size_t bytes() const noexcept;
  /// Whoever called keeps the message.
  void let_go() noexcept { raw_ = nullptr; }

private:
  rd_kafka_message_s* raw_;
};

/// What a group has committed for a partition that was just assigned.
struct committed {
  topic_partition where;
  std::optional<std::int64_t> offset; ///< none: this group never committed here
  std::string metadata;
};

/// Where to start reading.
struct position {
  topic_partition where;
  std::int64_t offset = 0;
};

struct commit_request {
  topic_partition where;
  std::int64_t offset = 0; ///< the next offset to read
  std::string metadata;
};

struct commit_report {
  topic_partition where;
  std::int64_t offset = 0;
  std::optional<error> failure;
  double seconds = 0; ///< until the answer
};

/// Which member of which generation speaks for its partitions. The broker holds the offsets of a transaction
/// against it, so that a member of a past generation commits nothing.
using membership = std::shared_ptr<const rd_kafka_consumer_group_metadata_s>;

/// First offset that still exists, and the one the next event will get.
struct watermarks {
  std::int64_t low = 0;
  std::int64_t high = 0;
};

/// Called on the consumer's own thread, never two at a time. They must not block.
struct consumer_events {
  /// A new assignment (all partitions; eager protocol) with what the group committed. Answer with assign().
  std::function<void(std::vector<committed>)> assigned;
  /// The assignment ends. Finish, commit, let go of the queues, and answer with release(). With `lost` it has
  /// ended already, and commits would be refused.
  std::function<void(bool lost)> revoked;
  std::function<void(std::vector<commit_report>)> commits;
  /// Connection trouble, missing topics, authorisation. A fatal one needs a new consumer; with errc::conflict
  /// that would be no use, since another process has the static seat.
  std::function<void(error, bool fatal)> trouble;
  /// librdkafka's own log lines: syslog level (3 error … 7 debug), facility, text.
  std::function<void(int level, std::string facility, std::string text)> log;
};

struct consumer_config {
  kafka::connection connection;
  std::string group;
  std::vector<std::string> topics;                   ///< or patterns that start with ^
  std::size_t prefetch_bytes = std::size_t{8} << 20; ///< per queue read: queued.max.messages.kbytes
  std::size_t prefetch_messages = 1'000'000;         ///< the same of their number: queued.min.messages
  std::string client_id = "troupe";
  std::string static_id = {}; ///< group.instance.id; empty: an ordinary member, whose seat goes with it
};

/// A queue of fetched messages: one partition's own, or several partitions' together. Unread means unfetched
/// once a prefetch budget is full: no pause, no seek. Must be gone before the consumer is closed, since
/// messages lying in it hold their partitions and the close would wait for good.
class message_queue {
public:
  message_queue() noexcept; ///< reads nothing
  message_queue(message_queue&&) noexcept;
  message_queue& operator=(message_queue&&) noexcept;
  ~message_queue();

  /// Appends up to `max` messages without waiting; returns how many. Fewer than `max` means it was seen
  /// empty: the next message calls the wake function.
  std::size_t read(std::vector<message>& into, std::size_t max);
  /// Hands over all that lies there, without waiting; each message lives for its call only. That is at most
  /// the prefetch budget and one more answer of each leader, and takes librdkafka's locks once, not for every
  /// message. The next message calls the wake function. Returns the bytes of keys and values.
  std::size_t read_all(const std::function<void(const message&)>& each);
  explicit operator bool() const noexcept { return state_ != nullptr; }

private:
  friend class consumer;
  struct state;
  std::unique_ptr<state> state_;
};

/// One member of a consumer group, over librdkafka, with a thread that keeps its main queue polled, so that
/// no handler and no slow reader ever costs the membership. All calls are thread-safe and do not wait for the
/// network but where it says so.
class consumer {
public:
  /// Checks the properties, starts the client, subscribes. errc::bad_config with librdkafka's message.
  static result<std::shared_ptr<consumer>> open(consumer_config config, consumer_events events);
  ~consumer(); ///< closes without waiting for the group when close() was not called

  /// Opens one partition's own queue. Take it before assign(), so that nothing lands in the main queue.
  /// `wake` is called from librdkafka's threads when the queue stops being empty; it must be quick and must
  /// not call back in here.
  message_queue queue_of(const topic_partition& where, std::function<void()> wake);
  /// One queue that all of these partitions forward to.
  message_queue joint_queue(std::span<const topic_partition> where, std::function<void()> wake);

  /// Starts reading at these positions: the answer to `assigned`; later, a fresh assignment of the same
  /// partitions (to rewind). An empty list reads nothing but stays a member.
  void assign(std::vector<position> positions);
  /// The answer to `revoked`.
  void release();

  /// Asynchronous; each request is answered in `commits`, also when it fails.
  void commit(std::vector<commit_request> requests);

  /// As it is now: errc::conflict once the assignment is lost. Waits for the client's own thread, not for the
  /// network.
  result<membership> current_membership();

  /// Asks the group coordinator again, as when an assignment begins: waits for the network, up to `timeout`.
  result<std::vector<committed>> read_committed(std::vector<topic_partition> where, milliseconds timeout);
  /// Waits for the network, up to `timeout`.
  result<watermarks> query_watermarks(const topic_partition& where, milliseconds timeout);
  /// What the last fetch told of the end of the log, without asking; nullopt where nothing was fetched.
  std::optional<watermarks> cached_watermarks(const topic_partition& where);

  /// Leaves the group and ends the client, in the background: `done` is called from another thread when it
  /// is finished, at the latest after `deadline` (the client is then abandoned, false). A `revoked` that
  /// comes while closing is answered by itself. All queues must be gone.
  void close(milliseconds deadline, std::function<void(bool clean)> done);

private:
  struct impl;
  explicit consumer(std::shared_ptr<impl>);
  std::shared_ptr<impl> impl_;
};

} // namespace troupe::kafka

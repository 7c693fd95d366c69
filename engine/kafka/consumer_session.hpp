#pragma once

#include "engine/kafka/consumer.hpp"
#include "engine/kafka/handles.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <unordered_map>
#include <vector>

namespace troupe::kafka {

/// What a message_queue reads: one partition's queue, or a joint queue that several forward to.
struct queue_slot {
  std::function<void()> wake;
  std::vector<topic_partition> partitions;
  std::vector<queue_ptr> sources; ///< the partitions' own queues, in their order
  queue_ptr joint;                ///< null when it reads one partition's own queue
  /// The assignment from which on it may be read. Until that one has taken effect, librdkafka still holds
  /// messages of the positions before.
  std::atomic<std::uint64_t> opens_with{0};
  std::vector<rd_kafka_message_t*> scratch;
  bool was_full = false; ///< its budget was used up, so fetching for it has stopped

  [[nodiscard]] rd_kafka_queue_t* reads() const { return joint ? joint.get() : sources.front().get(); }
};

/// A group member: the client, its thread, and what the two share. Outlives the consumer object while it
/// closes in the background.
class consumer_session : public std::enable_shared_from_this<consumer_session> {
public:
  consumer_session(consumer_config config, consumer_events events)
      : config_{std::move(config)}, events_{std::move(events)} {}
  consumer_session(const consumer_session&) = delete;
  consumer_session& operator=(const consumer_session&) = delete;
  ~consumer_session();

  result<void> start();

  std::unique_ptr<queue_slot> open_queue(std::span<const topic_partition> where, bool joint,
                                         std::function<void()> wake);
  void close_queue(std::unique_ptr<queue_slot> slot);
  std::size_t read(queue_slot& slot, std::vector<message>& into, std::size_t max);
  std::size_t read_all(queue_slot& slot, const std::function<void(const message&)>& each);

  void assign(std::vector<position> positions);
  void release();
  void commit(std::vector<commit_request> requests);
  result<membership> current_membership();
  result<std::vector<committed>> read_committed(const std::vector<topic_partition>& where,
                                                milliseconds timeout);
  result<watermarks> query_watermarks(const topic_partition& where, milliseconds timeout);
  std::optional<watermarks> cached_watermarks(const topic_partition& where);

  void close(milliseconds deadline, std::function<void(bool)> done);
  /// No event is called any more once this returns (but for one that is calling this).
  void mute();

private:
  using clock = std::chrono::steady_clock;
  using command = std::function<void()>;
  enum class phase { outside, asking, assigned, revoking };

  /// Keeps the client alive for a call from another thread; false when it is closing.
  class visit;

  // On the session's own thread.
  void run();
  void run_commands();
  void poll(milliseconds wait);
  void on_rebalance(rd_kafka_event_t* event);
  void on_assigned(const rd_kafka_topic_partition_list_t* partitions);
  void on_revoked();
  void ask_committed(std::vector<topic_partition> where, std::uint64_t ask);
  void apply(std::uint64_t number, const std::vector<position>& positions);
  void leave_partitions();
  void resume_fetching(const std::vector<topic_partition>& where);
  void send_commit(std::vector<commit_request> requests);
  void on_commit(rd_kafka_event_t* event);
  void on_error(rd_kafka_event_t* event);
  void finish(clock::time_point deadline);
  bool settle_visitors(clock::time_point deadline);
  void refuse_commits(std::vector<commit_request> requests, const std::string& why);
  void refuse_outstanding();

  void watch_level(queue_slot& slot, std::size_t got);
  void wake_fetching(const queue_slot& slot);
  bool post(command what); // false when the thread takes no more
  void nudge();            // with mutex_ held
  void tell_trouble(error what, bool fatal);
  template <class F>
  void tell(F&& call) {
    const std::lock_guard lock{telling_};
    if (!muted_) call();
  }

  const consumer_config config_;
  consumer_events events_;
  std::recursive_mutex telling_; // recursive: an event may end the consumer
  bool muted_ = false;

  rd_kafka_t* client_ = nullptr; // ended by finish(), or left alone when it would never return
  queue_ptr main_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<command> commands_;
  std::vector<queue_slot*> slots_;
  std::unordered_map<topic_partition, queue_slot*> owners_;
  std::size_t visitors_ = 0;
  std::uint64_t asked_ = 0; // assignments asked for
  bool closing_ = false;    // no new calls
  bool ended_ = false;      // the thread takes no more commands
  bool finished_ = false;
  bool clean_ = false;
  clock::time_point close_by_{};

  std::atomic<std::uint64_t> applied_{0}; // assignments in effect
  std::atomic<bool> resuming_{false};
  std::size_t prefetch_bytes_ = 0, prefetch_messages_ = 0; // as the users' own settings have them
  bool stops_when_full_ = false; // for a second, whatever is read meanwhile: librdkafka before 2.2

  // Of the session's own thread alone.
  phase phase_ = phase::outside;
  bool fetching_ = false;
  std::set<topic_partition> group_share_;
  std::atomic<std::uint64_t> ask_{0};
  std::uint64_t next_commit_ = 0;
  struct sent_commit {
    clock::time_point since;
    std::vector<commit_request> requests;
  };
  std::unordered_map<std::uint64_t, sent_commit> outstanding_;
};

} // namespace troupe::kafka

#pragma once

#include "actors/messages.hpp"
#include "actors/services.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>

namespace troupe::actors {

/// What a reader is born with.
struct reader_seat {
  services* shared = nullptr;
  caf::actor supervisor;
  std::uint32_t generation = 0;
  flow::partition_index which = 0;
  topic_partition where;
  std::int64_t start = 0;
  std::vector<flow::offset_run> recorded; ///< finished beyond `start`, from the commit's metadata
  flow::window_limits limits;
  flow::recording recording = flow::recording::runs;
  std::string group;
};

/// Owns one assigned partition's queue, ledger and window. It reads while the pool wants more and the window
/// is open; otherwise the queue stays unread, and librdkafka stops fetching.
struct partition_reader_state {
  static inline const char* name = "partition_reader";
  explicit partition_reader_state(caf::event_based_actor* ptr) : self{ptr} {}
  caf::behavior make_behavior(reader_seat s);

  void read();
  void commit(bool last);

  caf::event_based_actor* self;
  reader_seat seat;
  std::shared_ptr<kafka::message_queue> queue; ///< none yet at birth
  std::optional<flow::offset_ledger> ledger;
  std::shared_ptr<const std::string> topic;
  std::vector<kafka::message> batch; ///< read, and from `next` on not admitted yet
  std::size_t next = 0;
  std::vector<std::int64_t> times; ///< of the unfinished events, by slot
  std::int64_t newest_ms = -1;     ///< of the last event read
  bool wanted = true;              ///< the pool has room
  bool unread = false;             ///< the queue may hold more than was read
  bool stopped = false;            ///< a last commit was asked for
  bool due_again = false;          ///< a commit was due while one was under way
  bool last_pending = false;
  metrics::counter* consumed = nullptr;
  metrics::counter* skipped = nullptr;
  metrics::counter* full = nullptr;
};
caf::behavior partition_reader(caf::stateful_actor<partition_reader_state>* self, reader_seat seat);

} // namespace troupe::actors

#pragma once

#include "engine/aggregate/count_store.hpp"
#include "engine/config/model.hpp"
#include "engine/flow/behind_clock.hpp"
#include "engine/flow/dispatcher.hpp"
#include "engine/flow/offset_ledger.hpp"
#include "engine/handler/handler.hpp"
#include "engine/http/server.hpp"
#include "engine/journal/crash_book.hpp"
#include "engine/kafka/consumer.hpp"
#include "engine/kafka/transactions.hpp"
#include "engine/state/control.hpp"
#include "engine/state/snapshot.hpp"

#include <caf/actor.hpp>
#include <caf/allowed_unsafe_message_type.hpp>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

/// Every message that actors send each other, by who sends it to whom. They never leave the process, so they
/// may hold pointers. `generation` counts the assignments of one supervisor: what belongs to a past one is
/// dropped by whoever gets it.
namespace troupe::actors {

// conductor → everybody under it
struct stop_order {}; ///< drain, commit, leave, quit
struct new_publisher {
  caf::actor publisher;
}; ///< the present one; pending requests go to it again
struct reload_order {
  config::actor next;
}; ///< live changes of one actor

// supervisors → conductor
struct joined {
  std::string actor;
}; ///< the group let it in
struct gave_up {
  std::string actor, why;
  int exit_code;
}; ///< cannot run; the process must end with this code

// main → conductor
struct stop_process {
  int exit_code;
};
struct reload_process {
  std::shared_ptr<const config::settings> next;
};
struct who_is_there {}; ///< answered with `roster`
struct roster {
  std::vector<std::pair<std::string, caf::actor>> members;
}; ///< kind, actor

// conductor → telemetry
struct cast_known {
  struct role {
    std::string name, kind, group;
  };
  std::vector<role> roles;
}; ///< what this process runs
// telemetry → conductor → supervisors with a pool
struct report_wanted {
  caf::actor to;
}; ///< answered with `pool_report`, when there is time
struct pool_report {
  std::string actor;
  state::pool_state pool;
  std::vector<state::parked_event> parked;
  std::map<topic_partition, state::blocker> blocked;
};
/// What an operator wants is on the board already; `order` is empty where nobody waits for an answer.
struct pool_order {
  std::string order, actor;
  bool reset = false; ///< close the breaker and release the flood brake, too
  caf::actor reply_to;
};
struct order_obeyed {
  std::string order;
  state::answer answer;
};
// Redis client's thread → telemetry
struct mail_arrived {
  std::shared_ptr<const state::inbox::mail> mail;
};
// telemetry → conductor
struct farewell_said {};

// the consumer's thread → supervisor
struct group_assigned {
  std::vector<kafka::committed> partitions;
};
struct group_revoked {
  bool lost;
};
struct commits_ended {
  std::vector<kafka::commit_report> reports;
};
struct consumer_trouble {
  error what;
  bool fatal;
};
struct consumer_closed {
  bool clean;
};

// chores → supervisor
struct consumer_opened {
  std::shared_ptr<kafka::consumer> consumer;
  std::optional<error> failure;
};
struct positions_found {
  std::uint32_t generation;
  std::vector<kafka::committed> committed; ///< offset is set for each
  std::vector<bool> fresh;                 ///< the group had no commit there
  std::string ledger;                      ///< of aggregates: the ledger the counts belong to
  std::vector<std::int64_t> origins;       ///< of aggregates: where counting began, per partition
  std::vector<std::int64_t> read_from;     ///< of aggregates: beyond the position where the log lost events
  std::optional<error> failure;
  int exit_code = 0; ///< with a failure: no use in trying again
  std::map<journal::call_place, journal::crash_history> crashed = {}; ///< of the group: killed a process
};

// supervisor ⇄ partition_reader
struct queue_ready {
  std::shared_ptr<kafka::message_queue> queue;
};
struct queue_woke {}; ///< from librdkafka: the queue stopped being empty
struct offered {
  std::uint32_t generation;
  flow::partition_index which;
  std::vector<flow::admitted> events;
};
struct more_wanted {}; ///< the pool has room
struct settled {
  std::vector<flow::offset_ledger::slot> slots;
  std::vector<std::size_t> held_bytes; ///< with exactly_once, of each slot: what waits for its transaction
};
struct commit_due {
  bool last;
}; ///< answered with commit_wanted; `last`: read no more
struct commit_wanted {
  std::uint32_t generation;
  flow::partition_index which;
  bool last;
  std::optional<flow::offset_ledger::snapshot> commit; ///< none: nothing to commit
  flow::behind_clock::mark behind = {};
};
struct commit_done {
  bool acknowledged;
  bool too_large = false; ///< refused for the size of its metadata
};
struct position_lost {
  std::uint32_t generation;
  topic_partition where;
  std::string why;
};

// supervisor ⇄ worker
/// One handler call. Shared by the supervisor, the worker and whatever carries the call out.
struct call {
  call(std::shared_ptr<const surroundings> around, unsigned attempt, steady_time deadline,
       troupe::publisher* out)
      : context{std::move(around), attempt, deadline, out} {}

  std::size_t slot = 0;
  flow::task_id task = 0;
  record_ptr event;
  troupe::context context;
  bool alone = false;             ///< suspected of having killed the process
  std::shared_ptr<void> solitude; ///< held while it runs alone; the supervisor's
  std::atomic<bool> begun{false}; ///< set by the worker: from here on its answer comes, whoever dies
  outcome result;                 ///< set before it is put among the ended ones
};
struct begin_call {
  std::shared_ptr<call> what;
};
struct calls_ended {};     ///< from whatever carried a call out: the ended_calls were empty, and are not now
struct simulations_due {}; ///< from a worker, or itself, after the latency of the first of simulated_calls

// supervisor ⇄ dead_letter_writer
struct bury {
  flow::task_id id;
  outgoing letter;
  std::string error_class;
};
struct forget_letters {}; ///< the partitions are no longer ours: whoever has them now writes what is missing
struct buried {
  flow::task_id id;
};
struct bury_again {
  flow::task_id id;
}; ///< the writer to itself
struct bury_answer {
  flow::task_id id;
  std::optional<error> failure;
};

// the thread of its transactions → supervisor
struct transaction_ended {
  kafka::transaction_outcome outcome;
};

// anybody ⇄ publisher
struct publish_request {
  std::uint64_t token;
  std::shared_ptr<const std::vector<outgoing>> events; ///< one at least
  config::acks acks;
  milliseconds timeout;
  caf::actor reply_to;
};
struct published {
  std::uint64_t token;
  std::optional<error> failure;
};
/// Calls back exactly once, whatever becomes of the request: at the latest when the last copy is gone.
class report_once {
public:
  explicit report_once(troupe::publisher::report done) : done_{std::move(done)} {}
  ~report_once() {
    answer(error{errc::timeout,
                 "the publisher ended before the broker answered: whether the event was written is unknown"});
  }
  report_once(const report_once&) = delete;
  report_once& operator=(const report_once&) = delete;
  void answer(result<void> r) {
    if (!answered_.exchange(true)) done_(std::move(r));
  }

private:
  troupe::publisher::report done_;
  std::atomic<bool> answered_{false};
};
struct user_publish {
  outgoing event;
  milliseconds deadline;
  std::shared_ptr<report_once> report;
};
struct user_deadline {
  std::shared_ptr<report_once> report;
};
struct flush_producers {
  milliseconds deadline;
  caf::actor reply_to;
};
struct producers_flushed {
  bool all;
};

// HTTP server → ingest; its handler → ingest
struct asked;
struct ingest_request {
  std::shared_ptr<asked> what;
};
struct request_handled {
  std::shared_ptr<asked> what;
  outcome result;
};
/// Of a request with an Idempotency-Key: what was answered before, and what is to be answered now.
struct answer_looked_up {
  std::shared_ptr<asked> what;
  result<std::optional<http::response>> answer;
};
struct request_done {
  std::shared_ptr<asked> what;
  http::response answer;
};

// supervisor ⇄ aggregator
/// Events of one partition, one behind the other in its log; copies, so that what was fetched is free again.
struct event_block {
  json::texts events;
  std::vector<std::int64_t> timestamps_ms; ///< of the events, where records' times count
  std::uint64_t tombstones = 0;            ///< null values: nothing to count, and no JSON either
  std::int64_t next = 0;                   ///< the offset after the last
  std::int64_t newest_ms = -1;             ///< the last one's timestamp
};
struct count_batch {
  std::shared_ptr<event_block> block;
};
struct batch_counted {
  std::uint32_t generation;
  std::shared_ptr<event_block> block; ///< to be filled again
};
struct counts_flushed {
  std::uint32_t generation;
  std::size_t which;
  std::int64_t position;
  std::int64_t newest_ms; ///< timestamp of the last event counted
};
/// Whether the aggregator can take more: not while Redis does not answer and its counts are full.
struct counting_blocked {
  std::uint32_t generation;
  std::size_t which;
  bool blocked;
};
struct recount_needed {
  std::uint32_t generation;
  std::size_t which;
  std::string why;
};
struct flush_settings {
  milliseconds every;
  unsigned max_keys;
};
struct flush_ended {
  std::uint64_t serial;
  result<aggregate::flush_answer> answer;
};
struct flush_now {
  bool last;
}; ///< `last`: answered with last_flush_done
struct last_flush_done {
  std::uint32_t generation;
  std::size_t which;
};

// actors to themselves
struct tick {};
struct end_of_turn {};
struct commit_tick {};
struct deadline_tick {};
struct flush_tick {};
struct look_tick {};
struct drain_bound {
  std::uint64_t serial;
};
struct try_again {};

} // namespace troupe::actors

#define TROUPE_MESSAGE(name) CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::actors::name)
TROUPE_MESSAGE(stop_order)
TROUPE_MESSAGE(new_publisher)
TROUPE_MESSAGE(reload_order)
TROUPE_MESSAGE(joined)
TROUPE_MESSAGE(gave_up)
TROUPE_MESSAGE(stop_process)
TROUPE_MESSAGE(reload_process)
TROUPE_MESSAGE(who_is_there)
TROUPE_MESSAGE(roster)
TROUPE_MESSAGE(cast_known)
TROUPE_MESSAGE(report_wanted)
TROUPE_MESSAGE(pool_report)
TROUPE_MESSAGE(pool_order)
TROUPE_MESSAGE(order_obeyed)
TROUPE_MESSAGE(mail_arrived)
TROUPE_MESSAGE(farewell_said)
TROUPE_MESSAGE(group_assigned)
TROUPE_MESSAGE(group_revoked)
TROUPE_MESSAGE(commits_ended)
TROUPE_MESSAGE(consumer_trouble)
TROUPE_MESSAGE(consumer_closed)
TROUPE_MESSAGE(consumer_opened)
TROUPE_MESSAGE(positions_found)
TROUPE_MESSAGE(queue_ready)
TROUPE_MESSAGE(queue_woke)
TROUPE_MESSAGE(offered)
TROUPE_MESSAGE(more_wanted)
TROUPE_MESSAGE(settled)
TROUPE_MESSAGE(commit_due)
TROUPE_MESSAGE(commit_wanted)
TROUPE_MESSAGE(commit_done)
TROUPE_MESSAGE(position_lost)
TROUPE_MESSAGE(begin_call)
TROUPE_MESSAGE(calls_ended)
TROUPE_MESSAGE(simulations_due)
TROUPE_MESSAGE(bury)
TROUPE_MESSAGE(forget_letters)
TROUPE_MESSAGE(ingest_request)
TROUPE_MESSAGE(request_handled)
TROUPE_MESSAGE(answer_looked_up)
TROUPE_MESSAGE(request_done)
TROUPE_MESSAGE(buried)
TROUPE_MESSAGE(bury_again)
TROUPE_MESSAGE(bury_answer)
TROUPE_MESSAGE(transaction_ended)
TROUPE_MESSAGE(publish_request)
TROUPE_MESSAGE(published)
TROUPE_MESSAGE(user_publish)
TROUPE_MESSAGE(user_deadline)
TROUPE_MESSAGE(flush_producers)
TROUPE_MESSAGE(producers_flushed)
TROUPE_MESSAGE(count_batch)
TROUPE_MESSAGE(batch_counted)
TROUPE_MESSAGE(counts_flushed)
TROUPE_MESSAGE(counting_blocked)
TROUPE_MESSAGE(recount_needed)
TROUPE_MESSAGE(flush_settings)
TROUPE_MESSAGE(flush_ended)
TROUPE_MESSAGE(flush_now)
TROUPE_MESSAGE(last_flush_done)
TROUPE_MESSAGE(tick)
TROUPE_MESSAGE(end_of_turn)
TROUPE_MESSAGE(commit_tick)
TROUPE_MESSAGE(deadline_tick)
TROUPE_MESSAGE(flush_tick)
TROUPE_MESSAGE(look_tick)
TROUPE_MESSAGE(drain_bound)
TROUPE_MESSAGE(try_again)
#undef TROUPE_MESSAGE

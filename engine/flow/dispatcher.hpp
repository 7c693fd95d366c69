#pragma once

#include "engine/core/record.hpp"
#include "engine/core/time.hpp"
#include "engine/flow/dead_letter.hpp"
#include "engine/flow/lane_table.hpp"
#include "engine/flow/offset_ledger.hpp"
#include "engine/handler/handler.hpp"
#include "engine/policy/backoff.hpp"
#include "engine/policy/breaker.hpp"
#include "engine/policy/flood_brake.hpp"

#include <cstdint>
#include <deque>
#include <optional>
#include <queue>
#include <random>
#include <string>
#include <variant>
#include <vector>

namespace troupe::flow {

enum class ordering { key, partition, none };

struct dispatch_rules {
  ordering order_by = ordering::key;
  std::size_t mailbox = 1024; ///< runnable events that wait for a worker
  policy::retry_rules retry;
  policy::breaker_rules breaker;
  policy::flood_rules flood;
  unsigned most_crashes = 3; ///< an event that killed the process so often is not called any more
};

/// An event under way in a pool. Stale ones (of a dropped partition) are recognised and ignored.
using task_id = std::uint64_t;
/// One of the pool's partitions, as numbered by whoever feeds it.
using partition_index = std::uint32_t;

/// How often an event's handler killed the process it ran in.
struct crash_record {
  unsigned crashes = 0;
  std::int64_t first_ms = 0, last_ms = 0; ///< wall clock
};

/// An event that a reader admitted.
struct admitted {
  record_ptr event;
  offset_ledger::slot slot = 0;
  crash_record crashed = {};
};

// What the pool must do next; the shell around the dispatcher carries it out.
struct call_handler {
  task_id id;
  record_ptr event;
  unsigned attempt;
  steady_time since;  ///< when it became runnable
  bool alone = false; ///< a suspect, beside which nothing else runs
};
struct publish_events {
  task_id id;
  std::vector<outgoing> events;
  partition_index partition;
  record_ptr event; ///< that they came of
  unsigned attempt;
};
struct write_dead_letter {
  task_id id;
  record_ptr event;
  failure_record why;
  partition_index partition;
};
struct event_done {
  partition_index partition;
  offset_ledger::slot slot;
  record_ptr event;
};
/// An event that has not come to its end, for people who ask what stands still.
struct waiting_event {
  enum class reason { call, worker, retry, publish, dead_letter, brake };
  reason waits_for; ///< call: its own; worker: a free one
  record_ptr event;
  partition_index partition = 0;
  unsigned attempt = 1; ///< of the next or present call
  steady_time since{};  ///< of a retry: when it is due
  bool overdue = false; ///< its call is past the deadline and still blocks
  failure_record why;   ///< of the last failure; empty where there was none
};
struct standstill {
  std::vector<waiting_event> retries; ///< those due first
  std::vector<waiting_event> oldest;  ///< of each partition that has events
};
/// Worth a line in the log or a tick in a metric; nothing to do.
struct notice {
  enum class kind { retry, breaker_opened, breaker_closed, flood };
  kind what;
  record_ptr event;
  std::string text;
  std::string error_class;
};
using action = std::variant<call_handler, publish_events, write_dead_letter, event_done, notice>;

/// The pure core of a worker pool: which event may run now, and what its outcome leads to. Events of one key
/// of one partition (or of the partition, or none: `order_by`) form a lane; only the head of a lane is
/// runnable, in whatever stage it is. An event that has killed the process runs alone, so that it is known
/// when it does so again; after `most_crashes` it is a dead letter without a call. Knows no thread, no clock
/// and no Kafka; driven by calls.
class dispatcher {
public:
  dispatcher(dispatch_rules rules, std::uint64_t seed);

  /// A partition joins with nothing in it.
  void add_partition(partition_index which);
  /// Its events are forgotten; outcomes that still come for them are ignored. The number may be used again.
  void drop_partition(partition_index which, steady_time now);
  /// Admitted events of one partition, in offset order.
  void offer(partition_index which, std::vector<admitted> events, steady_time now);
  /// True when all of its runnable events found a place in the mailbox: its reader may offer more.
  [[nodiscard]] bool wants_more(partition_index which) const;

  /// The next handler call, for a free worker; nullopt: nothing may start now.
  std::optional<call_handler> next(steady_time now);
  /// True if that would be a suspect.
  [[nodiscard]] bool next_is_suspect() const;

  /// A call's outcome. Appends what follows from it.
  void called(task_id id, outcome result, steady_time now, std::int64_t wall, std::vector<action>& out);
  /// Its call is past the deadline and still blocks: no probe to wait for any more, or a hung one would hold
  /// the breaker for good.
  void overdue(task_id id, steady_time now);
  /// Its worker died: the call counts as an attempt, the event runs again.
  void worker_died(task_id id, steady_time now, std::int64_t wall, std::vector<action>& out);
  void published(task_id id, const std::optional<error>& failure, steady_time now, std::int64_t wall,
                 std::vector<action>& out);
  void dead_letter_written(task_id id, steady_time now, std::vector<action>& out);
  /// Its events are held back for a transaction: it is done, and one of the two below tells how it ended.
  void held_back(task_id id, steady_time now, std::vector<action>& out);
  void held_was_published();
  /// What was held is too large for good, and is held as a dead letter instead.
  void held_is_dead(const record_ptr& event, const failure_record& why, steady_time now,
                    std::vector<action>& out);

  /// Moves what is due (retries, repeated publishes, held dead letters). Call at next_due().
  void tick(steady_time now, std::vector<action>& out);
  /// When tick has something to do, or a probe may start.
  [[nodiscard]] std::optional<steady_time> next_due() const;

  /// Starts nothing any more; what runs, publishes or is being dead-lettered comes to its end.
  void drain() { draining_ = true; }
  void resume() { draining_ = false; }
  /// Whether an operator holds it: starts no calls, whatever drains and resumes meanwhile.
  void pause(bool on) { paused_ = on; }
  [[nodiscard]] bool paused() const { return paused_; }
  /// Calls, publishes and dead letters under way.
  [[nodiscard]] std::size_t under_way() const { return running_ + publishing_ + burying_; }
  [[nodiscard]] std::size_t running() const { return running_; }
  [[nodiscard]] std::size_t mailbox() const { return mailbox_; }
  [[nodiscard]] std::size_t parked() const { return parked_; }
  /// Looks at every event: for once a second, not for each.
  [[nodiscard]] standstill look(std::size_t most_retries) const;
  [[nodiscard]] bool breaker_closed() const { return breaker_.closed(); }
  [[nodiscard]] bool known(task_id id) const { return find(id) != nullptr; }
  /// The dead letters under way, for a new dead-letter writer after the old one died.
  [[nodiscard]] std::vector<write_dead_letter> unburied() const;
  /// The publishes under way, for a new publisher.
  [[nodiscard]] std::vector<publish_events> unpublished() const;

  /// Live changes; order_by does not change.
  void change(const dispatch_rules& rules);
  void reset_breaker(std::vector<action>& out);

private:
  enum class stage : std::uint8_t { queued, runnable, ready, running, publishing, parked, held, burying };
  static constexpr std::uint32_t no_task = lane_table::none;
  struct task {
    std::uint32_t serial = 0; ///< upper half of the id, so that a reused place is another task
    bool live = false;
    dispatcher::stage at = stage::queued;
    partition_index partition = 0;
    offset_ledger::slot slot = 0;
    unsigned attempt = 1;     ///< of the next or present call
    unsigned tries = 0;       ///< of the publish
    bool in_mailbox = false;  ///< has a place in the mailbox
    bool publish_due = false; ///< waits to repeat its publish
    bool overdue = false;     ///< its call is past the deadline and may never return
    crash_record crashed;
    steady_time since{}; ///< when it became runnable, last; while parked: when it is due
    lane_table::index home = lane_table::none; ///< none: ordered after nothing
    std::uint32_t behind = no_task;            ///< the next one of its lane
    record_ptr event;
    std::vector<outgoing> events;
    failure_record why;
  };
  struct partition_state {
    bool live = false;
    lane_table lanes;
    std::deque<task_id> runnable; ///< without a place in the mailbox yet
    std::deque<task_id> open;     ///< in offset order; the first one has not ended
    std::size_t tasks = 0;
  };
  struct due_entry {
    steady_time at;
    task_id id;
    bool operator>(const due_entry& other) const { return at > other.at; }
  };

  [[nodiscard]] const task* find(task_id id) const;
  task* find(task_id id);
  [[nodiscard]] task_id id_of(std::uint32_t index) const;
  std::uint32_t new_task();
  void forget(task_id id, task& t);
  [[nodiscard]] lane_table::index lane_of(partition_state& p, const record& event) const;
  [[nodiscard]] bool starts_calls() const { return !draining_ && !paused_; }
  [[nodiscard]] static waiting_event describe(const task& t);
  [[nodiscard]] bool anybody_ready() const { return !first_.empty() || !ready_.empty(); }
  [[nodiscard]] const std::deque<task_id>& line() const;
  void make_runnable(task_id id, task& t, steady_time now, bool first = false);
  void condemn(task_id id, task& t);
  [[nodiscard]] bool must_wait() const;
  void call_over(task_id id, task& t);
  void fill_mailbox();
  void park(task_id id, task& t, steady_time due);
  void retry_or_give_up(task_id id, task& t, const outcome& result, steady_time now,
                        std::vector<action>& out);
  void settle_breaker(task_id id, task& t, bool ok, const outcome& result, steady_time now,
                      std::vector<action>& out);
  void note_failure(task& t, const std::string& reason, const std::string& error_class,
                    std::int64_t wall) const;
  void give_up(task_id id, task& t, steady_time now, std::vector<action>& out);
  bool pull_brake(const record_ptr& event, const failure_record& why, steady_time now,
                  std::vector<action>& out);
  [[nodiscard]] static publish_events to_publish(task_id id, const task& t);
  void bury(task_id id, task& t, std::vector<action>& out);
  void bury_held(steady_time now, std::vector<action>& out);
  void finish(task_id id, task& t, steady_time now, std::vector<action>& out);
  double random();

  dispatch_rules rules_;
  policy::circuit_breaker breaker_;
  policy::flood_brake brake_;
  std::mt19937_64 random_;
  std::vector<task> tasks_;
  std::vector<std::uint32_t> free_;
  std::vector<partition_state> partitions_;
  std::deque<task_id> ready_; ///< the mailbox, and retries that came due
  /// At most one of each partition: the oldest event that has not ended, once the one before it of its key
  /// has. All commits wait for it, and the window does once it is full.
  std::deque<task_id> first_;
  bool overtaken_ = false;              ///< the last call was one of those: now it is the others' turn
  std::deque<partition_index> waiting_; ///< partitions with runnable events beyond the mailbox, in turn
  std::priority_queue<due_entry, std::vector<due_entry>, std::greater<>> due_;
  std::deque<task_id> held_; ///< dead letters that the flood brake holds back
  steady_time next_burial_{};
  std::optional<task_id> probe_;
  std::optional<task_id> alone_; ///< the suspect that runs
  std::size_t overdue_ = 0;      ///< of those that run
  std::size_t mailbox_ = 0, running_ = 0, publishing_ = 0, burying_ = 0, parked_ = 0;
  bool draining_ = false, paused_ = false;
};

} // namespace troupe::flow

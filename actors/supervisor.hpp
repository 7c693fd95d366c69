#pragma once

#include "actors/group.hpp"
#include "actors/messages.hpp"
#include "actors/services.hpp"
#include "actors/transactions.hpp"
#include "actors/worker.hpp"
#include "engine/json/extractor.hpp"
#include "engine/policy/restart_budget.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>

#include <set>

namespace troupe::actors {

/// One configured actor with a handler: the pool, the retry schedule, the breaker and the seat in the
/// consumer group. What to do is decided by flow::dispatcher; this shell carries it out and keeps everybody
/// alive.
///
/// An assignment goes through: assigned → positions found → readers spawned → running → draining (revoked,
/// stop, or restart because a reader died or a position was lost) → last commits → readers gone → released.
struct supervisor_state {
  static inline const char* name = "supervisor";
  explicit supervisor_state(caf::event_based_actor* ptr) : self{ptr} {}
  caf::behavior make_behavior(services* shared, config::actor what, caf::actor conductor,
                              caf::actor publisher);

  // Why an assignment ends; the higher wins when two come together.
  enum class drain_for { none, restart, revoke, stop };
  enum class step { running, draining, committing, leaving };

  struct member { ///< one assigned partition
    topic_partition where;
    caf::actor reader;             ///< none: it died
    actors::settled settled;       ///< not handed to the reader yet
    std::size_t settled_bytes = 0; ///< of those events
    bool owed = false;             ///< its reader waits for more_wanted
    bool last_out = false;         ///< its last commit waits for an answer
    bool owes_last = false;        ///< its last commit was asked for
    flow::behind_clock::mark behind;
    bool dirty = false;                     ///< has something to commit
    std::optional<std::int64_t> committing; ///< what the reader's commit under way says
    bool first_commit = false; ///< the next report is of the group's first commit, not of the reader's
  };
  struct slot {
    caf::actor worker;
    std::shared_ptr<call> calling;
    steady_time since{};
    bool hung = false;     ///< past its deadline, on a blocked thread
    bool orphaned = false; ///< its worker died while the call went on
    bool vacant = false;   ///< retired by a resize, may be used again
  };

  // membership (supervisor.cpp)
  void open();
  void on_assigned(const group_assigned& m);
  void on_positions(const positions_found& m);
  void find_again(bool first);
  void begin_drain(drain_for purpose);
  void check_drained();
  void take_last_commits();
  void leave_partitions();
  void on_readers_gone();
  void on_down(const caf::down_msg& m);
  void on_trouble(const consumer_trouble& m);
  void quit_now();

  // commits (supervisor_commits.cpp)
  void ask_last_commit(member& of);
  void on_commit_wanted(commit_wanted& m);
  void on_commits_ended(const commits_ended& m);
  void on_transaction_ended(const transaction_ended& m);
  void send_commits();
  void note_outcomes(const transactions::settlement& of);
  void arm_commit();
  void on_commit_tick();

  // the pool (supervisor_pool.cpp)
  [[nodiscard]] flow::dispatch_rules rules() const;
  void set_up_pool();
  void spawn_writer();
  void add_slot();
  void retire(std::size_t index);
  void release(std::size_t index);
  void resize(unsigned workers);
  void reload(const config::actor& next);
  void after();
  void note_settled(const flow::event_done& what);
  void hand_over_settled(member& of);
  void end_turn();
  void arm_tick();
  [[nodiscard]] std::size_t busy_slots() const { return calling - hung; }
  [[nodiscard]] std::size_t occupied_slots() const { return slots.size() - vacant; }
  [[nodiscard]] std::size_t slots_in_use() const { return occupied_slots() - hung; }

  // its calls (supervisor_calls.cpp)
  void pump();
  void start(const flow::call_handler& next, std::size_t index, std::shared_ptr<void> solitude,
             steady_time now);
  void arm_deadline(steady_time due, steady_time now);
  void on_calls_ended();
  void on_simulations_due();
  void end_call(const std::shared_ptr<call>& which, outcome result, steady_time now, std::int64_t wall);
  void on_worker_down(std::size_t index);
  void on_deadlines();
  void overrun(const std::shared_ptr<call>& late, steady_time now);
  [[nodiscard]] journal::call_place place_of(const record& event) const;
  void mark_crashed(const topic_partition& where, std::vector<flow::admitted>& events) const;
  void forget_crashes(const topic_partition& where, std::int64_t committed);

  // what follows from them (supervisor_outputs.cpp)
  void perform(std::vector<flow::action>& actions);
  std::optional<error> address(std::vector<outgoing>& events);
  void hold(const flow::publish_events& what);
  void hold(const flow::write_dead_letter& what);
  void ask_publish(const flow::publish_events& what);
  void ask_bury(const flow::write_dead_letter& what);
  void tell_dead(const record& event, const flow::failure_record& why);
  void tell(const flow::notice& what);

  // what operators see and want (supervisor_control.cpp)
  void obey_desired();
  [[nodiscard]] state::answer obey(const pool_order& what);
  [[nodiscard]] pool_report report() const;
  [[nodiscard]] std::string pool_in_words() const;

  caf::event_based_actor* self;
  services* shared = nullptr;
  config::actor actor;
  config::worker_actor spec;
  std::shared_ptr<const surroundings> around;
  group_seat seat;
  caf::actor conductor, publisher, writer;
  std::optional<json::extractor> publish_key; ///< where the key of what is published lies

  std::shared_ptr<kafka::consumer> consumer;
  steady_time born{};
  std::uint32_t generation = 0;
  std::vector<kafka::committed> assignment;
  std::map<topic_partition, std::int64_t> first_positions; ///< where a group without commits began
  std::set<topic_partition> suspects;                      ///< the broker refused their position
  struct crashed_event {
    journal::crash_history history;
    bool done = false; ///< and forgotten when that is committed
  };
  std::map<journal::call_place, crashed_event> crashed; ///< events that killed a process, of this assignment
  std::vector<member> members;
  step at = step::leaving;
  drain_for purpose = drain_for::none;
  std::uint64_t drain_serial = 0;
  std::size_t last_awaited = 0;    ///< readers that still owe their last commit
  std::size_t commits_awaited = 0; ///< last commits that Kafka still owes an answer
  std::size_t readers_alive = 0;
  bool was_lost = false, told_joined = false, abandoned = false, stopping = false;
  bool only_writes_left = false; ///< of a drain: no call runs any more
  std::vector<kafka::commit_request> commits;
  std::unique_ptr<transactions> exactly_once; ///< none: with at_least_once
  bool uncertain = false; ///< whether the last transaction committed: only the group's offsets can tell

  std::optional<flow::dispatcher> pool;
  std::shared_ptr<call_route> route;
  std::shared_ptr<executor> threads;
  std::vector<slot> slots;
  std::vector<std::size_t> idle;
  std::size_t calling = 0, hung = 0, vacant = 0; ///< slots, of each kind
  std::vector<std::shared_ptr<call>> burst;      ///< of calls that ended; empty between messages
  policy::restart_budget budget{100, milliseconds{60'000}};
  std::vector<flow::action> actions;
  bool turn_scheduled = false, commit_armed = false, solitude_awaited = false;
  std::optional<steady_time> tick_armed, deadline_armed;

  struct counters {
    metrics::counter *ok, *retry, *dead, *rebalances, *commits_ok, *commits_failed;
    metrics::gauge *busy, *free, *mailbox, *capacity, *breaker_open, *paused, *hung;
    metrics::histogram *duration, *age, *waited;
  } count{};
};
caf::behavior supervisor(caf::stateful_actor<supervisor_state>* self, services* shared, config::actor what,
                         caf::actor conductor, caf::actor publisher);

} // namespace troupe::actors

#pragma once

#include "actors/aggregator.hpp"
#include "actors/group.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>

#include <map>
#include <set>

namespace troupe::actors {

/// One configured actor with `aggregate`: the seat in the consumer group, one queue that all its partitions
/// share, read in large batches, and an aggregator for each partition. Redis owns the positions; Kafka's
/// commits only show the lag and remember which ledger the counts belong to, so that a Redis that lost
/// everything is told from a new one.
struct aggregate_supervisor_state {
  static inline const char* name = "supervisor";
  explicit aggregate_supervisor_state(caf::event_based_actor* ptr) : self{ptr} {}
  caf::behavior make_behavior(services* shared, config::actor what, caf::actor conductor);

  enum class drain_for { none, restart, revoke, stop };
  enum class step { running, flushing, leaving };

  struct member {
    topic_partition where;
    caf::actor aggregator;
    std::int64_t origin = 0;            ///< where counting began, for a rebuild
    std::int64_t next = 0;              ///< where to read on
    std::shared_ptr<event_block> block; ///< being filled
    bool blocked = false;
    bool last_done = false;
  };

  void find();
  void on_positions(const positions_found& m);
  void read();
  void take(const kafka::message& m);
  member* member_of(const kafka::message& m);
  void not_an_event(const kafka::message& m, const member& of);
  void hand_over(member& to);
  std::shared_ptr<event_block> empty_block();
  void commit(std::size_t which, std::int64_t position);
  void drain(drain_for why);
  void check_flushed();
  void leave();
  void on_gone();
  void on_down(const caf::down_msg& m);
  void quit_with(std::string why, int exit_code);

  caf::event_based_actor* self;
  services* shared = nullptr;
  config::actor actor;
  config::aggregate_actor spec;
  group_seat seat;
  caf::actor conductor;
  aggregate::tally_spec counts;
  std::shared_ptr<aggregate::count_store> store;
  std::shared_ptr<kafka::consumer> consumer;
  kafka::message_queue queue;
  std::vector<std::shared_ptr<event_block>> spare; ///< blocks to fill
  bool record_time = false;                        ///< it tells the minute

  std::uint32_t generation = 0;
  std::vector<kafka::committed> assignment;
  std::set<topic_partition> suspects;
  std::map<topic_partition, std::int64_t> origins;
  std::string ledger;
  std::vector<member> members;
  std::map<std::pair<const void*, std::int32_t>, std::size_t> which_of; ///< by topic handle and partition
  std::pair<const void*, std::int32_t> last_key{};                      ///< of the message before
  member* last_member = nullptr;
  std::size_t alive = 0, blocked = 0;
  std::size_t in_flight = 0; ///< bytes handed over and not counted
  step at = step::leaving;
  drain_for purpose = drain_for::none;
  std::uint64_t drain_serial = 0;
  bool unread = false, was_lost = false, stopping = false, told_joined = false, abandoned = false;
  bool commits_armed = false;
  std::map<topic_partition, std::int64_t> to_commit;
  metrics::counter *rebalances = nullptr, *commits_ok = nullptr, *commits_failed = nullptr;
};
caf::behavior aggregate_supervisor(caf::stateful_actor<aggregate_supervisor_state>* self, services* shared,
                                   config::actor what, caf::actor conductor);

/// What the commits of an aggregate say: which ledger, and where counting began.
std::string encode_origin(const std::string& ledger, std::int64_t origin);
struct origin_note {
  std::string ledger;
  std::int64_t origin = 0;
};
std::optional<origin_note> decode_origin(std::string_view metadata);

/// Where each partition's counting goes on: Redis's position; without one, the origin (Redis lost it:
/// rebuild) or the group's start. Runs as a chore, answers positions_found.
void find_count_positions(const group_seat& seat, std::shared_ptr<kafka::consumer> consumer,
                          std::shared_ptr<aggregate::count_store> store, aggregate::tally_spec counts,
                          std::uint32_t generation, std::vector<kafka::committed> partitions,
                          std::map<topic_partition, std::int64_t> origins,
                          std::set<topic_partition> suspects);

} // namespace troupe::actors

#pragma once

#include "actors/messages.hpp"
#include "actors/services.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>

namespace troupe::actors {

struct aggregator_seat {
  services* shared = nullptr;
  caf::actor supervisor;
  std::string actor, group;
  std::uint32_t generation = 0;
  std::size_t which = 0;
  topic_partition where;
  std::int64_t start = 0;     ///< the position in Redis
  std::int64_t read_from = 0; ///< beyond it where the log lost events
  std::string ledger;
  std::shared_ptr<aggregate::count_store> store;
  aggregate::tally_spec counts;
  flush_settings flush;
};

/// The counts of one partition since its last flush. A flush moves counts and position in Redis together;
/// until it is answered the same batch is sent again. Redis says otherwise: nothing is kept, the supervisor
/// starts the partition again from what Redis holds.
struct aggregator_state {
  static inline const char* name = "aggregator";
  explicit aggregator_state(caf::event_based_actor* ptr) : self{ptr} {}
  caf::behavior make_behavior(aggregator_seat s);

  void count(event_block& block);
  void flush();
  void send_pending();
  void on_flushed(const flush_ended& m);
  void recount(std::string why);
  void tell_blocked();

  struct batch {
    std::int64_t from = 0, to = 0;
    std::shared_ptr<const aggregate::delta> counts;
    unsigned tries = 0;
    bool unknown = false; ///< an answer was lost: Redis may have applied it
    steady_time since{};
  };
  caf::event_based_actor* self;
  aggregator_seat seat;
  std::optional<aggregate::tally> tally;
  std::int64_t flushed = 0;    ///< what Redis holds
  std::int64_t next = 0;       ///< after the last event counted
  std::int64_t newest_ms = -1; ///< its timestamp
  std::optional<batch> pending;
  std::uint64_t serial = 0;
  bool blocked = false, last_asked = false, over = false;
  struct counters {
    metrics::counter *consumed, *counted, *unusable, *no_time, *ahead, *late;
    metrics::counter* page_views = nullptr; ///< none where something else is counted
    metrics::histogram* flush;
    metrics::gauge* redis_up;
  } metric{};
};
caf::behavior aggregator(caf::stateful_actor<aggregator_state>* self, aggregator_seat seat);

} // namespace troupe::actors

#include "actors/aggregator.hpp"

#include "engine/log/log.hpp"

#include <caf/send.hpp>

#include <algorithm>

namespace troupe::actors {
namespace {

constexpr policy::retry_rules resend{.attempts = 1,
                                     .backoff = policy::backoff_kind::exponential,
                                     .initial = milliseconds{100},
                                     .max = milliseconds{2000},
                                     .jitter = 0};

bool counts_page_views(const aggregate::tally_spec& what) {
  return std::any_of(what.where.begin(), what.where.end(),
                     [](const auto& condition) { return condition.second == "page_view"; });
}

} // namespace

void aggregator_state::count(event_block& block) {
  const auto seen = block.events.size() + block.tombstones;
  tally->set_now(wall_ms());
  const auto all = tally->count_all(block.events, block.timestamps_ms);
  next = block.next;
  newest_ms = block.newest_ms;
  using aggregate::counted;
  const auto no_time = all.of(counted::no_time), ahead = all.of(counted::ahead), late = all.of(counted::late);
  const auto unusable = all.of(counted::unusable) + block.tombstones;
  metric.consumed->add(seen);
  const auto added = all.of(counted::yes) + no_time + ahead + late;
  metric.counted->add(added);
  if (metric.page_views) metric.page_views->add(added);
  if (unusable > 0) metric.unusable->add(unusable);
  if (no_time > 0) metric.no_time->add(no_time);
  if (ahead > 0) metric.ahead->add(ahead);
  if (late > 0) metric.late->add(late);
}

/// Also with nothing to say: it is how a Redis that lost its data is noticed.
void aggregator_state::flush() {
  if (pending || over) return;
  pending = batch{flushed, next,  std::make_shared<const aggregate::delta>(tally->take()),
                  0,       false, std::chrono::steady_clock::now()};
  send_pending();
}

void aggregator_state::send_pending() {
  ++pending->tries;
  const auto me = caf::actor_cast<caf::actor>(self);
  seat.store->flush(seat.where, seat.ledger, pending->from, pending->to, pending->counts,
                    [me, s = ++serial](result<aggregate::flush_answer> r) {
                      caf::anon_send(me, flush_ended{s, std::move(r)});
                    });
}

void aggregator_state::recount(std::string why) {
  over = true;
  pending.reset();
  self->send(seat.supervisor, recount_needed{seat.generation, seat.which, std::move(why)});
}

void aggregator_state::tell_blocked() {
  const bool now = pending && (tally->distinct() >= seat.flush.max_keys || pending->tries > 1);
  if (now == blocked) return;
  blocked = now;
  self->send(seat.supervisor, counting_blocked{seat.generation, seat.which, blocked});
}

void aggregator_state::on_flushed(const flush_ended& m) {
  if (over || !pending || m.serial != serial) return;
  using kind = aggregate::flush_answer::kind;
  const auto again = [&](const std::string& event, const std::string& why) {
    // Once is a hiccup; more is worth a line, and then one a while.
    if ((pending->tries & (pending->tries - 1)) == 0 && pending->tries > 1)
      log::error(event, why + "; nothing is lost, the counts wait and are sent again",
                 {{"actor", seat.actor},
                  {"topic", seat.where.topic},
                  {"partition", seat.where.partition},
                  {"attempt", static_cast<std::int64_t>(pending->tries)}});
    tell_blocked();
    self->delayed_send(self, policy::delay_of(resend, pending->tries, 0), try_again{});
  };
  if (!m.answer) {
    metric.redis_up->set(0);
    pending->unknown = pending->unknown || m.answer.failure().code == errc::timeout;
    again("flush_failed", m.answer.failure().detail);
    return;
  }
  metric.redis_up->set(1);
  const auto& a = *m.answer;
  const bool was_applied = a.what == kind::position && pending->unknown && a.stored_position == pending->to;
  if (a.what == kind::applied || was_applied) {
    metric.flush->observe(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - pending->since).count());
    const bool moved = pending->to != flushed;
    flushed = pending->to;
    pending.reset();
    tell_blocked();
    if (moved) self->send(seat.supervisor, counts_flushed{seat.generation, seat.which, flushed, newest_ms});
    if (last_asked && flushed == next) {
      over = true;
      self->send(seat.supervisor, last_flush_done{seat.generation, seat.which});
    } else if (last_asked || tally->distinct() >= seat.flush.max_keys) {
      flush();
    }
    return;
  }
  switch (a.what) {
  case kind::refused:
    again("flush_refused", a.detail);
    return;
  case kind::position:
    recount("Redis holds position " + std::to_string(a.stored_position) + " where this owner left " +
            std::to_string(pending->from));
    return;
  case kind::no_ledger:
    recount("Redis lost everything");
    return;
  case kind::no_position:
  case kind::other_ledger:
    recount("Redis was begun anew");
    return;
  case kind::applied:
    return;
  }
}

caf::behavior aggregator_state::make_behavior(aggregator_seat s) {
  seat = std::move(s);
  tally.emplace(seat.counts);
  flushed = seat.start;
  next = seat.read_from;
  auto& m = seat.shared->metrics;
  metric.consumed = &m.counter("messaging_client_consumed_messages_total",
                               {{"messaging_system", "kafka"},
                                {"messaging_destination_name", seat.where.topic},
                                {"messaging_consumer_group_name", seat.group}});
  metric.counted = &m.counter("troupe_counted_events_total", {{"actor", seat.actor}});
  metric.unusable =
      &m.counter("troupe_uncounted_events_total", {{"actor", seat.actor}, {"reason", "unusable"}});
  metric.no_time =
      &m.counter("troupe_uncounted_events_total", {{"actor", seat.actor}, {"reason", "no_event_time"}});
  const auto skewed = [&](const char* direction) {
    return &m.counter("troupe_skewed_events_total", {{"actor", seat.actor}, {"direction", direction}});
  };
  if (counts_page_views(seat.counts)) metric.page_views = &m.counter("troupe_page_views_total");
  metric.ahead = skewed("ahead");
  metric.late = skewed("late");
  metric.flush = &m.histogram("troupe_redis_flush_duration_seconds");
  metric.redis_up = &m.gauge("troupe_redis_up");
  self->delayed_send(self, seat.flush.every, flush_tick{});
  return {
      [this](const count_batch& b) {
        if (!over) count(*b.block);
        self->send(seat.supervisor, batch_counted{seat.generation, b.block});
        if (!over && tally->distinct() >= seat.flush.max_keys) {
          flush();
          tell_blocked();
        }
      },
      [this](const flush_tick&) {
        if (over) return;
        flush();
        self->delayed_send(self, seat.flush.every, flush_tick{});
      },
      [this](const flush_ended& f) { on_flushed(f); },
      [this](const try_again&) {
        if (pending && !over) send_pending();
      },
      [this](const flush_now& f) {
        last_asked = last_asked || f.last;
        flush();
      },
      [this](const flush_settings& f) { seat.flush = f; },
      [this](const stop_order&) { self->quit(); },
  };
}

caf::behavior aggregator(caf::stateful_actor<aggregator_state>* self, aggregator_seat seat) {
  return self->state.make_behavior(std::move(seat));
}

} // namespace troupe::actors

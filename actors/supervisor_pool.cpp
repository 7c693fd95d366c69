#include "actors/supervisor.hpp"

#include "actors/dead_letter_writer.hpp"

#include <algorithm>
#include <random>

// The pool of a supervisor: its workers, and what happens once for all messages of a burst.
namespace troupe::actors {
namespace {

/// So much of a partition's window may be settled without its reader knowing.
constexpr std::size_t settled_share = 16;

flow::ordering order_of(config::order_by by) {
  switch (by) {
  case config::order_by::key:
    return flow::ordering::key;
  case config::order_by::partition:
    return flow::ordering::partition;
  case config::order_by::none:
    return flow::ordering::none;
  }
  return flow::ordering::key;
}

} // namespace

flow::dispatch_rules supervisor_state::rules() const {
  return {order_of(spec.pool.order_by), spec.pool.mailbox, spec.retry, spec.breaker, spec.dlq.flood,
          journal::most_crashes};
}

void supervisor_state::set_up_pool() {
  auto& m = shared->metrics;
  const auto& who = actor.name;
  count.ok = &m.counter("troupe_attempts_total", {{"actor", who}, {"result", "ok"}});
  count.retry = &m.counter("troupe_attempts_total", {{"actor", who}, {"result", "retry"}});
  count.dead = &m.counter("troupe_attempts_total", {{"actor", who}, {"result", "dlq"}});
  count.rebalances = &m.counter("troupe_rebalances_total", {{"group", spec.consume.group}});
  count.commits_ok =
      &m.counter("troupe_offset_commits_total", {{"group", spec.consume.group}, {"result", "ok"}});
  count.commits_failed =
      &m.counter("troupe_offset_commits_total", {{"group", spec.consume.group}, {"result", "failed"}});
  count.busy = &m.gauge("troupe_pool_workers", {{"actor", who}, {"state", "busy"}});
  count.free = &m.gauge("troupe_pool_workers", {{"actor", who}, {"state", "idle"}});
  count.mailbox = &m.gauge("troupe_mailbox_messages", {{"actor", who}});
  count.capacity = &m.gauge("troupe_mailbox_capacity_messages", {{"actor", who}});
  count.breaker_open = &m.gauge("troupe_breaker_open", {{"actor", who}});
  count.paused = &m.gauge("troupe_pool_paused", {{"actor", who}});
  count.hung = &m.gauge("troupe_hung_handlers", {{"actor", who}});
  count.duration =
      &m.histogram("messaging_process_duration_seconds",
                   {{"messaging_system", "kafka"}, {"messaging_consumer_group_name", spec.consume.group}});
  count.waited = &m.histogram("troupe_mailbox_wait_seconds", {{"actor", who}});
  count.age = &m.histogram("troupe_event_age_seconds", {{"actor", who}});
  count.capacity->set(spec.pool.mailbox);

  pool.emplace(rules(), std::random_device{}());
  pool->drain(); // until there is an assignment
  threads = std::make_shared<executor>(spec.pool.workers);
  route = std::make_shared<call_route>();
  route->actor = who;
  route->group = spec.consume.group;
  route->under_way = shared->calls_of(who);
  route->supervisor = caf::actor_cast<caf::actor>(self);
  route->ended = std::make_shared<ended_calls>(route->supervisor);
  if (const auto* named = std::get_if<config::named_handler>(&spec.handler))
    route->how = call_route::by_function{*shared->handlers.find(named->name), threads},
    route->journal = shared->calls(); // other calls cannot kill the process
  else if (const auto* http = std::get_if<config::http_handler>(&spec.handler))
    route->how =
        call_route::by_http{http::parse_url(http->url).value(), spec.publish.has_value(), &shared->http};
  else
    route->how = call_route::by_simulation{std::get<config::simulate_handler>(spec.handler),
                                           std::make_shared<simulated_calls>()};
  resize(spec.pool.workers);
  obey_desired();
  if (spec.guarantee == config::guarantee::at_least_once) spawn_writer();
}

void supervisor_state::spawn_writer() {
  writer = self->spawn<caf::linked + caf::monitored>(dead_letter_writer, shared,
                                                     caf::actor_cast<caf::actor>(self), actor.name);
}

void supervisor_state::add_slot() {
  auto index = static_cast<std::size_t>(
      std::find_if(slots.begin(), slots.end(), [](const slot& s) { return s.vacant; }) - slots.begin());
  if (index == slots.size())
    slots.emplace_back();
  else
    --vacant;
  slots[index] = {};
  slots[index].worker = self->spawn<caf::linked + caf::monitored>(worker, route);
  idle.push_back(index);
}

void supervisor_state::retire(std::size_t index) {
  auto& s = slots[index];
  const auto leaving = std::exchange(s.worker, nullptr);
  self->demonitor(leaving);
  self->send(leaving, stop_order{});
  s.vacant = true;
  ++vacant;
}

/// A slot's call has ended: it is free, or one too many.
void supervisor_state::release(std::size_t index) {
  if (slots_in_use() > spec.pool.workers)
    retire(index);
  else
    idle.push_back(index);
}

void supervisor_state::resize(unsigned workers) {
  spec.pool.workers = workers;
  while (slots_in_use() < workers)
    add_slot();
  // The busy ones beyond it retire when their call ends.
  while (slots_in_use() > workers && !idle.empty()) {
    retire(idle.back());
    idle.pop_back();
  }
  threads->change(occupied_slots());
}

void supervisor_state::reload(const config::actor& next) {
  actor = next;
  const auto& now = std::get<config::worker_actor>(actor.kind);
  spec.retry = now.retry;
  spec.breaker = now.breaker;
  spec.deadline = now.deadline;
  spec.dlq.flood = now.dlq.flood;
  spec.pool.max_workers = now.pool.max_workers;
  pool->change(rules());
  obey_desired();
  after();
}

/// Every handler that moved the dispatcher ends here: what follows is carried out, free workers get work,
/// readers with room learn of it, the next timer is armed.
void supervisor_state::after() {
  perform(actions);
  pump();
  for (std::size_t i = 0; i < members.size(); ++i)
    if (members[i].owed && members[i].reader && pool->wants_more(static_cast<flow::partition_index>(i))) {
      members[i].owed = false;
      self->send(members[i].reader, more_wanted{});
    }
  if (!turn_scheduled) {
    turn_scheduled = true;
    self->send(self, end_of_turn{});
  }
  arm_tick();
  check_drained();
}

void supervisor_state::note_settled(const flow::event_done& what) {
  auto& of = members[what.partition];
  of.settled.slots.push_back(what.slot);
  of.settled_bytes += what.event->bytes();
  if (exactly_once) {
    of.settled.held_bytes.push_back(exactly_once->bytes_of(what));
    of.settled_bytes += of.settled.held_bytes.back();
  }
  if (crashed.empty()) return;
  if (const auto was = crashed.find(place_of(*what.event)); was != crashed.end()) was->second.done = true;
}

void supervisor_state::hand_over_settled(member& of) {
  if (of.settled.slots.empty()) return;
  auto done = std::exchange(of.settled, {});
  of.settled_bytes = 0;
  if (of.reader) self->send(of.reader, std::move(done));
}

/// Once per burst of messages rather than per event: settled offsets to the readers, commits to Kafka,
/// gauges. A reader needs to know only for its commits: when one is due, or when it would commit early
/// because much of its window is used. Until then a few wait here.
void supervisor_state::end_turn() {
  for (auto& m : members) {
    if (m.settled.slots.empty()) continue;
    m.dirty = true;
    arm_commit();
    if (m.settled.slots.size() >= spec.consume.window / settled_share ||
        m.settled_bytes >= spec.consume.window_bytes / settled_share)
      hand_over_settled(m);
  }
  if (at != step::leaving) send_commits();
  count.busy->set(static_cast<double>(busy_slots()));
  count.free->set(static_cast<double>(idle.size()));
  count.mailbox->set(static_cast<double>(pool->mailbox()));
  count.breaker_open->set(pool->breaker_closed() ? 0 : 1);
  count.paused->set(pool->breaker_closed() && !pool->paused() ? 0 : 1);
  count.hung->set(static_cast<double>(hung));
}

void supervisor_state::arm_tick() {
  const auto due = pool->next_due();
  if (!due || (tick_armed && *tick_armed <= *due)) return;
  const auto now = std::chrono::steady_clock::now();
  if (*due <= now && idle.empty()) return; // a worker that becomes free looks again
  tick_armed = due;
  self->delayed_send(self, std::max(*due - now, steady_time::duration{std::chrono::milliseconds{1}}), tick{});
}

} // namespace troupe::actors

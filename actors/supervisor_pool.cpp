#include "actors/supervisor.hpp"

#include "actors/dead_letter_writer.hpp"
#include "engine/core/trace_context.hpp"
#include "engine/log/log.hpp"

#include <algorithm>
#include <random>

// The pool's half of a supervisor: slots, calls, and what their outcomes lead to.
namespace troupe::actors {
namespace {

constexpr std::size_t longest_topic = 249;
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

journal::call_place place_of(const std::string& group, const record& event) {
  return {group, *event.topic, event.partition, event.offset, event.timestamp_ms};
}

double seconds(steady_time::duration d) {
  return std::chrono::duration<double>(d).count();
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

void supervisor_state::pump() {
  const auto now = std::chrono::steady_clock::now();
  while (!idle.empty()) {
    std::shared_ptr<void> solitude;
    if (pool->next_is_suspect()) {
      solitude = shared->take_solitude();
      if (!solitude) { // another actor's suspect runs
        if (!std::exchange(solitude_awaited, true)) self->delayed_send(self, milliseconds{50}, tick{});
        return;
      }
    }
    const auto next = pool->next(now);
    if (!next) return;
    const auto index = idle.back();
    idle.pop_back();
    start(*next, index, std::move(solitude), now);
  }
}

void supervisor_state::start(const flow::call_handler& next, std::size_t index,
                             std::shared_ptr<void> solitude, steady_time now) {
  auto& s = slots[index];
  const auto deadline = now + spec.deadline;
  s.calling = std::make_shared<call>(around, next.attempt, deadline, shared->publisher.load());
  s.calling->slot = index;
  s.calling->task = next.id;
  s.calling->event = next.event;
  s.calling->alone = next.alone;
  s.calling->solitude = std::move(solitude);
  s.since = now;
  ++calling;
  count.waited->observe(seconds(now - next.since));
  self->send(s.worker, begin_call{s.calling});
  // Others end at their deadline by themselves.
  if (std::holds_alternative<call_route::by_function>(route->how)) arm_deadline(deadline, now);
}

void supervisor_state::arm_deadline(steady_time due, steady_time now) {
  if (deadline_armed && *deadline_armed <= due) return;
  deadline_armed = due;
  self->delayed_send(self, std::max(due - now, steady_time::duration{milliseconds{1}}), deadline_tick{});
}

/// All that have ended since the last look. What follows is carried out once for all of them.
void supervisor_state::on_calls_ended() {
  route->ended->take(burst);
  const auto now = std::chrono::steady_clock::now();
  const auto wall = wall_ms();
  for (const auto& one : burst)
    end_call(one, std::move(one->result), now, wall);
  burst.clear();
  after();
}

void supervisor_state::on_simulations_due() {
  const auto& by = std::get<call_route::by_simulation>(route->how);
  const auto now = std::chrono::steady_clock::now();
  const auto wall = wall_ms();
  const auto next = by.calls->take(now, burst);
  for (const auto& one : burst)
    end_call(one, end_simulated(by.as, *one), now, wall);
  burst.clear();
  if (next) self->delayed_send(self, *next - now, simulations_due{});
  after();
}

void supervisor_state::end_call(const std::shared_ptr<call>& which, outcome result, steady_time now,
                                std::int64_t wall) {
  auto& s = slots[which->slot];
  if (s.calling != which) return; // an answer after its deadline
  s.calling = nullptr;
  --calling;
  which->solitude.reset(); // whoever still keeps its context must not keep this
  count.duration->observe(seconds(now - s.since));
  const bool was_hung = std::exchange(s.hung, false);
  if (was_hung) --hung;
  if (std::exchange(s.orphaned, false)) {
    pool->worker_died(which->task, now, wall, actions);
  } else {
    if (was_hung) {
      log::info("hung_handler_returned", "a handler came back after its deadline; the event is tried again",
                {{"actor", actor.name}, {"event_id", which->event->id()}});
      result = outcome::transient("deadline exceeded", "deadline");
    }
    if (result.kind == verdict::success && !spec.publish &&
        std::any_of(result.events.begin(), result.events.end(),
                    [](const outgoing& e) { return e.topic.empty(); }))
      result = outcome::permanent(
          "the handler returned an event without a topic, and the actor has no `publish`", "no_topic");
    if (result.kind == verdict::success) count.ok->add();
    if (!result.events.empty()) carry_trace(which->event->headers, result.events);
    pool->called(which->task, std::move(result), now, wall, actions);
  }
  release(which->slot);
}

void supervisor_state::on_worker_down(std::size_t index) {
  auto& s = slots[index];
  s.worker = nullptr;
  log::error("actor_died", "a worker died and is replaced", {{"actor", actor.name}});
  shared->metrics.counter("troupe_actor_restarts_total", {{"kind", "worker"}}).add();
  const auto now = std::chrono::steady_clock::now();
  if (!budget.spend(now)) {
    self->send(conductor, gave_up{actor.name, "workers die faster than the restart budget allows", 70});
    return;
  }
  s.worker = self->spawn<caf::linked + caf::monitored>(worker, route);
  if (!s.calling) return;
  if (s.calling->begun.load()) {
    // The call goes on without its worker: the key is free only when it has ended.
    s.orphaned = true;
    s.calling->context.cancel();
    return;
  }
  const auto lost = std::exchange(s.calling, nullptr);
  --calling;
  lost->solitude.reset();
  pool->worker_died(lost->task, now, wall_ms(), actions);
  idle.push_back(index);
  after();
}

/// Looks at all slots, which is seldom: at most once for each deadline that was the earliest.
void supervisor_state::on_deadlines() {
  const auto now = std::chrono::steady_clock::now();
  if (deadline_armed && *deadline_armed <= now) deadline_armed.reset();
  const auto count_before = slots.size(); // those that are added have no call
  std::optional<steady_time> next;
  for (std::size_t i = 0; i < count_before; ++i) {
    const auto one = slots[i].calling;
    if (!one || slots[i].hung) continue;
    const auto deadline = one->context.deadline();
    if (deadline <= now)
      overrun(one, now);
    else
      next = next ? std::min(*next, deadline) : deadline;
  }
  if (next) arm_deadline(*next, now);
}

/// A call of a C++ function is past its deadline.
void supervisor_state::overrun(const std::shared_ptr<call>& late, steady_time now) {
  late->context.cancel();
  if (!route->blocking()) {
    end_call(late, outcome::transient("deadline exceeded", "deadline"), now, wall_ms());
    return;
  }
  slots[late->slot].hung = true;
  ++hung;
  late->solitude.reset();
  pool->overdue(late->task, now);
  log::error("handler_hangs", "a handler is past its deadline and blocks its thread and its key",
             {{"actor", actor.name},
              {"event_id", late->event->id()},
              {"attempt", static_cast<std::int64_t>(late->context.attempt())},
              {"deadline_ms", static_cast<std::int64_t>(spec.deadline.count())}});
  if (occupied_slots() < spec.pool.max_workers)
    resize(spec.pool.workers);
  else
    self->send(conductor, gave_up{actor.name, "handlers hang and max_workers threads are in use", 70});
}

void supervisor_state::mark_crashed(const topic_partition& where, std::vector<flow::admitted>& events) const {
  for (auto& e : events) {
    const auto was = crashed.find(place_of(spec.consume.group, *e.event));
    if (was == crashed.end()) continue;
    const auto& history = was->second.history;
    e.crashed = {history.crashes, history.first_ms, history.last_ms};
    log::warning(
        "crashed_before",
        history.crashes < journal::most_crashes
            ? "the process crashed while it ran the handler of this event; it runs alone"
            : "the process crashed too often while it ran the handler of this event; it becomes a dead "
              "letter",
        {{"actor", actor.name},
         {"topic", where.topic},
         {"event_id", e.event->id()},
         {"crashes", static_cast<std::int64_t>(history.crashes)}});
  }
}

/// Not before the commit: an event that comes again would be new, and crash as often again.
void supervisor_state::forget_crashes(const topic_partition& where, std::int64_t committed) {
  std::vector<journal::call_place> over;
  for (const auto& [call, state] : crashed)
    if (state.done && call.topic == where.topic && call.partition == where.partition &&
        call.offset < committed)
      over.push_back(call);
  if (over.empty()) return;
  for (const auto& call : over)
    crashed.erase(call);
  shared->chores.run([s = shared, over = std::move(over)] {
    if (const auto gone = s->crashes->forget(over); !gone)
      log::warning("crashes_not_forgotten", gone.failure().detail);
  });
}

void supervisor_state::perform(std::vector<flow::action>& todo) {
  if (todo.empty()) return;
  const auto wall = wall_ms();
  for (std::size_t i = 0; i < todo.size(); ++i) { // what is held back is done at once, which may add to it
    const auto a = std::move(todo[i]);
    if (const auto* p = std::get_if<flow::publish_events>(&a)) {
      if (exactly_once)
        hold(*p);
      else
        ask_publish(*p);
    } else if (const auto* d = std::get_if<flow::write_dead_letter>(&a)) {
      tell_dead(*d->event, d->why);
      if (exactly_once)
        hold(*d);
      else
        ask_bury(*d);
    } else if (const auto* done = std::get_if<flow::event_done>(&a)) {
      note_settled(*done);
      if (done->event->timestamp_ms >= 0)
        count.age->observe(static_cast<double>(std::max<std::int64_t>(0, wall - done->event->timestamp_ms)) /
                           1000);
    } else if (const auto* n = std::get_if<flow::notice>(&a)) {
      tell(*n);
    }
  }
  todo.clear();
}

/// Fills in topic and key where the handler left them to the config.
std::optional<error> supervisor_state::address(std::vector<outgoing>& events) {
  const config::publish by = spec.publish.value_or(config::publish{});
  for (auto& event : events) {
    if (event.topic.empty()) event.topic = by.topic;
    if (event.topic.size() > longest_topic)
      return error{errc::too_large, "the handler named a topic of " + std::to_string(event.topic.size()) +
                                        " characters; Kafka allows " + std::to_string(longest_topic)};
    if (event.key || by.key.empty() || !event.value) continue;
    // It would be published, but in no order: that is not what the config says.
    if (!publish_key->read(*event.value) || !(*publish_key)[0].has_text())
      return error{errc::too_large, "publish.key " + by.key + " is not in the event to publish"};
    event.key = (*publish_key)[0].text;
  }
  return std::nullopt;
}

/// The key goes on at once: from here on the ledger and the transaction see to it.
void supervisor_state::hold(const flow::publish_events& what) {
  auto events = what.events;
  const auto now = std::chrono::steady_clock::now();
  if (const auto unaddressed = address(events)) {
    pool->published(what.id, unaddressed, now, wall_ms(), actions);
    return;
  }
  exactly_once->hold(what, std::move(events));
  pool->held_back(what.id, now, actions);
}

void supervisor_state::hold(const flow::write_dead_letter& what) {
  exactly_once->hold(what);
  pool->dead_letter_written(what.id, std::chrono::steady_clock::now(), actions);
}

void supervisor_state::ask_publish(const flow::publish_events& what) {
  const config::publish by = spec.publish.value_or(config::publish{});
  publish_request request{what.id, what.events, by.acks, by.timeout, caf::actor_cast<caf::actor>(self)};
  if (const auto unaddressed = address(request.events))
    self->send(self, published{what.id, unaddressed});
  else
    self->send(publisher, std::move(request));
}

void supervisor_state::ask_bury(const flow::write_dead_letter& what) {
  self->send(writer, bury{what.id,
                          flow::make_dead_letter(*what.event, dlq_topic_of(seat, *what.event->topic),
                                                 spec.consume.group, actor.name, what.why),
                          what.why.error_class});
}

void supervisor_state::tell_dead(const record& event, const flow::failure_record& why) {
  count.dead->add();
  log::warning("dead_letter", why.reason,
               {{"actor", actor.name},
                {"event_id", event.id()},
                {"attempts", static_cast<std::int64_t>(why.attempts)},
                {"error_type", why.error_class}});
}

void supervisor_state::tell(const flow::notice& what) {
  switch (what.what) {
  case flow::notice::kind::retry:
    count.retry->add();
    shared->metrics.counter("troupe_retries_total", {{"actor", actor.name}, {"error_type", what.error_class}})
        .add();
    log::debug("retry", what.text,
               {{"actor", actor.name}, {"event_id", what.event->id()}, {"error_type", what.error_class}});
    return;
  case flow::notice::kind::breaker_opened:
    log::warning("breaker_opened", "the breaker opened, the pool pauses: " + what.text,
                 {{"actor", actor.name}, {"error_type", what.error_class}});
    return;
  case flow::notice::kind::breaker_closed:
    log::info("breaker_closed", "the breaker closed: " + what.text, {{"actor", actor.name}});
    return;
  case flow::notice::kind::flood:
    log::error("dlq_flood",
               "a flood of dead letters: the pool pauses instead of emptying the topic into the DLQ: " +
                   what.text,
               {{"actor", actor.name}, {"error_type", what.error_class}});
    return;
  }
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
  if (const auto was = crashed.find(place_of(spec.consume.group, *what.event)); was != crashed.end())
    was->second.done = true;
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

} // namespace troupe::actors

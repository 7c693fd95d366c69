#include "actors/supervisor.hpp"

#include "engine/core/trace_context.hpp"
#include "engine/log/log.hpp"

#include <algorithm>

// The calls of a supervisor's pool: which starts when, how each ends, and those that killed a process.
namespace troupe::actors {
namespace {

double seconds(steady_time::duration d) {
  return std::chrono::duration<double>(d).count();
}

} // namespace

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

journal::call_place supervisor_state::place_of(const record& event) const {
  return {spec.consume.group, *event.topic, event.partition, event.offset, event.timestamp_ms};
}

void supervisor_state::mark_crashed(const topic_partition& where, std::vector<flow::admitted>& events) const {
  for (auto& e : events) {
    const auto was = crashed.find(place_of(*e.event));
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

} // namespace troupe::actors

#include "actors/conductor.hpp"

#include "actors/aggregate_supervisor.hpp"
#include "actors/generator.hpp"
#include "actors/ingest.hpp"
#include "actors/supervisor.hpp"
#include "actors/telemetry.hpp"
#include "engine/log/log.hpp"
#include "engine/metrics/process.hpp"

#include <algorithm>

namespace troupe::actors {
namespace {

/// A dead child comes back after this long, so that what killed it has a moment to pass.
constexpr milliseconds respawn_after{100};
constexpr milliseconds memory_watched_every{1000};

const char* kind_of(conductor_state::role as) {
  switch (as) {
  case conductor_state::role::supervisor:
    return "supervisor";
  case conductor_state::role::generator:
    return "generator";
  case conductor_state::role::ingest:
    return "ingest";
  }
  return "actor";
}

/// What the operational state calls it.
cast_known::role role_of(const config::actor& a) {
  if (const auto* w = std::get_if<config::worker_actor>(&a.kind))
    return {a.name, "handler", w->consume.group};
  if (const auto* c = std::get_if<config::aggregate_actor>(&a.kind))
    return {a.name, "aggregate", c->consume.group};
  return {a.name, std::holds_alternative<config::ingest_actor>(a.kind) ? "ingest" : "generate", {}};
}

/// What can change while the actor runs; the rest needs it restarted.
bool lives_on(const config::actor& before, config::actor after) {
  if (auto* w = std::get_if<config::worker_actor>(&after.kind)) {
    const auto* old = std::get_if<config::worker_actor>(&before.kind);
    if (!old) return false;
    w->pool.workers = old->pool.workers;
    w->pool.max_workers = old->pool.max_workers;
    w->retry = old->retry;
    w->breaker = old->breaker;
    w->deadline = old->deadline;
    w->dlq.flood = old->dlq.flood;
    return *w == *old;
  }
  if (auto* a = std::get_if<config::aggregate_actor>(&after.kind)) {
    const auto* old = std::get_if<config::aggregate_actor>(&before.kind);
    if (!old) return false;
    a->flush_every = old->flush_every;
    a->flush_max_keys = old->flush_max_keys;
    return *a == *old;
  }
  return before.kind == after.kind;
}

/// What of it changes while it runs, for people.
std::string live_changes(const config::actor& before, const config::actor& after) {
  std::string all;
  const auto note = [&](bool changed, const std::string& what) {
    if (changed) all += (all.empty() ? "" : ", ") + what;
  };
  const auto number = [&](const char* name, unsigned was, unsigned is) {
    note(was != is, std::string{name} + ' ' + std::to_string(was) + " → " + std::to_string(is));
  };
  if (const auto* is = std::get_if<config::worker_actor>(&after.kind)) {
    const auto& was = std::get<config::worker_actor>(before.kind);
    number("workers", was.pool.workers, is->pool.workers);
    number("max_workers", was.pool.max_workers, is->pool.max_workers);
    note(was.retry != is->retry, "retry");
    note(was.breaker != is->breaker, "breaker");
    note(was.deadline != is->deadline, "deadline");
    note(was.dlq.flood != is->dlq.flood, "dlq.flood");
  } else if (const auto* now = std::get_if<config::aggregate_actor>(&after.kind)) {
    const auto& was_counting = std::get<config::aggregate_actor>(before.kind);
    note(was_counting.flush_every != now->flush_every, "flush.every");
    number("flush.max_keys", was_counting.flush_max_keys, now->flush_max_keys);
  }
  return all;
}

} // namespace

void conductor_state::spawn_publisher() {
  publisher = self->spawn<caf::linked + caf::monitored>(actors::publisher, shared);
  front->point_to(publisher);
  for (const auto& c : children)
    if (c.actor) self->send(c.actor, new_publisher{publisher});
}

void conductor_state::spawn_telemetry() {
  if (!shared->recorder) return;
  telemetry =
      self->spawn<caf::linked + caf::monitored>(actors::telemetry, shared, caf::actor_cast<caf::actor>(self));
  tell_cast();
}

void conductor_state::tell_cast() {
  if (!telemetry) return;
  cast_known all;
  for (const auto& c : children)
    if (c.actor || c.restart) all.roles.push_back(role_of(c.what));
  self->send(telemetry, std::move(all));
}

void conductor_state::pass_on(const pool_order& what) {
  const auto at = std::find_if(children.begin(), children.end(), [&](const child& c) {
    return c.what.name == what.actor && std::holds_alternative<config::worker_actor>(c.what.kind);
  });
  state::answer said;
  said.done = true;
  said.runs_it = at != children.end() && (at->actor || at->restart);
  if (said.runs_it && at->actor) {
    self->send(at->actor, what);
    return;
  }
  said.text = said.runs_it ? "it is being replaced, and begins so" : "it runs no such pool";
  self->send(what.reply_to, order_obeyed{what.order, std::move(said)});
}

/// The last thing a process says of itself.
void conductor_state::say_goodbye() {
  if (std::exchange(leaving, true)) return;
  if (telemetry)
    self->send(telemetry, stop_order{});
  else
    ended(exit_code);
}

void conductor_state::spawn_child(child& c) {
  const auto me = caf::actor_cast<caf::actor>(self);
  c.restart = false;
  if (std::holds_alternative<config::worker_actor>(c.what.kind)) {
    c.actor = self->spawn<caf::linked + caf::monitored>(supervisor, shared, c.what, me, publisher);
    waiting_for.insert(c.what.name);
  } else if (std::holds_alternative<config::aggregate_actor>(c.what.kind)) {
    c.actor = self->spawn<caf::linked + caf::monitored>(aggregate_supervisor, shared, c.what, me);
    waiting_for.insert(c.what.name);
  } else if (std::holds_alternative<config::ingest_actor>(c.what.kind)) {
    c.as = role::ingest;
    c.actor = self->spawn<caf::linked + caf::monitored>(ingest, shared, c.what, me);
    waiting_for.insert(c.what.name);
  } else {
    c.as = role::generator;
    c.actor = self->spawn<caf::linked + caf::monitored>(generator, shared, c.what, publisher);
  }
  update_ready();
}

void conductor_state::update_ready() {
  const bool now = waiting_for.empty() && !stopping;
  if (now && !shared->ready) log::info("ready", "every consumer has joined its group");
  shared->ready = now;
  if (now) shared->started = true;
}

/// Rather a drain of our own than the kernel's kill, which would redeliver all windows.
void conductor_state::watch_memory() {
  const auto limit = shared->settings.memory_limit;
  if (limit == 0 || stopping) return;
  const auto held = metrics::resident_memory();
  if (held <= limit) {
    self->delayed_send(self, memory_watched_every, tick{});
    return;
  }
  log::error("memory_limit",
             "the process holds more memory than limits.memory allows; it drains and exits with 70, so that "
             "whoever supervises it starts it again; if it comes back soon, raise limits.memory, or lower "
             "window_bytes, workers or what handlers keep",
             {{"limit_bytes", static_cast<std::int64_t>(limit)},
              {"resident_bytes", static_cast<std::int64_t>(held)}});
  stop(70);
}

void conductor_state::on_down(const caf::down_msg& m) {
  const bool died = m.reason && m.reason != caf::exit_reason::normal;
  if (m.source == publisher.address()) {
    log::error("actor_died", "the publisher died and is replaced");
    shared->metrics.counter("troupe_actor_restarts_total", {{"kind", "publisher"}}).add();
    spawn_publisher();
    if (flushing) ask_flush(); // it may have died before it began
    return;
  }
  if (telemetry && m.source == telemetry.address()) {
    telemetry = nullptr;
    if (leaving) {
      ended(exit_code);
      return;
    }
    log::error("actor_died", "the telemetry died and is replaced");
    shared->metrics.counter("troupe_actor_restarts_total", {{"kind", "telemetry"}}).add();
    self->delayed_send(self, respawn_after, try_again{});
    return;
  }
  const auto at = std::find_if(children.begin(), children.end(),
                               [&](const child& c) { return c.actor && c.actor.address() == m.source; });
  if (at == children.end()) return;
  at->actor = nullptr;
  if (stopping) {
    stop_next();
    return;
  }
  if (at->restart) {
    spawn_child(*at);
    return;
  }
  if (!died) return; // it said why with gave_up
  log::error("actor_died", std::string{"this "} + kind_of(at->as) + " died and is replaced",
             {{"actor", at->what.name}});
  shared->metrics.counter("troupe_actor_restarts_total", {{"kind", kind_of(at->as)}}).add();
  if (!budget.spend(std::chrono::steady_clock::now())) {
    log::error("restart_budget_spent", "actors die faster than they can be replaced; the process stops",
               {{"actor", at->what.name}});
    stop(70);
    return;
  }
  if (at->as != role::generator) waiting_for.insert(at->what.name); // nobody waits for a generator
  update_ready();
  at->restart = true;
  self->delayed_send(self, respawn_after, try_again{});
}

void conductor_state::stop(int code) {
  // The first reason to fail is the one that is told.
  if (exit_code == 0) exit_code = code;
  if (std::exchange(stopping, true)) return;
  shared->stopping = true;
  stop_at = std::chrono::steady_clock::now() + shared->settings.shutdown_deadline;
  update_ready();
  log::info("stopping", "stopping: reading ends, what runs finishes, what is finished is committed");
  shared->doors.stop();
  for (const auto& c : children)
    if (c.actor) self->send(c.actor, stop_order{});
  stop_next();
}

void conductor_state::stop_next() {
  if (flushing || std::any_of(children.begin(), children.end(), [](const child& c) { return c.actor; }))
    return;
  flushing = true;
  ask_flush();
}

void conductor_state::ask_flush() {
  const auto left = std::chrono::duration_cast<milliseconds>(stop_at - std::chrono::steady_clock::now());
  self->send(publisher, flush_producers{std::max(left, milliseconds{0}), caf::actor_cast<caf::actor>(self)});
}

void conductor_state::reload(const config::settings& next) {
  if (next.needs_redis() && !shared->redis) {
    log::error(
        "reload_refused",
        "an aggregate was added to a process that runs without Redis: restart the process; nothing changes");
    shared->metrics.counter("troupe_config_reloads_total", {{"result", "refused"}}).add();
    return;
  }
  for (const auto& after : next.actors) {
    const auto at = std::find_if(children.begin(), children.end(),
                                 [&](const child& c) { return c.what.name == after.name; });
    if (at == children.end()) {
      log::info("actor_added", "a new actor starts", {{"actor", after.name}});
      children.push_back({after, role::supervisor, nullptr, false});
      spawn_child(children.back());
    } else if (!at->actor && !at->restart) { // removed by an earlier reload
      at->what = after;
      spawn_child(*at);
    } else if (lives_on(at->what, after)) {
      if (const auto what = live_changes(at->what, after); !what.empty())
        log::info("actor_changed", "changed while it runs: " + what, {{"actor", after.name}});
      at->what = after;
      if (at->actor) self->send(at->actor, reload_order{after});
    } else {
      log::info("actor_restarts", "this change needs the actor restarted; the others go on",
                {{"actor", after.name}});
      at->what = after;
      at->restart = true;
      if (at->actor) self->send(at->actor, stop_order{});
    }
  }
  for (auto& c : children) {
    const bool kept = std::any_of(next.actors.begin(), next.actors.end(),
                                  [&](const config::actor& a) { return a.name == c.what.name; });
    if (kept || !c.actor) continue;
    waiting_for.erase(c.what.name);
    log::info("actor_removed", "an actor that is no longer in the config stops", {{"actor", c.what.name}});
    self->send(c.actor, stop_order{});
  }
  const auto& now = shared->settings;
  if (next.app != now.app || next.kafka != now.kafka || next.redis_url != now.redis_url ||
      next.names_redis != now.names_redis || next.admin_listen != now.admin_listen ||
      next.shutdown_deadline != now.shutdown_deadline || next.shutdown_revoke != now.shutdown_revoke ||
      next.instance != now.instance || next.state != now.state || next.memory_limit != now.memory_limit ||
      next.dashboard != now.dashboard)
    log::warning(
        "restart_needed",
        "app, kafka, redis, admin, dashboard, shutdown, instance, state or limits changed too: that takes "
        "effect when the process is started again");
  shared->settings.actors = next.actors; // what a conductor that replaces this one starts from
  update_ready();
  tell_cast();
  shared->metrics.counter("troupe_config_reloads_total", {{"result", "ok"}}).add();
}

caf::behavior conductor_state::make_behavior(services* s, publisher_front* f, std::function<void(int)> end) {
  shared = s;
  front = f;
  ended = std::move(end);
  self->set_down_handler([this](caf::down_msg& m) { on_down(m); });
  self->set_exit_handler([this](caf::exit_msg& m) {
    if (!m.source) self->quit(std::move(m.reason)); // children die alone
  });
  spawn_publisher();
  for (const auto& what : shared->settings.actors)
    children.push_back({what, role::supervisor, nullptr, false});
  for (const auto& c : children) // ready means all of them, whatever their order in the file
    if (!std::holds_alternative<config::generate_actor>(c.what.kind)) waiting_for.insert(c.what.name);
  for (auto& c : children)
    spawn_child(c);
  spawn_telemetry();
  watch_memory();
  return {
      [this](const joined& m) {
        waiting_for.erase(m.actor);
        update_ready();
      },
      [this](const gave_up& m) {
        log::error("gave_up", m.why,
                   {{"actor", m.actor}, {"exit_code", static_cast<std::int64_t>(m.exit_code)}});
        stop(m.exit_code);
      },
      [this](const try_again&) {
        if (!telemetry && !leaving) spawn_telemetry();
        if (stopping) return;
        for (auto& c : children)
          if (c.restart && !c.actor) spawn_child(c);
      },
      [this](const tick&) { watch_memory(); },
      [this](const stop_process& m) { stop(m.exit_code); },
      [this](const reload_process& m) {
        if (!stopping) reload(*m.next);
      },
      [this](const producers_flushed& m) {
        if (std::exchange(flushed, true)) return; // a publisher that died while it flushed, and the next
        if (!m.all) {
          log::warning(
              "not_flushed",
              "some events were not acknowledged at the deadline: whether they were written is unknown");
          if (exit_code == 0) exit_code = 75;
        }
        say_goodbye();
      },
      [this](const farewell_said&) {
        if (leaving) ended(exit_code);
      },
      [this](const report_wanted& m) {
        for (const auto& c : children)
          if (c.actor && std::holds_alternative<config::worker_actor>(c.what.kind)) self->send(c.actor, m);
      },
      [this](const pool_order& m) { pass_on(m); },
      [this](const who_is_there&) {
        roster all;
        all.members.emplace_back("publisher", publisher);
        if (telemetry) all.members.emplace_back("telemetry", telemetry);
        for (const auto& c : children)
          if (c.actor) all.members.emplace_back(kind_of(c.as), c.actor);
        return all;
      },
  };
}

caf::behavior conductor(caf::stateful_actor<conductor_state>* self, services* shared, publisher_front* front,
                        std::function<void(int)> ended) {
  return self->state.make_behavior(shared, front, std::move(ended));
}

} // namespace troupe::actors

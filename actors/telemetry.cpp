#include "actors/telemetry.hpp"

#include "engine/log/log.hpp"
#include "engine/metrics/process.hpp"

#include <algorithm>

namespace troupe::actors {
namespace {

constexpr milliseconds record_every{1000};
constexpr milliseconds look_every{250};
/// A supervisor with much to do may be late with its report; later than this it says nothing of now.
constexpr milliseconds report_kept{5000};
constexpr milliseconds goodbye{300};
/// What Redis said longer ago than this says nothing of now.
constexpr milliseconds mail_kept{10'000};

state::totals totals_of(const metrics::registry& m, const cast_known::role& who) {
  const auto calls = [&](const char* result) {
    return m.sum("troupe_attempts_total", {{"actor", who.name}, {"result", result}});
  };
  state::totals t;
  if (who.kind == "aggregate") {
    t.ok = m.sum("troupe_counted_events_total", {{"actor", who.name}});
  } else if (who.kind == "ingest") {
    t.ok = m.sum("troupe_ingest_requests_total", {{"actor", who.name}});
  } else {
    t.ok = calls("ok");
    t.retry = calls("retry");
    t.dead = calls("dlq");
    t.err = t.retry + t.dead;
  }
  return t;
}

} // namespace

state::snapshot telemetry_state::take_snapshot(std::string phase) {
  const auto now = std::chrono::steady_clock::now();
  std::erase_if(reports, [&](const auto& r) { return r.second.at + report_kept < now; });
  state::snapshot s;
  s.at_ms = wall_ms();
  s.phase = std::move(phase);
  if (const auto bytes = metrics::resident_memory(); bytes > 0) s.resident_bytes = bytes;
  for (const auto& [what, value] : metrics::process_values())
    if (what == "process_cpu_seconds_total") s.cpu_seconds = value;
  for (const auto& role : roles) {
    auto& a = s.actors[role.name];
    a.kind = role.kind;
    a.group = role.group;
    a.so_far = totals_of(shared->metrics, role);
    if (role.kind == "handler")
      a.latency =
          shared->metrics
              .histogram("messaging_process_duration_seconds",
                         {{"messaging_system", "kafka"}, {"messaging_consumer_group_name", role.group}})
              .counts();
  }
  s.partitions = shared->lag.partitions();
  for (const auto& [actor, last] : reports) {
    const auto at = s.actors.find(actor);
    if (at == s.actors.end()) continue;
    at->second.pool = last.report.pool;
    s.parked.insert(s.parked.end(), last.report.parked.begin(), last.report.parked.end());
    for (auto& p : s.partitions)
      if (const auto b = last.report.blocked.find({p.topic, p.partition});
          b != last.report.blocked.end() && p.group == at->second.group)
        p.blocked = b->second;
  }
  std::sort(s.parked.begin(), s.parked.end(),
            [](const auto& a, const auto& b) { return a.due_ms < b.due_ms; });
  s.dead_letters = shared->dead_letters_by_topic();
  return s;
}

void telemetry_state::show_dead_letters(const std::map<std::string, std::int64_t>& open) {
  for (auto& [topic, n] : open_letters)
    n = 0; // Redis names only those that have some
  for (const auto& [topic, n] : open)
    open_letters[topic] = n;
  for (const auto& [topic, n] : open_letters)
    shared->metrics.gauge("troupe_dlq_open_messages", {{"topic", topic}}).set(static_cast<double>(n));
  heard = std::chrono::steady_clock::now();
}

void telemetry_state::forget_dead_letters() {
  for (const auto& [topic, n] : open_letters)
    shared->metrics.drop_gauge("troupe_dlq_open_messages", {{"topic", topic}});
  open_letters.clear();
}

void telemetry_state::record() {
  if (heard + mail_kept < std::chrono::steady_clock::now()) forget_dead_letters();
  shared->recorder->record(take_snapshot(shared->stopping ? "stopping"
                                         : shared->ready  ? "running"
                                                          : "starting"));
  self->send(conductor, report_wanted{caf::actor_cast<caf::actor>(self)});
}

void telemetry_state::look() {
  shared->inbox->look([me = caf::actor_cast<caf::actor>(self)](state::inbox::mail m) {
    caf::anon_send(me, mail_arrived{std::make_shared<const state::inbox::mail>(std::move(m))});
  });
}

void telemetry_state::on_mail(const state::inbox::mail& m) {
  const auto me = caf::actor_cast<caf::actor>(self);
  show_dead_letters(m.dead_letters);
  auto changed = shared->desired.replace(m.wanted);
  for (const auto& o : m.orders) {
    std::erase(changed, o.actor);
    log::info("pool_order", "an operator changes a pool",
              {{"actor", o.actor}, {"action", name_of(o.what)}, {"by", o.by}, {"cmd_id", o.id}});
    // Heard too late (Redis was away), it would close a breaker that has nothing to do with it.
    const bool reset = o.what == state::pool_action::reset && wall_ms() <= o.deadline_ms;
    self->send(conductor, pool_order{o.id, o.actor, reset, me});
  }
  for (const auto& actor : changed) // its order was missed; what it wants was not
    self->send(conductor, pool_order{{}, actor, false, me});
}

void telemetry_state::say_goodbye() {
  leaving = true;
  shared->chores.run([s = shared, last = take_snapshot("stopped"), to = conductor] {
    s->recorder->record_last(last, goodbye);
    caf::anon_send(to, farewell_said{});
  });
}

caf::behavior telemetry_state::make_behavior(services* s, caf::actor above) {
  shared = s;
  conductor = std::move(above);
  self->set_exit_handler([this](caf::exit_msg& m) {
    if (!m.source || m.source == conductor.address()) self->quit(std::move(m.reason));
  });
  self->send(self, tick{});
  self->send(self, look_tick{});
  return {
      [this](const cast_known& m) { roles = m.roles; },
      [this](pool_report& m) {
        auto& of = reports[m.actor];
        of = {std::chrono::steady_clock::now(), std::move(m)};
      },
      [this](const tick&) {
        if (leaving) return;
        record();
        self->delayed_send(self, record_every, tick{});
      },
      [this](const look_tick&) {
        if (leaving) return;
        look();
        self->delayed_send(self, look_every, look_tick{});
      },
      [this](const mail_arrived& m) { on_mail(*m.mail); },
      [this](const order_obeyed& m) {
        if (!m.order.empty()) shared->inbox->reply(m.order, m.answer);
      },
      [this](const stop_order&) {
        if (!leaving) say_goodbye();
      },
  };
}

caf::behavior telemetry(caf::stateful_actor<telemetry_state>* self, services* shared, caf::actor conductor) {
  return self->state.make_behavior(shared, std::move(conductor));
}

} // namespace troupe::actors

#include "actors/ingest.hpp"

#include "engine/core/trace_context.hpp"
#include "engine/handler/run_handler.hpp"
#include "engine/log/log.hpp"

#include <caf/send.hpp>

#include <array>
#include <atomic>

namespace troupe::actors {
namespace {

constexpr std::size_t handler_threads = 16;
constexpr std::size_t longest_key = 255;
/// How soon a client may try again when the broker cannot take its events now, or the queue is full.
constexpr milliseconds broker_pause{5000};
constexpr milliseconds queue_pause{1000};
constexpr milliseconds look_again{20};

std::int64_t wall_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

ingest::rules rules_of(const config::ingest_actor& spec) {
  const auto at = [](const std::string& text) {
    return *json::pointer::parse(text);
  }; // checked with the config
  ingest::rules r;
  r.topic = spec.topic;
  r.key_header = spec.key_header;
  if (!spec.key.empty()) r.key = at(spec.key);
  for (const auto& [where, type] : spec.require)
    r.require.emplace_back(at(where), type);
  if (!spec.stamp.empty()) r.stamp = at(spec.stamp);
  r.batch = spec.batch;
  return r;
}

/// Whoever asked may be tracing it. What is no trace is none of ours to hand on.
std::vector<header> trace_of(const http::request& what) {
  const auto* parent = what.header("traceparent");
  if (!parent || !is_traceparent(*parent)) return {};
  std::vector<header> trace{{"traceparent", *parent}};
  if (const auto* state = what.header("tracestate")) trace.push_back({"tracestate", *state});
  return trace;
}

} // namespace

/// What all answers of an ingest share.
class answer_words {
public:
  answer_words(metrics::registry& in, std::string name, std::string origin)
      : actor{std::move(name)}, cors{std::move(origin)}, registry_{in} {}
  const std::string actor, cors;

  metrics::counter& count_of(int status) {
    if (status < 0 || static_cast<std::size_t>(status) >= by_status_.size()) return look_up(status);
    auto& known = by_status_[static_cast<std::size_t>(status)];
    if (auto* c = known.load(std::memory_order_relaxed)) return *c;
    auto& c = look_up(status);
    known.store(&c, std::memory_order_relaxed);
    return c;
  }

private:
  metrics::counter& look_up(int status) {
    return registry_.counter("troupe_ingest_requests_total",
                             {{"actor", actor}, {"status", std::to_string(status)}});
  }
  metrics::registry& registry_;
  std::array<std::atomic<metrics::counter*>, 600> by_status_{};
};

namespace {

/// What is needed to answer a request from whatever thread the answer comes.
struct answerer {
  caf::actor me;
  std::shared_ptr<answer_words> words;

  void say(asked& q, http::response answer) const {
    words->count_of(answer.status).add();
    allow_origin(answer, words->cors);
    q.to(std::move(answer));
  }
  /// One with a key is remembered first.
  void finish(const std::shared_ptr<asked>& q, http::response answer) const {
    if (q->idempotency_key.empty())
      say(*q, std::move(answer));
    else
      caf::anon_send(me, request_done{q, std::move(answer)});
  }
};

answerer answers_of(const ingest_state& s) {
  return {caf::actor_cast<caf::actor>(s.self), s.words};
}

} // namespace

void ingest_state::refuse(const std::shared_ptr<asked>& q, const ingest::problem& why,
                          std::optional<milliseconds> retry_after) {
  under_way.erase(q->idempotency_key);
  answers_of(*this).say(*q, problem_answer(why, retry_after));
}

result<void> ingest_state::open_door() {
  const http::server_options options{.header_bytes = spec.limits.headers,
                                     .body_bytes = spec.limits.body,
                                     .connections = spec.limits.connections,
                                     .read = spec.limits.read,
                                     .idle = spec.limits.idle,
                                     .refusal = {}};
  // On the server's thread: counts, and hands over.
  auto route = [answers = answers_of(*this), room = gate](http::request what, http::reply to) {
    auto q = std::make_shared<asked>(std::move(what), std::move(to), room);
    if (room->requests > ingest_gate::most_requests || room->bytes > ingest_gate::most_bytes)
      return answers.say(
          *q, problem_answer({429, "too many requests wait for the broker; try again later"}, queue_pause));
    caf::anon_send(answers.me, ingest_request{std::move(q)});
  };
  return shared->doors.open(spec.listen, options,
                            {spec.method, spec.path, spec.cors, spec.key_header, route});
}

std::optional<std::string> ingest_state::key_of(const asked& q) const {
  if (spec.key_header.empty()) return std::nullopt;
  const auto* found = q.what.header(spec.key_header);
  return found ? std::optional{*found} : std::nullopt;
}

void ingest_state::on_request(const std::shared_ptr<asked>& q) {
  const auto* key = q->what.header("Idempotency-Key");
  if (!key) return go_on(q);
  if (key->empty() || key->size() > longest_key)
    return refuse(q, {400, "an Idempotency-Key has 1 to 255 characters"});
  auto& holder = under_way[*key];
  if (holder.lock())
    return answers_of(*this).say(
        *q, problem_answer({409, "a request with this Idempotency-Key is under way"}, queue_pause));
  holder = q;
  q->idempotency_key = *key;
  memory->find(*key, std::chrono::steady_clock::now(),
               [me = caf::actor_cast<caf::actor>(self), q](auto found) {
                 caf::anon_send(me, answer_looked_up{q, std::move(found)});
               });
}

void ingest_state::on_looked_up(answer_looked_up& m) {
  if (!m.answer) {
    log::error("ingest_failed", m.answer.failure().detail, {{"actor", actor}});
    return refuse(m.what, {503, "whether this was answered before is unknown, since Redis does not answer"},
                  broker_pause);
  }
  if (!*m.answer) return go_on(m.what);
  under_way.erase(m.what->idempotency_key);
  answers_of(*this).say(*m.what, std::move(**m.answer));
}

/// Only what was accepted is remembered: the rest may be tried again.
void ingest_state::on_done(const request_done& m) {
  under_way.erase(m.what->idempotency_key);
  if (m.answer.status >= 300) return answers_of(*this).say(*m.what, m.answer);
  memory->keep(m.what->idempotency_key, m.answer, std::chrono::steady_clock::now(),
               [answers = answers_of(*this), m] { answers.say(*m.what, m.answer); });
}

void ingest_state::go_on(const std::shared_ptr<asked>& q) {
  const auto* type = q->what.header("Content-Type");
  const auto content_type = type ? *type : std::string{};
  auto key = key_of(*q);
  if (!spec.handler.empty()) {
    if (const auto wrong = intake->check(content_type, key, q->what.body)) return refuse(q, *wrong);
    return call_handler(q, std::move(key));
  }
  auto made = intake->events(content_type, key, q->what.body, wall_ns());
  if (const auto* wrong = std::get_if<ingest::problem>(&made)) return refuse(q, *wrong);
  publish(q, std::move(std::get<std::vector<outgoing>>(made)), {});
}

void ingest_state::call_handler(const std::shared_ptr<asked>& q, std::optional<std::string> key) {
  auto event = std::make_shared<record>();
  event->topic = std::make_shared<const std::string>(spec.topic);
  event->timestamp_ms = wall_ms();
  event->key = std::move(key);
  if (!q->what.body.empty()) event->value = q->what.body;
  for (const auto& [header, value] : q->what.headers)
    event->headers.push_back({header, value});
  auto seen = std::make_shared<context>(around, 1, std::chrono::steady_clock::now() + spec.deadline,
                                        shared->publisher.load());
  const auto done = [me = caf::actor_cast<caf::actor>(self), q](outcome r) {
    caf::anon_send(me, request_handled{q, std::move(r)});
  };
  overdue.push_back({seen->deadline(), q});
  if (overdue.size() == 1) self->delayed_send(self, spec.deadline, deadline_tick{});
  const auto& function = *shared->handlers.find(spec.handler);
  if (const auto* blocking = std::get_if<blocking_handler>(&function))
    threads->run([=, h = *blocking, journal = shared->calls()] {
      const auto note = journal ? journal->note_other() : nullptr;
      const journal::runs_on_this_thread here{note ? note->state() : nullptr};
      done(run_handler(h, *event, *seen));
    });
  else
    run_handler(std::get<async_handler>(function), event, seen, done);
}

/// Whoever asked is not kept waiting for a handler that hangs; what it answers later is not heard.
void ingest_state::on_deadline() {
  const auto now = std::chrono::steady_clock::now();
  for (; !overdue.empty() && overdue.front().first <= now; overdue.pop_front()) {
    const auto q = overdue.front().second.lock();
    if (!q || std::exchange(q->handled, true)) continue;
    log::warning("ingest_handler_failed", "the handler did not answer within its deadline",
                 {{"actor", actor}, {"error_type", "deadline"}});
    refuse(q, {503, "this took longer than it may; whether it will still be done is unknown"}, queue_pause);
  }
  if (!overdue.empty())
    self->delayed_send(self, std::chrono::ceil<milliseconds>(overdue.front().first - now), deadline_tick{});
}

void ingest_state::on_handled(const request_handled& m) {
  if (std::exchange(m.what->handled, true)) return;
  const auto& r = m.result;
  switch (r.kind) {
  case verdict::permanent:
    return refuse(m.what, {400, r.reason});
  case verdict::transient:
  case verdict::unavailable:
    log::warning("ingest_handler_failed", r.reason, {{"actor", actor}, {"error_type", r.error_class}});
    return refuse(m.what, {503, "this could not be done now: " + r.reason},
                  r.retry_after.value_or(queue_pause));
  case verdict::success:
    break;
  }
  auto events = r.events;
  const auto key = key_of(*m.what);
  for (auto& e : events)
    if (const auto wrong = intake->complete(e, key, wall_ns())) return refuse(m.what, *wrong);
  publish(m.what, std::move(events), r.answer);
}

void ingest_state::publish(const std::shared_ptr<asked>& q, std::vector<outgoing> events, std::string body) {
  const auto accepted = [answers = answers_of(*this), status = static_cast<int>(spec.respond),
                         body = std::move(body)](const std::shared_ptr<asked>& to) {
    answers.finish(to,
                   {.status = status, .content_type = body.empty() ? "" : "application/json", .body = body});
  };
  if (events.empty()) return accepted(q);
  carry_trace(trace_of(q->what), events);
  auto out = shared->producer(spec.acks, spec.timeout);
  if (!out) return refuse(q, {503, out.failure().detail}, broker_pause);

  shared->produce(
      **out, events, [q, accepted, answers = answers_of(*this)](const std::optional<error>& failure) {
        if (!failure) return accepted(q);
        if (failure->code == errc::too_large)
          return answers.finish(q, problem_answer({413, failure->detail}));
        log::error("ingest_failed", failure->detail, {{"actor", answers.words->actor}});
        answers.finish(q,
                       problem_answer({503, failure->code == errc::timeout
                                                ? "the broker did not acknowledge in time: whether the event "
                                                  "was written is unknown"
                                                : "the broker does not take events now"},
                                      broker_pause));
      });
}

caf::behavior ingest_state::make_behavior(services* s, config::actor what, caf::actor above) {
  shared = s;
  conductor = std::move(above);
  actor = what.name;
  spec = std::get<config::ingest_actor>(what.kind);
  intake.emplace(rules_of(spec));
  gate = std::make_shared<ingest_gate>();
  words = std::make_shared<answer_words>(shared->metrics, actor, spec.cors);
  around = std::make_shared<const surroundings>(surroundings{actor, spec.settings, shared->redis});
  memory.emplace(shared->redis, shared->settings.app + ":idempotency:" + actor + ":");
  if (!spec.handler.empty()) threads = std::make_shared<executor>(handler_threads);
  self->set_exit_handler([this](caf::exit_msg& m) {
    if (!m.source || m.source == conductor.address()) self->quit(std::move(m.reason));
  });
  if (const auto opened = open_door(); !opened) {
    const auto& why = opened.failure();
    self->send(conductor, gave_up{actor, why.detail, why.code == errc::bad_config ? 78 : 69});
    self->quit();
  } else {
    self->send(conductor, joined{actor});
  }
  return {
      [this](const ingest_request& m) { on_request(m.what); },
      [this](const request_handled& m) { on_handled(m); },
      [this](const deadline_tick&) { on_deadline(); },
      [this](answer_looked_up& m) { on_looked_up(m); },
      [this](const request_done& m) { on_done(m); },
      [](const new_publisher&) {},
      [](const reload_order&) {},
      [this](const stop_order&) {
        if (std::exchange(stopping, true)) return;
        leave_by = std::chrono::steady_clock::now() + shared->settings.shutdown_deadline / 2;
        self->send(self, tick{});
      },
      [this](const tick&) {
        // What has arrived is answered first.
        const bool asked_here = gate->requests > 0 || shared->doors.is_used(spec.listen);
        if (asked_here && std::chrono::steady_clock::now() < leave_by) {
          self->delayed_send(self, look_again, tick{});
          return;
        }
        shared->doors.leave(spec.listen, spec.method, spec.path);
        self->quit();
      },
  };
}

caf::behavior ingest(caf::stateful_actor<ingest_state>* self, services* shared, config::actor what,
                     caf::actor conductor) {
  return self->state.make_behavior(shared, std::move(what), std::move(conductor));
}

} // namespace troupe::actors

#include "actors/supervisor.hpp"

#include "engine/log/log.hpp"

#include <algorithm>

// What the dispatcher decided is carried out: events are published and dead letters written, at once or by a
// transaction, and what operators should hear of is told.
namespace troupe::actors {
namespace {

constexpr std::size_t longest_topic = 249;

} // namespace

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
  auto events = std::make_shared<std::vector<outgoing>>(what.events);
  if (const auto unaddressed = address(*events))
    self->send(self, published{what.id, unaddressed});
  else
    self->send(publisher, publish_request{what.id, std::move(events), by.acks, by.timeout,
                                          caf::actor_cast<caf::actor>(self)});
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

} // namespace troupe::actors

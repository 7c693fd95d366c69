#include "actors/generator.hpp"

#include "engine/log/log.hpp"

#include <algorithm>

namespace troupe::actors {
namespace {

constexpr std::size_t most_unacknowledged = 16;

}

void generator_state::follow(config::actor what) {
  spec = std::get<config::generate_actor>(std::move(what.kind));
  auto made = std::make_shared<std::vector<outgoing>>();
  const auto add = [&](std::optional<std::string> key) {
    auto& event = made->emplace_back();
    event.topic = spec.topic;
    event.key = std::move(key);
    event.value = spec.value;
  };
  if (spec.keys)
    for (unsigned i = 1; i <= *spec.keys; ++i)
      add("device-" + std::to_string(i));
  else
    add(spec.key.empty() ? std::nullopt : std::optional{spec.key});
  events = std::move(made);
}

void generator_state::emit() {
  if (unacknowledged >= most_unacknowledged) {
    if (!complained)
      log::warning("generator_waits",
                   "events are not acknowledged as fast as they are made up: ticks are skipped",
                   {{"actor", actor}, {"topic", spec.topic}});
    complained = true;
    return;
  }
  complained = false;
  ++unacknowledged;
  self->send(publisher,
             publish_request{++token, events, spec.acks, spec.timeout, caf::actor_cast<caf::actor>(self)});
}

void generator_state::arm() {
  const auto now = self->clock().now();
  next_tick = std::max(next_tick + spec.every, now);
  self->delayed_send(self, next_tick - now, tick{});
}

caf::behavior generator_state::make_behavior(services* s, config::actor what, caf::actor to) {
  shared = s;
  actor = what.name;
  follow(std::move(what));
  publisher = std::move(to);
  next_tick = self->clock().now();
  self->send(self, tick{});
  return {
      [this](const tick&) {
        emit();
        arm();
      },
      [this](const published& m) {
        if (unacknowledged > 0) --unacknowledged;
        if (m.failure)
          log::error("generate_failed", m.failure->detail, {{"actor", actor}, {"topic", spec.topic}});
      },
      [this](const new_publisher& m) {
        publisher = m.publisher;
        unacknowledged = 0; // made-up events are not worth a second try
      },
      [this](const reload_order& m) { follow(m.next); },
      [this](const stop_order&) { self->quit(); },
  };
}

caf::behavior generator(caf::stateful_actor<generator_state>* self, services* shared, config::actor what,
                        caf::actor publisher) {
  return self->state.make_behavior(shared, std::move(what), std::move(publisher));
}

} // namespace troupe::actors

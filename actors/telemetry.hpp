#pragma once

#include "actors/messages.hpp"
#include "actors/services.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>

#include <map>

namespace troupe::actors {

/// What a process tells of itself in Redis, once a second, and what it is told there. Nobody waits for it: it
/// may die, and Redis with it.
struct telemetry_state {
  static inline const char* name = "telemetry";
  explicit telemetry_state(caf::event_based_actor* ptr) : self{ptr} {}
  caf::behavior make_behavior(services* shared, caf::actor conductor);

  void record();
  void look();
  void on_mail(const state::inbox::mail& m);
  void show_dead_letters(const std::map<std::string, std::int64_t>& open);
  void forget_dead_letters();
  void say_goodbye();
  [[nodiscard]] state::snapshot take_snapshot(std::string phase);

  struct told {
    steady_time at{};
    pool_report report;
  };

  caf::event_based_actor* self;
  services* shared = nullptr;
  caf::actor conductor;
  std::vector<cast_known::role> roles;
  std::map<std::string, told> reports;              ///< by actor, the last one
  std::map<std::string, std::int64_t> open_letters; ///< by topic: those of the last mail are on /metrics
  steady_time heard{};                              ///< when it came
  bool leaving = false;
};
caf::behavior telemetry(caf::stateful_actor<telemetry_state>* self, services* shared, caf::actor conductor);

} // namespace troupe::actors

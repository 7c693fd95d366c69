#pragma once

#include "actors/messages.hpp"
#include "actors/services.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>

namespace troupe::actors {

/// Makes events up (`generate`), one per key at every tick. Ticks are absolute, so that their rate does not
/// drift; a tick that finds too much unacknowledged is skipped and counted, not queued.
struct generator_state {
  static inline const char* name = "generator";
  explicit generator_state(caf::event_based_actor* ptr) : self{ptr} {}
  caf::behavior make_behavior(services* shared, config::actor what, caf::actor publisher);

  void follow(config::actor what);
  void emit();
  void arm();

  caf::event_based_actor* self;
  services* shared = nullptr;
  std::string actor;
  config::generate_actor spec;
  std::shared_ptr<const std::vector<outgoing>> events; ///< the same at every tick
  caf::actor publisher;
  steady_time next_tick{};
  std::uint64_t token = 0;
  std::size_t unacknowledged = 0; ///< requests
  bool complained = false;
};
caf::behavior generator(caf::stateful_actor<generator_state>* self, services* shared, config::actor what,
                        caf::actor publisher);

} // namespace troupe::actors

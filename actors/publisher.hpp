#pragma once

#include "actors/messages.hpp"
#include "actors/services.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>

namespace troupe::actors {

/// The way out of the process: hands events to the shared producers and completes a request only on the
/// broker's delivery report. Whoever asked watches this actor and asks its successor again.
struct publisher_state {
  static inline const char* name = "publisher";
  explicit publisher_state(caf::event_based_actor* ptr) : self{ptr} {}
  caf::behavior make_behavior(services* s);

  caf::event_based_actor* self;
  services* shared = nullptr;
};
caf::behavior publisher(caf::stateful_actor<publisher_state>* self, services* shared);

/// What user code holds: requests by function call. Follows the actor when it is replaced.
class publisher_front : public troupe::publisher {
public:
  void publish(outgoing event, milliseconds deadline, report done) override;
  void point_to(caf::actor now);

private:
  std::mutex lock_;
  caf::actor actor_;
};

} // namespace troupe::actors

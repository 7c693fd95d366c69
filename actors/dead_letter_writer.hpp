#pragma once

#include "actors/messages.hpp"
#include "actors/services.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>

#include <unordered_map>

namespace troupe::actors {

/// Puts the dead letters of one configured actor into its DLQ. Each is tried again, verbatim, until the
/// broker acknowledged it (only then `buried` is answered): a missing topic, a refusal, an outage hold the
/// event's key and skip nothing. What is too large for the broker goes as an envelope.
struct dead_letter_writer_state {
  static inline const char* name = "dead_letter_writer";
  explicit dead_letter_writer_state(caf::event_based_actor* ptr) : self{ptr} {}
  caf::behavior make_behavior(services* shared, caf::actor supervisor, std::string actor);

  void write(flow::task_id id);

  struct pending {
    outgoing letter;
    std::string error_class;
    unsigned tries = 0;
    std::size_t head = 0; ///< of the payload, in an envelope
    bool envelope = false;
  };
  caf::event_based_actor* self;
  services* shared = nullptr;
  caf::actor supervisor;
  std::string actor;
  std::shared_ptr<kafka::producer> out;
  std::unordered_map<flow::task_id, pending> letters;
};
caf::behavior dead_letter_writer(caf::stateful_actor<dead_letter_writer_state>* self, services* shared,
                                 caf::actor supervisor, std::string actor);

} // namespace troupe::actors

#pragma once

#include "actors/messages.hpp"
#include "actors/services.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>

#include <variant>

namespace troupe::actors {

/// How the calls of one configured actor are made; shared by its workers.
struct call_route {
  struct by_function {
    handler_function run;
    std::shared_ptr<executor> threads; ///< for blocking ones; the supervisor's, so that it outlives a worker
  };
  struct by_http {
    http::url to;
    bool publishes = false;
    http::client* client = nullptr;
  };
  std::string actor;
  std::string group;
  std::shared_ptr<journal::call_journal>
      journal; ///< of the calls that can kill the process; none without `state`
  std::variant<by_function, by_http, config::simulate_handler> how;
  std::shared_ptr<std::atomic<std::size_t>> under_way; ///< calls begun and not ended
  caf::actor supervisor; ///< gets call_ended, straight from whatever carried the call out

  [[nodiscard]] bool blocking() const {
    const auto* f = std::get_if<by_function>(&how);
    return f && std::holds_alternative<blocking_handler>(f->run);
  }
};

/// A pool slot: carries out one call at a time. It only starts calls and never waits for them; the answer
/// goes to the supervisor by itself, so that a dying worker takes no outcome with it.
struct worker_state {
  static inline const char* name = "worker";
  explicit worker_state(caf::event_based_actor* ptr) : self{ptr} {}
  caf::behavior make_behavior(std::shared_ptr<const call_route> by);

  void begin(const std::shared_ptr<call>& what);

  caf::event_based_actor* self;
  std::shared_ptr<const call_route> route;
};
caf::behavior worker(caf::stateful_actor<worker_state>* self, std::shared_ptr<const call_route> route);

/// The verdict on an HTTP call (design, section 4).
outcome judge_answer(const std::variant<http::answer, http::broken_call>& got, bool publishes);
/// The call as it goes out.
http::call make_http_call(const http::url& to, const call& what, milliseconds left);

} // namespace troupe::actors

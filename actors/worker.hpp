#pragma once

#include "actors/messages.hpp"
#include "actors/services.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>

#include <deque>
#include <mutex>
#include <variant>

namespace troupe::actors {

/// The calls that have ended and that their supervisor has not seen yet: whatever carries a call out puts it
/// here. Only the first of a burst tells the supervisor, which then takes all there are. Thread-safe.
class ended_calls {
public:
  explicit ended_calls(caf::actor supervisor) : supervisor_{std::move(supervisor)} {}
  void put(std::shared_ptr<call> one);
  /// Swaps them with an empty vector.
  void take(std::vector<std::shared_ptr<call>>& into);

private:
  caf::actor supervisor_;
  std::mutex lock_;
  std::vector<std::shared_ptr<call>> calls_;
};

/// Simulated calls by the time at which they end, with one alarm for all of them. Thread-safe.
class simulated_calls {
public:
  /// True if nobody is going to look at that time: whoever adds it sees to simulations_due.
  [[nodiscard]] bool add(steady_time due, std::shared_ptr<call> one);
  /// Takes what is due. When to look again; nullopt: nothing is left, or somebody looks anyway.
  [[nodiscard]] std::optional<steady_time> take(steady_time now, std::vector<std::shared_ptr<call>>& into);

private:
  struct entry {
    steady_time due;
    std::shared_ptr<call> what;
  };
  std::mutex lock_;
  std::deque<entry> calls_;          ///< by time
  std::optional<steady_time> alarm_; ///< when somebody looks
};

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
  struct by_simulation {
    config::simulate_handler as;
    std::shared_ptr<simulated_calls> calls;
  };
  std::string actor;
  std::string group;
  std::shared_ptr<journal::call_journal>
      journal; ///< of the calls that can kill the process; none without `state`
  std::variant<by_function, by_http, by_simulation> how;
  std::shared_ptr<std::atomic<std::size_t>> under_way; ///< calls begun and not ended
  std::shared_ptr<ended_calls> ended;
  caf::actor supervisor;

  [[nodiscard]] bool blocking() const {
    const auto* f = std::get_if<by_function>(&how);
    return f && std::holds_alternative<blocking_handler>(f->run);
  }
};

/// A pool slot: carries out one call at a time. It only starts calls and never waits for them; the answer
/// goes to the supervisor past it, so that a dying worker takes no outcome with it.
struct worker_state {
  static inline const char* name = "worker";
  explicit worker_state(caf::event_based_actor* ptr) : self{ptr} {}
  caf::behavior make_behavior(std::shared_ptr<const call_route> by);

  void begin(const std::shared_ptr<call>& what);

  caf::event_based_actor* self;
  std::shared_ptr<const call_route> route;
};
caf::behavior worker(caf::stateful_actor<worker_state>* self, std::shared_ptr<const call_route> route);

/// What a simulated call that is due answers.
outcome end_simulated(const config::simulate_handler& how, const call& what);

} // namespace troupe::actors

#pragma once

#include "actors/messages.hpp"
#include "actors/publisher.hpp"
#include "actors/services.hpp"
#include "engine/policy/restart_budget.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>

#include <functional>
#include <set>

namespace troupe::actors {

/// The root of the tree: starts what the config names, replaces what dies, reloads, and stops all of it in
/// order: generators, then supervisors (drain, commit, leave), then the producers.
struct conductor_state {
  static inline const char* name = "conductor";
  explicit conductor_state(caf::event_based_actor* ptr) : self{ptr} {}
  caf::behavior make_behavior(services* shared, publisher_front* front, std::function<void(int)> ended);

  enum class role { supervisor, generator, ingest };
  struct child {
    config::actor what;
    role as = role::supervisor;
    caf::actor actor;
    bool restart = false; ///< stopped to come back with another config
  };

  void spawn_publisher();
  void spawn_telemetry();
  void tell_cast();
  void spawn_child(child& c);
  void on_down(const caf::down_msg& m);
  void stop(int exit_code);
  void stop_next();
  void ask_flush();
  void reload(const config::settings& next);
  void update_ready();
  void watch_memory();
  void pass_on(const pool_order& what);
  void say_goodbye();

  caf::event_based_actor* self;
  services* shared = nullptr;
  publisher_front* front = nullptr;
  std::function<void(int)> ended;
  caf::actor publisher;
  caf::actor telemetry; ///< none without Redis
  std::vector<child> children;
  std::set<std::string> waiting_for; ///< whose group has not let them in yet, or whose door is not open
  policy::restart_budget budget{50, milliseconds{60'000}};
  int exit_code = 0;
  bool stopping = false, flushing = false, flushed = false, leaving = false;
  steady_time stop_at{};
};
/// `ended` is called once, with the exit code, when everything has stopped.
caf::behavior conductor(caf::stateful_actor<conductor_state>* self, services* shared, publisher_front* front,
                        std::function<void(int)> ended);

} // namespace troupe::actors

#pragma once

#include "actors/messages.hpp"
#include "actors/services.hpp"
#include "actors/worker.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace troupe::actors {

using namespace std::chrono_literals;

/// Actors on a scheduler and a clock that the test drives. Nothing here may be told by another thread: the
/// test's scheduler is its own.
class Stage : public testing::Test {
protected:
  static caf::actor_system_config& set_up(caf::actor_system_config& c) {
    c.set("scheduler.policy", caf::atom("testing"));
    c.set("logger.verbosity", caf::atom("quiet"));
    return c;
  }
  void TearDown() override {
    for (const auto& a : cast_)
      caf::anon_send_exit(a, caf::exit_reason::user_shutdown);
    sched.run();
  }
  /// Everybody gets an exit in TearDown: a ticking actor would keep the system waiting for good.
  template <class... Ts>
  caf::actor enter(Ts&&... args) {
    cast_.push_back(sys.spawn(std::forward<Ts>(args)...));
    return cast_.back();
  }
  /// An actor that keeps what it gets of one kind of message.
  template <class M>
  caf::actor keeper(std::vector<M>& into) {
    return enter([&into](caf::event_based_actor*) -> caf::behavior {
      return {[&into](const M& m) { into.push_back(m); }};
    });
  }

  services& open_services() {
    shared_ = std::make_unique<services>(config::settings{}, no_handlers_);
    return *shared_;
  }

private:
  // Before the system: services outlive every actor.
  handlers no_handlers_;
  std::unique_ptr<services> shared_;

protected:
  caf::actor_system_config cfg_;
  caf::actor_system sys{set_up(cfg_)};
  caf::scheduler::test_coordinator& sched = dynamic_cast<caf::scheduler::test_coordinator&>(sys.scheduler());

private:
  std::vector<caf::actor> cast_;
};

/// Actors on threads, for those that other threads call back; the test is `me`, and waits with a bound.
class LiveStage : public testing::Test {
protected:
  static caf::actor_system_config& set_up(caf::actor_system_config& c) {
    c.set("scheduler.policy", caf::atom("sharing"));
    c.set("scheduler.max-threads", 2U);
    c.set("logger.verbosity", caf::atom("quiet"));
    return c;
  }
  void TearDown() override {
    for (const auto& a : cast_)
      caf::anon_send_exit(a, caf::exit_reason::user_shutdown);
  }
  template <class... Ts>
  caf::actor enter(Ts&&... args) {
    cast_.push_back(sys.spawn(std::forward<Ts>(args)...));
    return cast_.back();
  }
  [[nodiscard]] caf::actor as_actor() { return caf::actor_cast<caf::actor>(me.ptr()); }

  /// The next message of this kind; others wait.
  template <class M>
  std::optional<M> next(std::chrono::milliseconds bound = 20s) {
    std::optional<M> got;
    me->receive([&](const M& m) { got = m; }, caf::after(bound) >> [] {});
    return got;
  }

  services& open_services(kafka::connection to) {
    shared_ = std::make_unique<services>(config::settings{}, no_handlers_);
    shared_->kafka = std::move(to);
    return *shared_;
  }

private:
  // Before the system: services outlive every actor.
  handlers no_handlers_;
  std::unique_ptr<services> shared_;

protected:
  caf::actor_system_config cfg_;
  caf::actor_system sys{set_up(cfg_)};
  caf::scoped_actor me{sys};

private:
  std::vector<caf::actor> cast_;
};

/// A call of one event, as a supervisor makes it.
inline std::shared_ptr<call> call_of(std::string key, std::optional<std::string> value, unsigned attempt = 1,
                                     std::chrono::milliseconds deadline = 60s) {
  static const auto topic = std::make_shared<const std::string>("orders");
  auto event = std::make_shared<record>();
  event->topic = topic;
  event->partition = 3;
  event->offset = 17;
  event->key = std::move(key);
  event->value = std::move(value);
  auto made =
      std::make_shared<call>(std::make_shared<const surroundings>(surroundings{"billing", {}, nullptr}),
                             attempt, std::chrono::steady_clock::now() + deadline, nullptr);
  made->slot = 2;
  made->event = std::move(event);
  return made;
}

} // namespace troupe::actors

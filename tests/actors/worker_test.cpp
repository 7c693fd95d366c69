#include "tests/actors/stage.hpp"

#include <stdexcept>

namespace troupe::actors {
namespace {

std::shared_ptr<call_route> route_to(const caf::actor& supervisor) {
  auto route = std::make_shared<call_route>();
  route->actor = "billing";
  route->under_way = std::make_shared<std::atomic<std::size_t>>(0);
  route->supervisor = supervisor;
  route->ended = std::make_shared<ended_calls>(supervisor);
  return route;
}

using call_list = std::vector<std::shared_ptr<call>>;

struct WorkerOnStage : Stage {
  std::size_t told = 0;  ///< how often there were ended calls
  std::size_t looks = 0; ///< how often simulated calls were to be looked at
  call_list ended;       ///< in the order in which they did
  std::shared_ptr<call_route> route;

  /// In the place of the supervisor, with what it does on these messages.
  void SetUp() override {
    const auto supervisor = enter([this](caf::event_based_actor* self) -> caf::behavior {
      return {[this](const calls_ended&) {
                ++told;
                take_ended();
              },
              [this, self](const simulations_due&) {
                ++looks;
                const auto now = self->clock().now();
                if (const auto next = simulated->take(now, ended))
                  self->delayed_send(self, *next - now, simulations_due{});
              }};
    });
    route = route_to(supervisor);
  }
  void take_ended() {
    call_list some;
    route->ended->take(some);
    ended.insert(ended.end(), some.begin(), some.end());
  }
  void simulate(milliseconds latency) {
    route->how = call_route::by_simulation{{.latency = latency, .fail = 0, .permanent = 0}, simulated};
  }
  void pass(milliseconds time) {
    sched.advance_time(time);
    sched.run();
  }

  std::shared_ptr<simulated_calls> simulated = std::make_shared<simulated_calls>();
};

TEST_F(WorkerOnStage, SimulatedCallEndsAfterItsLatencyAndNotBefore) {
  simulate(100ms);
  const auto w = enter(worker, route);
  const auto what = call_of("k", "{}");
  caf::anon_send(w, begin_call{what});
  sched.run();
  pass(99ms);
  EXPECT_TRUE(ended.empty());
  pass(1ms);
  EXPECT_EQ(ended, call_list{what});
}

TEST_F(WorkerOnStage, SimulatedCallsOfAllWorkersShareOneAlarm) {
  simulate(100ms);
  const auto one = enter(worker, route);
  const auto other = enter(worker, route);
  const auto first = call_of("k", "{}");
  const auto second = call_of("k", "{}");
  const auto third = call_of("k", "{}");
  caf::anon_send(one, begin_call{first});
  caf::anon_send(other, begin_call{second});
  sched.run();
  pass(40ms);
  caf::anon_send(one, begin_call{third});
  sched.run();
  pass(60ms);
  EXPECT_EQ(ended, (call_list{first, second}));
  EXPECT_EQ(looks, 1U);
  pass(39ms);
  EXPECT_EQ(ended.size(), 2U);
  pass(1ms);
  EXPECT_EQ(ended, (call_list{first, second, third}));
  EXPECT_EQ(looks, 2U);
}

TEST_F(WorkerOnStage, SimulatedCallThatMustEndSoonerDoesNotWaitForTheOthers) {
  simulate(100s);
  const auto w = enter(worker, route);
  const auto late = call_of("k", "{}", 1, 1h);
  const auto soon = call_of("k", "{}", 1, 0ms);
  caf::anon_send(w, begin_call{late});
  caf::anon_send(w, begin_call{soon});
  sched.run();
  pass(0ms);
  EXPECT_EQ(ended, call_list{soon});
  pass(100s);
  EXPECT_EQ(ended, (call_list{soon, late}));
}

TEST_F(WorkerOnStage, SimulatedCallNeverCountsAsBegunSoThatADeathGivesItBackAtOnce) {
  simulate(100ms);
  const auto w = enter(worker, route);
  const auto what = call_of("k", "{}");
  caf::anon_send(w, begin_call{what});
  sched.run();
  EXPECT_FALSE(what->begun);
  EXPECT_EQ(*route->under_way, 0U);
}

TEST(SimulatedOutcome, FailsTransientlyOrPermanentlyAsConfigured) {
  const auto what = call_of("k", "{}");
  const config::simulate_handler flaky{.latency = 0ms, .fail = 1, .permanent = 0};
  EXPECT_EQ(end_simulated(flaky, *what).kind, verdict::transient);
  const config::simulate_handler dead{.latency = 0ms, .fail = 1, .permanent = 1};
  const auto result = end_simulated(dead, *what);
  EXPECT_EQ(result.kind, verdict::permanent);
  EXPECT_EQ(result.error_class, "simulated");
  const config::simulate_handler fine{.latency = 1ms, .fail = 0, .permanent = 0};
  EXPECT_EQ(end_simulated(fine, *what).kind, verdict::success);
}

TEST(SimulatedOutcome, IsTransientPastTheDeadline) {
  const config::simulate_handler slow{.latency = 10s, .fail = 0, .permanent = 0};
  const auto result = end_simulated(slow, *call_of("k", "{}", 1, 0ms));
  EXPECT_EQ(result.kind, verdict::transient);
  EXPECT_EQ(result.error_class, "deadline");
}

TEST_F(WorkerOnStage, OnlyTheFirstOfABurstOfAnswersTellsTheSupervisor) {
  std::vector<completion> later;
  route->how =
      call_route::by_function{async_handler{[&](const record_ptr&, const std::shared_ptr<context>&,
                                                completion done) { later.push_back(std::move(done)); }},
                              nullptr};
  const auto w = enter(worker, route);
  for (int i = 0; i < 3; ++i)
    caf::anon_send(w, begin_call{call_of("k", "{}")});
  sched.run();
  ASSERT_EQ(later.size(), 3U);
  later[2](outcome::success());
  later[0](outcome::success());
  sched.run();
  EXPECT_EQ(ended.size(), 2U);
  EXPECT_EQ(told, 1U);
  later[1](outcome::success());
  sched.run();
  EXPECT_EQ(ended.size(), 3U);
  EXPECT_EQ(told, 2U) << "whoever comes after the look is told again";
}

TEST_F(WorkerOnStage, OnlyTheFirstAnswerOfACallCounts) {
  completion twice;
  route->how = call_route::by_function{async_handler{[&](const record_ptr&, const std::shared_ptr<context>&,
                                                         completion done) { twice = std::move(done); }},
                                       nullptr};
  const auto w = enter(worker, route);
  caf::anon_send(w, begin_call{call_of("k", "{}")});
  sched.run();
  twice(outcome::permanent("no"));
  twice(outcome::success());
  sched.run();
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0]->result.kind, verdict::permanent);
}

TEST_F(WorkerOnStage, AsynchronousAnswerReachesTheSupervisorAlsoAfterTheWorkersDeath) {
  completion later;
  route->how = call_route::by_function{
      async_handler{[&](record_ptr event, std::shared_ptr<context> c, completion done) {
        EXPECT_EQ(event->id(), "orders/3/17");
        EXPECT_EQ(c->attempt(), 4U);
        later = std::move(done);
      }},
      nullptr};
  const auto w = enter(worker, route);
  const auto what = call_of("k", "{}", 4);
  caf::anon_send(w, begin_call{what});
  sched.run();
  EXPECT_TRUE(what->begun);
  EXPECT_EQ(*route->under_way, 1U);
  EXPECT_TRUE(ended.empty());
  caf::anon_send_exit(w, caf::exit_reason::user_shutdown);
  sched.run();
  ASSERT_TRUE(later);
  later(outcome::permanent("no", "bad"));
  later = nullptr;
  sched.run();
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0], what);
  EXPECT_EQ(ended[0]->result.kind, verdict::permanent);
  EXPECT_EQ(ended[0]->result.error_class, "bad");
  EXPECT_EQ(*route->under_way, 0U);
}

TEST_F(WorkerOnStage, AsynchronousHandlerThatForgetsItsAnswerIsNoLongerUnderWay) {
  route->how = call_route::by_function{async_handler{[](record_ptr, std::shared_ptr<context>, completion) {}},
                                       nullptr};
  const auto w = enter(worker, route);
  caf::anon_send(w, begin_call{call_of("k", "{}")});
  sched.run();
  EXPECT_TRUE(ended.empty());
  EXPECT_EQ(*route->under_way, 0U);
}

TEST_F(WorkerOnStage, AsynchronousHandlerThatThrowsIsTransientAndTheWorkerLives) {
  int calls = 0;
  route->how =
      call_route::by_function{async_handler{[&](record_ptr, std::shared_ptr<context>, const completion&) {
                                if (++calls == 1) throw std::runtime_error{"out of luck"};
                                throw 42;
                              }},
                              nullptr};
  const auto w = enter(worker, route);
  caf::anon_send(w, begin_call{call_of("k", "{}")});
  caf::anon_send(w, begin_call{call_of("k", "{}")});
  sched.run();
  ASSERT_EQ(ended.size(), 2U);
  EXPECT_EQ(ended[0]->result.kind, verdict::transient);
  EXPECT_EQ(ended[0]->result.reason, "out of luck");
  EXPECT_EQ(ended[1]->result.kind, verdict::transient);
  EXPECT_EQ(ended[1]->result.error_class, "exception");
}

struct WorkerOnThreads : LiveStage {
  outcome call_blocking(blocking_handler h) {
    auto route = route_to(as_actor());
    route->how = call_route::by_function{std::move(h), std::make_shared<executor>(1)};
    const auto w = enter(worker, std::shared_ptr<const call_route>{route});
    caf::anon_send(w, begin_call{call_of("k", "body")});
    call_list ended;
    if (next<calls_ended>()) route->ended->take(ended);
    if (ended.size() == 1) return ended[0]->result;
    ADD_FAILURE() << "no answer";
    return {};
  }
};

TEST_F(WorkerOnThreads, BlockingHandlerSeesItsEventAndItsResultIsTheAnswer) {
  const auto result = call_blocking([](const record& e, context& c) {
    EXPECT_EQ(*e.value, "body");
    EXPECT_EQ(c.actor(), "billing");
    return outcome::unavailable("closed", 3s);
  });
  EXPECT_EQ(result.kind, verdict::unavailable);
  EXPECT_EQ(result.retry_after, milliseconds{3000});
}

TEST_F(WorkerOnThreads, BlockingHandlerThatThrowsIsTransientWithTheReason) {
  const auto result =
      call_blocking([](const record&, context&) -> outcome { throw std::logic_error{"oh no"}; });
  EXPECT_EQ(result.kind, verdict::transient);
  EXPECT_EQ(result.reason, "oh no");
  EXPECT_EQ(result.error_class, "exception");
}

TEST_F(WorkerOnThreads, BlockingHandlerThatThrowsAnIntIsTransientToo) {
  const auto result = call_blocking([](const record&, context&) -> outcome { throw 7; });
  EXPECT_EQ(result.kind, verdict::transient);
  EXPECT_EQ(result.error_class, "exception");
}

} // namespace
} // namespace troupe::actors

#include "tests/actors/stage.hpp"

#include <stdexcept>

namespace troupe::actors {
namespace {

std::shared_ptr<call_route> route_to(const caf::actor& supervisor) {
  auto route = std::make_shared<call_route>();
  route->actor = "billing";
  route->under_way = std::make_shared<std::atomic<std::size_t>>(0);
  route->supervisor = supervisor;
  return route;
}

struct WorkerOnStage : Stage {
  std::vector<call_ended> ended;
  std::shared_ptr<call_route> route = route_to(keeper(ended));
};

TEST_F(WorkerOnStage, SimulatedCallAnswersAfterItsLatencyAndNotBefore) {
  route->how = config::simulate_handler{.latency = 100ms, .fail = 0, .permanent = 0};
  const auto w = enter(worker, route);
  const auto what = call_of("k", "{}");
  caf::anon_send(w, begin_call{what});
  sched.run();
  sched.advance_time(99ms);
  sched.run();
  EXPECT_TRUE(ended.empty());
  sched.advance_time(1ms);
  sched.run();
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].slot, 2U);
  EXPECT_EQ(ended[0].serial, 41U);
  EXPECT_EQ(ended[0].result.kind, verdict::success);
}

TEST_F(WorkerOnStage, SimulatedCallNeverCountsAsBegunSoThatADeathGivesItBackAtOnce) {
  route->how = config::simulate_handler{.latency = 100ms, .fail = 0, .permanent = 0};
  const auto w = enter(worker, route);
  const auto what = call_of("k", "{}");
  caf::anon_send(w, begin_call{what});
  sched.run();
  EXPECT_FALSE(what->begun);
  EXPECT_EQ(*route->under_way, 0U);
  caf::anon_send_exit(w, caf::exit_reason::user_shutdown);
  sched.run();
  sched.advance_time(1s);
  sched.run();
  EXPECT_TRUE(ended.empty());
}

TEST_F(WorkerOnStage, SimulatedFailuresAreTransientOrPermanentAsConfigured) {
  route->how = config::simulate_handler{.latency = 0ms, .fail = 1, .permanent = 0};
  const auto flaky = enter(worker, route);
  auto dead_route = std::make_shared<call_route>(*route);
  dead_route->how = config::simulate_handler{.latency = 0ms, .fail = 1, .permanent = 1};
  const auto dead = enter(worker, dead_route);
  caf::anon_send(flaky, begin_call{call_of("k", "{}")});
  caf::anon_send(dead, begin_call{call_of("k", "{}")});
  sched.run();
  sched.advance_time(0ms);
  sched.run();
  ASSERT_EQ(ended.size(), 2U);
  EXPECT_EQ(ended[0].result.kind, verdict::transient);
  EXPECT_EQ(ended[1].result.kind, verdict::permanent);
  EXPECT_EQ(ended[1].result.error_class, "simulated");
}

TEST_F(WorkerOnStage, SimulatedLatencyBeyondTheDeadlineIsTransient) {
  route->how = config::simulate_handler{.latency = 10s, .fail = 0, .permanent = 0};
  const auto w = enter(worker, route);
  caf::anon_send(w, begin_call{call_of("k", "{}", 1, 0ms)});
  sched.run();
  sched.advance_time(0ms);
  sched.run();
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].result.kind, verdict::transient);
  EXPECT_EQ(ended[0].result.error_class, "deadline");
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
  EXPECT_EQ(ended[0].result.kind, verdict::permanent);
  EXPECT_EQ(ended[0].result.error_class, "bad");
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
  EXPECT_EQ(ended[0].result.kind, verdict::transient);
  EXPECT_EQ(ended[0].result.reason, "out of luck");
  EXPECT_EQ(ended[1].result.kind, verdict::transient);
  EXPECT_EQ(ended[1].result.error_class, "exception");
}

struct WorkerOnThreads : LiveStage {
  outcome call_blocking(blocking_handler h) {
    auto route = route_to(as_actor());
    route->how = call_route::by_function{std::move(h), std::make_shared<executor>(1)};
    const auto w = enter(worker, std::shared_ptr<const call_route>{route});
    caf::anon_send(w, begin_call{call_of("k", "body")});
    const auto answer = next<call_ended>();
    if (!answer) {
      ADD_FAILURE() << "no answer";
      return {};
    }
    EXPECT_EQ(answer->serial, 41U);
    return answer->result;
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

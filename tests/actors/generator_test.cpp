#include "actors/generator.hpp"
#include "tests/actors/stage.hpp"

namespace troupe::actors {
namespace {

config::actor made_up(std::optional<unsigned> keys = {}, std::string key = {}) {
  config::generate_actor g;
  g.topic = "telemetry-events";
  g.keys = keys;
  g.key = std::move(key);
  g.value = R"({"status":"healthy"})";
  g.every = 500ms;
  g.acks = config::acks::one;
  g.timeout = 7s;
  return {"load", g, "", {}};
}

struct Generator : Stage {
  std::vector<publish_request> requests;
  caf::actor out = keeper(requests);

  caf::actor start(config::actor what) {
    const auto g = enter(generator, &open_services(), std::move(what), out);
    sched.run();
    return g;
  }
  void pass(std::chrono::milliseconds time) {
    sched.advance_time(time);
    sched.run();
  }
  std::vector<std::optional<std::string>> keys_of(const publish_request& r) {
    std::vector<std::optional<std::string>> all;
    for (const auto& e : *r.events)
      all.push_back(e.key);
    return all;
  }
};

using key_list = std::vector<std::optional<std::string>>;

TEST_F(Generator, MakesOneEventPerKeyAtATick) {
  start(made_up(3));
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(keys_of(requests[0]), (key_list{"device-1", "device-2", "device-3"}));
  EXPECT_EQ(requests[0].acks, config::acks::one);
  EXPECT_EQ(requests[0].timeout, milliseconds{7000});
  for (const auto& e : *requests[0].events) {
    EXPECT_EQ(e.topic, "telemetry-events");
    EXPECT_EQ(e.value, R"({"status":"healthy"})");
  }
}

TEST_F(Generator, UsesTheOneKeyOrNone) {
  start(made_up({}, "device-101"));
  start(made_up());
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(keys_of(requests[0]), (key_list{"device-101"}));
  EXPECT_EQ(keys_of(requests[1]), (key_list{std::nullopt}));
}

TEST_F(Generator, ALateTickDoesNotShiftTheNextOnes) {
  start(made_up());
  ASSERT_EQ(requests.size(), 1U);
  pass(499ms);
  EXPECT_EQ(requests.size(), 1U);
  pass(151ms); // the tick of 500 ms comes at 650 ms
  EXPECT_EQ(requests.size(), 2U);
  pass(349ms);
  EXPECT_EQ(requests.size(), 2U);
  pass(1ms); // 1000 ms
  EXPECT_EQ(requests.size(), 3U);
}

TEST_F(Generator, MissedTicksAreSkippedAndNotMadeUpForInABurst) {
  start(made_up());
  pass(60s);
  EXPECT_LE(requests.size(), 3U);
  const auto before = requests.size();
  pass(499ms);
  EXPECT_LE(requests.size(), before + 1);
}

TEST_F(Generator, WaitsWhileTooMuchIsUnacknowledgedAndGoesOnAfterwards) {
  const auto g = start(made_up());
  for (int i = 0; i < 100; ++i)
    pass(500ms);
  EXPECT_EQ(requests.size(), 16U);
  caf::anon_send(g, published{requests[0].token, std::nullopt});
  sched.run();
  EXPECT_EQ(requests.size(), 16U); // at the next tick, not before
  pass(500ms);
  EXPECT_EQ(requests.size(), 17U);
  pass(500ms);
  EXPECT_EQ(requests.size(), 17U);
}

TEST_F(Generator, ARefusedRequestGivesItsPlaceBackToo) {
  const auto g = start(made_up());
  for (int i = 0; i < 20; ++i)
    pass(500ms);
  ASSERT_EQ(requests.size(), 16U);
  caf::anon_send(g, published{requests[0].token, error{errc::refused, "no such topic"}});
  pass(500ms);
  EXPECT_EQ(requests.size(), 17U);
}

TEST_F(Generator, FollowsTheNewPublisherWithoutWaitingForTheOldOnesAnswers) {
  const auto g = start(made_up());
  for (int i = 0; i < 20; ++i)
    pass(500ms);
  ASSERT_EQ(requests.size(), 16U);
  std::vector<publish_request> later;
  caf::anon_send(g, new_publisher{keeper(later)});
  sched.run();
  pass(500ms);
  EXPECT_EQ(requests.size(), 16U);
  EXPECT_EQ(later.size(), 1U);
}

TEST_F(Generator, ReloadedItMakesTheNewEvents) {
  const auto g = start(made_up());
  auto next = made_up(2);
  std::get<config::generate_actor>(next.kind).value = "{}";
  caf::anon_send(g, reload_order{next});
  sched.run();
  pass(500ms);
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(keys_of(requests[1]), (key_list{"device-1", "device-2"}));
  EXPECT_EQ(requests[1].events->at(0).value, "{}");
}

TEST_F(Generator, EndsWhenToldTo) {
  const auto g = start(made_up());
  caf::anon_send(g, stop_order{});
  sched.run();
  pass(5s);
  EXPECT_EQ(requests.size(), 1U);
}

} // namespace
} // namespace troupe::actors

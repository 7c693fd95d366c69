#include "actors/publisher.hpp"
#include "tests/actors/stage.hpp"
#include "tests/actors/topic_log.hpp"
#include "tests/actors/waiting.hpp"
#include "tests/engine/kafka/fixture.hpp"

#include <atomic>
#include <future>
#include <thread>

namespace troupe::actors {
namespace {

outgoing event_to(const std::string& topic, std::string value, std::optional<std::int32_t> partition = 0) {
  outgoing e;
  e.topic = topic;
  e.value = std::move(value);
  e.partition = partition;
  return e;
}

struct Publisher : LiveStage {
  void SetUp() override { broker.create("out", 1); }
  void down() { rd_kafka_mock_broker_set_down(broker.cluster.get(), 1); }
  void up() { rd_kafka_mock_broker_set_up(broker.cluster.get(), 1); }
  caf::actor start() { return enter(publisher, &shared); }
  std::size_t pending(config::acks acks = config::acks::all) {
    return shared.producer(acks, milliseconds{10'000}).value()->pending();
  }
  std::vector<std::string> written() {
    topic_log log{broker.at().brokers, "out", 1};
    EXPECT_TRUE(log.read_to_end(20s));
    std::vector<std::string> all;
    for (const auto& r : log.records())
      all.push_back(r.value->substr(0, 32));
    return all;
  }
  publish_request request(std::uint64_t token, std::vector<outgoing> events) {
    return {token, std::make_shared<std::vector<outgoing>>(std::move(events)), config::acks::all,
            milliseconds{10'000}, as_actor()};
  }

  kafka::rigged_broker broker;
  services& shared = open_services(broker.at());
};

using texts = std::vector<std::string>;

TEST_F(Publisher, CompletesARequestOnlyOnTheBrokersReport) {
  const auto p = start();
  down();
  caf::anon_send(p, request(7, {event_to("out", "a")}));
  ASSERT_TRUE(eventually(20s, [&] { return pending() == 1; }));
  EXPECT_FALSE(me->has_next_message());
  up();
  const auto answer = next<published>();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->token, 7U);
  EXPECT_FALSE(answer->failure) << answer->failure->detail;
  EXPECT_EQ(written(), (texts{"a"}));
}

TEST_F(Publisher, AnswersOnceWhenTheLastOfSeveralEventsIsReported) {
  const auto p = start();
  caf::anon_send(p, request(8, {event_to("out", "a"), event_to("out", "b"), event_to("out", "c")}));
  const auto answer = next<published>();
  ASSERT_TRUE(answer);
  EXPECT_FALSE(answer->failure);
  EXPECT_EQ(written(), (texts{"a", "b", "c"}));
  caf::anon_send(p, request(9, {event_to("out", "d")}));
  const auto second = next<published>();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->token, 9U); // not another answer to 8
}

TEST_F(Publisher, OneEventThatFailsFailsTheRequest) {
  const auto p = start();
  caf::anon_send(p, request(1, {event_to("out", "a"), event_to("out", "b", 99), event_to("out", "c")}));
  const auto answer = next<published>();
  ASSERT_TRUE(answer);
  ASSERT_TRUE(answer->failure);
  EXPECT_EQ(written(), (texts{"a", "c"}));
}

TEST_F(Publisher, WhatIsTooLargeDecidesOverWhatCanBeTriedAgain) {
  const auto p = start();
  const std::string huge(3U << 20, 'x');
  caf::anon_send(p, request(1, {event_to("out", "b", 99), event_to("out", huge)}));
  caf::anon_send(p, request(2, {event_to("out", huge), event_to("out", "b", 99)}));
  for (int i = 0; i < 2; ++i) {
    const auto answer = next<published>();
    ASSERT_TRUE(answer);
    ASSERT_TRUE(answer->failure);
    EXPECT_EQ(answer->failure->code, errc::too_large) << answer->failure->detail;
  }
}

TEST_F(Publisher, UserCodeHearsOfTheAcknowledgement) {
  publisher_front front;
  front.point_to(start());
  const auto r = front.publish_and_wait(event_to("out", "mine"), 20s);
  EXPECT_TRUE(r) << r.failure().detail;
  EXPECT_EQ(written(), (texts{"mine"}));
}

TEST_F(Publisher, UserCodeHearsOfItsDeadlineOnceThoughTheEventIsWrittenLater) {
  publisher_front front;
  front.point_to(start());
  down();
  std::atomic<int> answers{0};
  std::promise<result<void>> first;
  front.publish(event_to("out", "late"), 50ms, [&](result<void> r) {
    if (++answers == 1) first.set_value(std::move(r));
  });
  auto told = first.get_future();
  ASSERT_EQ(told.wait_for(20s), std::future_status::ready);
  const auto r = told.get();
  ASSERT_FALSE(r);
  EXPECT_EQ(r.failure().code, errc::timeout);
  up();
  ASSERT_TRUE(eventually(20s, [&] { return pending() == 0; }));
  EXPECT_EQ(written(), (texts{"late"}));
  EXPECT_EQ(answers, 1);
}

TEST_F(Publisher, UserCodeIsAnsweredWhenThePublisherIsDead) {
  publisher_front front;
  const auto p = start();
  front.point_to(p);
  me->monitor(p);
  caf::anon_send_exit(p, caf::exit_reason::unhandled_exception);
  bool ended = false;
  me->receive([&](const caf::down_msg&) { ended = true; }, caf::after(std::chrono::seconds{20}) >> [] {});
  ASSERT_TRUE(ended);
  const auto r = front.publish_and_wait(event_to("out", "x"), 20s);
  ASSERT_FALSE(r);
  EXPECT_EQ(r.failure().code, errc::timeout);
}

TEST_F(Publisher, UserCodeIsAnsweredWhenNothingRuns) {
  publisher_front front;
  const auto r = front.publish_and_wait(event_to("out", "x"), 20s);
  ASSERT_FALSE(r);
  EXPECT_EQ(r.failure().code, errc::unavailable);
}

TEST_F(Publisher, FlushTellsWhetherAllWasAcknowledged) {
  const auto p = start();
  caf::anon_send(p, request(1, {event_to("out", "a")}));
  caf::anon_send(p, flush_producers{20s, as_actor()});
  const auto flushed = next<producers_flushed>();
  ASSERT_TRUE(flushed);
  EXPECT_TRUE(flushed->all);
  down();
  caf::anon_send(p, request(2, {event_to("out", "b")}));
  caf::anon_send(p, flush_producers{50ms, as_actor()});
  const auto not_flushed = next<producers_flushed>();
  ASSERT_TRUE(not_flushed);
  EXPECT_FALSE(not_flushed->all);
}

TEST(ReportOnce, AnswersOnceHoweverManyThreadsTry) {
  std::atomic<int> answers{0};
  {
    report_once once{[&](const result<void>&) { ++answers; }};
    std::vector<std::thread> all;
    for (int i = 0; i < 8; ++i)
      all.emplace_back([&] { once.answer({}); });
    for (auto& t : all)
      t.join();
  }
  EXPECT_EQ(answers, 1);
}

TEST(ReportOnce, DroppedItSaysThatTheOutcomeIsUnknown) {
  std::optional<result<void>> got;
  {
    const report_once once{[&](result<void> r) { got = std::move(r); }};
  }
  ASSERT_TRUE(got);
  ASSERT_FALSE(*got);
  EXPECT_EQ(got->failure().code, errc::timeout);
}

} // namespace
} // namespace troupe::actors

#include "actors/dead_letter_writer.hpp"
#include "tests/actors/stage.hpp"
#include "tests/actors/topic_log.hpp"
#include "tests/actors/waiting.hpp"
#include "tests/engine/kafka/fixture.hpp"

namespace troupe::actors {
namespace {

constexpr std::int16_t produce_request = 0;

outgoing letter(std::string value) {
  outgoing e;
  e.topic = "orders.billing.dlq";
  e.key = "k";
  e.value = std::move(value);
  e.headers = {{"error", "it is poison"}, {"original-topic", "orders"}};
  e.timestamp_ms = 1'700'000'000'123;
  return e;
}

struct DeadLetterWriter : LiveStage {
  void SetUp() override { broker.create("orders.billing.dlq", 1); }
  caf::actor start() { return enter(dead_letter_writer, &shared, as_actor(), std::string{"billing"}); }
  std::vector<record> written() {
    topic_log log{broker.at().brokers, "orders.billing.dlq", 1};
    EXPECT_TRUE(log.read_to_end(20s));
    return log.records();
  }
  std::size_t pending() {
    return shared.producer(config::acks::all, milliseconds{60'000}).value()->pending();
  }

  kafka::rigged_broker broker;
  services& shared = open_services(broker.at());
};

TEST_F(DeadLetterWriter, AnswersWhenTheBrokerHasTheLetterAsItIs) {
  const auto w = start();
  caf::anon_send(w, bury{5, letter("x"), {}});
  const auto done = next<buried>();
  ASSERT_TRUE(done);
  EXPECT_EQ(done->id, 5U);
  const auto all = written();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].key, "k");
  EXPECT_EQ(all[0].value, "x");
  EXPECT_EQ(all[0].timestamp_ms, 1'700'000'000'123);
  EXPECT_EQ(all[0].headers, letter("x").headers);
}

TEST_F(DeadLetterWriter, DoesNotAnswerWhileTheBrokerIsAway) {
  const auto w = start();
  rd_kafka_mock_broker_set_down(broker.cluster.get(), 1);
  caf::anon_send(w, bury{5, letter("x"), {}});
  ASSERT_TRUE(eventually(20s, [&] { return pending() == 1; }));
  EXPECT_FALSE(me->has_next_message());
  rd_kafka_mock_broker_set_up(broker.cluster.get(), 1);
  ASSERT_TRUE(next<buried>());
  EXPECT_EQ(written().size(), 1U);
}

TEST_F(DeadLetterWriter, TriesARefusedLetterAgainVerbatimUntilItIsTaken) {
  for (int i = 0; i < 3; ++i)
    broker.spoil(produce_request, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
  const auto w = start();
  caf::anon_send(w, bury{5, letter("x"), {}});
  const auto done = next<buried>();
  ASSERT_TRUE(done);
  EXPECT_EQ(done->id, 5U);
  const auto all = written(); // there already when the answer came
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].value, "x");
  EXPECT_EQ(all[0].headers, letter("x").headers);
}

TEST_F(DeadLetterWriter, ALetterThatIsRefusedHoldsNoOtherUp) {
  auto lost = letter("x");
  lost.partition = 99; // never taken
  const auto w = start();
  caf::anon_send(w, bury{5, lost, {}});
  caf::anon_send(w, bury{6, letter("y"), {}});
  const auto done = next<buried>();
  ASSERT_TRUE(done);
  EXPECT_EQ(done->id, 6U);
  const auto all = written();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].value, "y");
}

TEST_F(DeadLetterWriter, ForgetsTheLettersOfPartitionsThatAreNoLongerOurs) {
  auto lost = letter("x");
  lost.partition = 99; // never taken
  const auto w = start();
  caf::anon_send(w, bury{5, lost, "poison"});
  caf::anon_send(w, forget_letters{});
  caf::anon_send(w, bury{5, letter("y"), "poison"}); // while it is known, it would not be written again
  ASSERT_TRUE(next<buried>());
  const auto all = written();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].value, "y");
  EXPECT_EQ(
      shared.metrics.counter("troupe_dlq_messages_total", {{"actor", "billing"}, {"error_type", "poison"}})
          .value(),
      1U);
}

TEST_F(DeadLetterWriter, WhatIsTooLargeGoesAsAnEnvelope) {
  const auto w = start();
  caf::anon_send(w, bury{5, letter(std::string(3U << 20, 'x')), {}});
  ASSERT_TRUE(next<buried>());
  const auto all = written();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].key, "k");
  EXPECT_EQ(all[0].value, flow::make_envelope(letter(std::string(3U << 20, 'x'))).value);
  EXPECT_EQ(header_of(all[0], "error"), "it is poison");
}

TEST_F(DeadLetterWriter, AskedTwiceForALetterItWritesItOnce) {
  const auto w = start();
  rd_kafka_mock_broker_set_down(broker.cluster.get(), 1);
  caf::anon_send(w, bury{5, letter("x"), {}});
  caf::anon_send(w, bury{5, letter("x"), {}});
  caf::anon_send(w, bury{6, letter("y"), {}});
  ASSERT_TRUE(eventually(20s, [&] { return pending() == 2; }));
  rd_kafka_mock_broker_set_up(broker.cluster.get(), 1);
  ASSERT_TRUE(next<buried>());
  ASSERT_TRUE(next<buried>());
  EXPECT_EQ(written().size(), 2U);
}

} // namespace
} // namespace troupe::actors

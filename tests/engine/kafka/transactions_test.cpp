#include "engine/kafka/transactions.hpp"

#include "tests/engine/kafka/fixture.hpp"

#include <gmock/gmock.h>

namespace troupe::kafka {
namespace {

using kind = transaction_outcome::kind;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::int16_t produce = 0, add_partitions = 24, add_offsets = 25; // as the protocol numbers them

/// A transactional client on the mock, which knows transactions well enough, and a member to speak for.
struct Transactions : testing::Test {
  rigged_broker broker;
  std::optional<member> seat;
  std::unique_ptr<transactions> client;

  void SetUp() override {
    for (const auto* topic : {"in", "a", "b"})
      broker.create(topic, 2);
    seat.emplace();
    seat->open(broker.at(), {"in"}, "group");
    ASSERT_TRUE(seat->joined());
    auto opened =
        transactions::open({.connection = broker.at(), .id = "app.actor.one", .trouble = {}, .log = {}});
    ASSERT_TRUE(opened) << opened.failure().detail;
    client = std::move(opened).value();
  }
  void says(const char* topic, rd_kafka_resp_err_t code) {
    rd_kafka_mock_topic_set_error(broker.cluster.get(), topic, code);
  }
  /// One input for each list of topics, with an event for each of them.
  transaction_outcome run(const std::vector<std::vector<std::string>>& inputs, std::size_t size = 10) {
    transaction what;
    for (const auto& topics : inputs) {
      std::vector<outgoing> events;
      for (const auto& topic : topics)
        events.push_back(numbered(topic, 1, 0, size).front());
      what.events.push_back(std::make_shared<const std::vector<outgoing>>(std::move(events)));
    }
    what.offsets = {{{"in", 0}, ++offset, {}}};
    auto now = seat->it->current_membership();
    EXPECT_TRUE(now);
    what.member = *now;
    return client->run(what);
  }
  static std::vector<std::size_t> refused(const transaction_outcome& outcome) {
    std::vector<std::size_t> inputs;
    for (const auto& one : outcome.refused)
      inputs.push_back(one.input);
    return inputs;
  }

  std::int64_t offset = 0;
};

TEST_F(Transactions, commit_what_is_taken) {
  EXPECT_EQ(run({{"a"}, {"b", "a"}, {}}).what, kind::committed);
  EXPECT_EQ(run({{"a"}}).what, kind::committed);
}

TEST_F(Transactions, need_no_offsets) {
  const auto events = std::make_shared<const std::vector<outgoing>>(numbered("a", 3));
  EXPECT_EQ(client->run({{events}, {}, {}}).what, kind::committed);
}

TEST_F(Transactions, name_the_inputs_whose_topic_is_missing_until_it_is_there) {
  says("missing", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  const auto outcome = run({{"a"}, {"missing"}, {"b", "missing"}, {"b"}});
  EXPECT_EQ(outcome.what, kind::refused);
  EXPECT_THAT(refused(outcome), ElementsAre(1, 2));
  EXPECT_EQ(outcome.refused[1].why.code, errc::refused);
  EXPECT_THAT(outcome.refused[1].why.detail, HasSubstr("publishing to missing: "));
  EXPECT_EQ(run({{"a"}, {"b"}}).what, kind::committed);
  EXPECT_EQ(run({{"missing"}}).what, kind::refused);
  says("missing", RD_KAFKA_RESP_ERR_NO_ERROR);
  EXPECT_EQ(run({{"missing"}}).what, kind::committed);
}

TEST_F(Transactions, name_the_inputs_whose_topic_is_hidden_or_invalid) {
  says("hidden", RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
  says("invalid", RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION);
  EXPECT_THAT(refused(run({{"invalid"}, {"a"}, {"hidden"}})), ElementsAre(0, 2));
}

TEST_F(Transactions, find_out_which_topic_may_not_be_written_to) {
  broker.spoil(add_partitions, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED); // and says no more
  broker.spoil(add_partitions, RD_KAFKA_RESP_ERR_NO_ERROR);                   // of a alone
  broker.spoil(add_partitions, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED); // of b alone
  const auto outcome = run({{"b"}, {"a"}, {"a", "b"}});
  EXPECT_EQ(outcome.what, kind::refused) << outcome.why.detail;
  EXPECT_THAT(refused(outcome), ElementsAre(0, 2));
  EXPECT_THAT(outcome.refused[0].why.detail, HasSubstr("publishing to b: "));
  EXPECT_EQ(run({{"a"}}).what, kind::committed);
}

TEST_F(Transactions, need_no_trial_where_there_is_one_topic) {
  broker.spoil(add_partitions, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
  EXPECT_THAT(refused(run({{"b"}, {"b"}})), ElementsAre(0, 1));
  EXPECT_EQ(run({{"b"}}).what, kind::committed);
}

TEST_F(Transactions, are_aborted_where_the_broker_calls_an_event_a_copy) {
  broker.spoil(produce, RD_KAFKA_RESP_ERR_DUPLICATE_SEQUENCE_NUMBER);
  const auto outcome = run({{"a"}});
  EXPECT_EQ(outcome.what, kind::aborted) << outcome.why.detail;
  EXPECT_THAT(outcome.why.detail, HasSubstr("publishing to a: "));
  EXPECT_EQ(run({{"a"}}).what, kind::committed);
}

TEST_F(Transactions, name_an_input_whose_event_alone_is_refused) {
  broker.spoil(produce, RD_KAFKA_RESP_ERR_INVALID_RECORD); // of the batch
  broker.spoil(produce, RD_KAFKA_RESP_ERR_INVALID_RECORD); // of the event alone
  const auto outcome = run({{}, {"a"}});
  EXPECT_EQ(outcome.what, kind::refused);
  EXPECT_THAT(refused(outcome), ElementsAre(1));
  EXPECT_EQ(run({{"a"}}).what, kind::committed);
}

TEST_F(Transactions, blame_nobody_for_who_was_in_the_same_batch) {
  broker.spoil(produce, RD_KAFKA_RESP_ERR_INVALID_RECORD); // of both
  broker.spoil(produce, RD_KAFKA_RESP_ERR_NO_ERROR);
  broker.spoil(produce, RD_KAFKA_RESP_ERR_INVALID_RECORD);
  EXPECT_THAT(refused(run({{"a"}, {"a"}})), ElementsAre(1));
}

TEST_F(Transactions, tell_what_is_too_large_from_what_is_refused) {
  says("missing", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  auto outcome = run({{"a"}, {"b"}}, 2'000'000);
  EXPECT_THAT(refused(outcome), ElementsAre(0, 1));
  EXPECT_EQ(outcome.refused[0].why.code, errc::too_large);
  outcome = run({{"missing"}}, 2'000'000);
  EXPECT_THAT(refused(outcome), ElementsAre(0));
  EXPECT_EQ(outcome.refused[0].why.code, errc::refused) << "first it must be let in at all";
}

TEST_F(Transactions, name_nobody_where_it_is_not_the_events) {
  broker.spoil(add_offsets, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED);
  const auto outcome = run({{"a"}, {"b"}});
  EXPECT_EQ(outcome.what, kind::aborted) << outcome.why.detail;
  EXPECT_THAT(outcome.refused, IsEmpty());
  EXPECT_EQ(run({{"a"}}).what, kind::committed);
}

} // namespace
} // namespace troupe::kafka

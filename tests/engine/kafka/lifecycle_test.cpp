#include "tests/engine/kafka/fixture.hpp"

#include <map>
#include <thread>

namespace troupe::kafka {
namespace {

struct Membership : testing::Test {
  rigged_broker broker;
  connection to = broker.at();
};

constexpr std::int16_t offset_commit = 8; // Kafka's number of the request

TEST_F(Membership, finds_committed_offset_and_metadata_again) {
  broker.create("orders", 2);
  {
    member one{to, "orders"};
    ASSERT_TRUE(one.joined());
    ASSERT_EQ(one.assigned.size(), 2U);
    for (const auto& before : one.assigned)
      EXPECT_EQ(before.offset, std::nullopt);
    one.it->assign({});
    one.it->commit({{{"orders", 1}, 41, "first"}, {{"orders", 1}, 42, "v1:3-7,9-9"}});
    ASSERT_TRUE(one.wait([&] { return one.commits.size() == 2; }));
    for (const auto& report : one.commits)
      EXPECT_FALSE(report.failure) << report.failure->detail;

    const auto asked = one.it->read_committed({{"orders", 1}}, seconds{10});
    ASSERT_TRUE(asked) << asked.failure().detail;
    EXPECT_EQ(asked->at(0).offset, 42);
    EXPECT_EQ(asked->at(0).metadata, "v1:3-7,9-9");
    EXPECT_EQ(one.close(seconds{10}), true);
  }
  member next{to, "orders"};
  ASSERT_TRUE(next.joined());
  for (const auto& found : next.assigned) {
    if (found.where.partition == 0) {
      EXPECT_EQ(found.offset, std::nullopt);
    } else {
      EXPECT_EQ(found.offset, 42);
      EXPECT_EQ(found.metadata, "v1:3-7,9-9");
    }
  }
}

TEST_F(Membership, answers_every_commit_also_those_that_fail) {
  broker.create("orders", 1);
  member one{to, "orders"};
  one.it->commit({{{"orders", 0}, 1, ""}}); // not assigned yet
  ASSERT_TRUE(one.wait([&] { return one.commits.size() == 1; }));
  ASSERT_TRUE(one.commits[0].failure);
  EXPECT_EQ(one.commits[0].failure->code, errc::conflict);

  ASSERT_TRUE(one.joined());
  one.it->assign({});
  one.it->commit({{{"orders", 0}, 5, ""}, {{"strange", 0}, 5, ""}, {{"orders", 0}, -1, ""}});
  ASSERT_TRUE(one.wait([&] { return one.commits.size() == 4; }));
  int refused = 0;
  for (const auto& report : one.commits)
    refused += report.failure.has_value();
  EXPECT_EQ(refused, 3);

  broker.spoil(offset_commit, RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS);
  one.it->commit({{{"orders", 0}, 6, ""}});
  ASSERT_TRUE(one.wait([&] { return one.commits.size() == 5; }));
  ASSERT_TRUE(one.commits[4].failure);
  EXPECT_EQ(one.commits[4].failure->code, errc::conflict);

  broker.spoil(offset_commit, RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE);
  one.it->commit({{{"orders", 0}, 6, "m"}});
  ASSERT_TRUE(one.wait([&] { return one.commits.size() == 6; }));
  ASSERT_TRUE(one.commits[5].failure);
  EXPECT_EQ(one.commits[5].failure->code, errc::too_large);
  EXPECT_NE(one.commits[5].failure->detail.find("orders [0]"), std::string::npos);
}

TEST_F(Membership, refuses_commits_of_a_member_that_was_thrown_out) {
  broker.create("orders", 1);
  member one{to, "orders"};
  ASSERT_TRUE(one.joined());
  auto queue = one.it->queue_of({"orders", 0}, one.waker());
  one.it->assign(one.from(0));
  broker.spoil(offset_commit, RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID);
  one.it->commit({{{"orders", 0}, 5, ""}});
  ASSERT_TRUE(one.wait([&] { return one.revocations == 1; }));
  one.it->commit({{{"orders", 0}, 6, ""}});
  ASSERT_TRUE(one.wait([&] { return one.commits.size() == 2; }));
  EXPECT_TRUE(one.commits[0].failure);
  EXPECT_TRUE(one.commits[1].failure);
  queue = {};
  one.it->release();
  ASSERT_TRUE(one.joined(2));
  EXPECT_EQ(one.assigned.at(0).offset, std::nullopt) << "neither commit took effect";
}

TEST_F(Membership, shares_the_partitions_when_a_second_member_joins) {
  broker.create("orders", 4);
  for (std::int32_t partition = 0; partition < 4; ++partition)
    publish(to, numbered("orders", 50, partition));
  member one{to, "orders"};
  ASSERT_TRUE(one.joined());
  ASSERT_EQ(one.assigned.size(), 4U);
  auto queue = one.it->joint_queue(one.parts(), one.waker());
  one.it->assign(one.from(0));
  ASSERT_EQ(one.read(queue, 200).size(), 200U);

  member two{to, "orders"};
  ASSERT_TRUE(one.wait([&] { return one.revocations == 1; }));
  EXPECT_EQ(two.assignments, 0) << "nothing is handed over before it is released";
  EXPECT_TRUE(one.read(queue, 1, milliseconds{0}).empty());

  // On a busy machine the coordinator hands all to one before it hears of the other, or counts a slow one
  // out: so each follows all it is told, as a group does, until both read their halves at the same time.
  struct follower {
    member& of;
    int assigned = 0;
    int revoked = 0;
    message_queue queue;
    std::vector<message> got;

    void follow() {
      int assignments = 0;
      int revocations = 0;
      of.change([&] {
        assignments = of.assignments;
        revocations = of.revocations;
      });
      if (revocations > revoked) {
        revoked = revocations;
        queue = {};
        got.clear();
        of.it->release();
      } else if (assignments > assigned) {
        assigned = assignments;
        queue = of.it->joint_queue(of.parts(), of.waker());
        of.it->assign(of.from(25));
      }
      queue.read(got, 64);
    }
    bool has_its_half() { return of.parts().size() == 2 && got.size() == 50; }
  };
  follower mine{one, 1, 0, std::move(queue), {}};
  follower yours{two, 0, 0, {}, {}};
  const auto by = std::chrono::steady_clock::now() + seconds{60};
  while (!(mine.has_its_half() && yours.has_its_half()) && std::chrono::steady_clock::now() < by) {
    mine.follow();
    yours.follow();
    std::this_thread::sleep_for(milliseconds{5});
  }

  std::map<std::int32_t, std::size_t> read;
  for (auto* each : {&mine, &yours}) {
    EXPECT_EQ(each->of.parts().size(), 2U);
    for (const auto& event : each->got)
      ++read[event.partition()];
  }
  EXPECT_EQ(read.size(), 4U);
  for (const auto& [partition, events] : read)
    EXPECT_EQ(events, 25U) << partition;
}

TEST_F(Membership, closes_with_events_left_lying_in_its_queues) {
  broker.create("orders", 3);
  for (std::int32_t partition = 0; partition < 3; ++partition)
    publish(to, numbered("orders", 1000, partition));
  member one{to, "orders"};
  ASSERT_TRUE(one.joined());
  const std::vector<topic_partition> pair{{"orders", 0}, {"orders", 1}};
  auto joint = one.it->joint_queue(pair, one.waker());
  auto single = one.it->queue_of({"orders", 2}, one.waker());
  one.it->assign(one.from(0));
  ASSERT_GE(one.read(joint, 10).size(), 10U);
  ASSERT_GE(one.read(single, 10).size(), 10U);
  one.it->assign(one.from(0)); // and everything comes once more, unread
  ASSERT_GE(one.read(joint, 10).size(), 10U);
  joint = {};
  single = {};
  EXPECT_EQ(one.close(seconds{20}), true);
}

TEST_F(Membership, keeps_its_deadline_when_a_queue_is_still_open) {
  broker.create("orders", 1);
  publish(to, numbered("orders", 10));
  member one{to, "orders"};
  ASSERT_TRUE(one.joined());
  auto queue = one.it->queue_of({"orders", 0}, one.waker());
  one.it->assign(one.from(0));
  ASSERT_EQ(one.read(queue, 10).size(), 10U);
  EXPECT_EQ(one.close(milliseconds{500}), false);
  std::vector<message> after;
  EXPECT_EQ(queue.read(after, 10), 0U);
}

TEST_F(Membership, keeps_its_deadline_when_the_broker_is_gone) {
  broker.create("orders", 1);
  member one{to, "orders"};
  ASSERT_TRUE(one.joined());
  rd_kafka_mock_broker_set_down(broker.cluster.get(), 1);
  EXPECT_TRUE(one.close(seconds{3}).has_value());
}

TEST_F(Membership, is_harmless_to_call_once_it_is_closed) {
  broker.create("orders", 1);
  member one{to, "orders"};
  ASSERT_TRUE(one.joined());
  ASSERT_EQ(one.close(seconds{20}), true);
  one.it->assign({{{"orders", 0}, 0}});
  one.it->release();
  EXPECT_FALSE(one.it->queue_of({"orders", 0}, one.waker()));
  EXPECT_FALSE(one.it->read_committed({{"orders", 0}}, seconds{1}));
  EXPECT_FALSE(one.it->query_watermarks({"orders", 0}, seconds{1}));
  EXPECT_FALSE(one.it->cached_watermarks({"orders", 0}));
  one.it->commit({{{"orders", 0}, 1, ""}});
  ASSERT_EQ(one.commits.size(), 1U);
  EXPECT_TRUE(one.commits[0].failure);
  EXPECT_EQ(one.close(seconds{5}), true);
}

TEST_F(Membership, names_a_missing_topic_and_begins_once_it_is_there) {
  // The mock creates whatever it is asked for; told otherwise, it behaves as a real broker does.
  broker.create("later", 1);
  rd_kafka_mock_topic_set_error(broker.cluster.get(), "later", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  member one{to, "later"};
  ASSERT_TRUE(one.wait([&] { return !one.troubles.empty(); }));
  EXPECT_EQ(one.troubles[0].code, errc::refused);
  EXPECT_NE(one.troubles[0].detail.find("later"), std::string::npos) << one.troubles[0].detail;
  EXPECT_FALSE(one.fatal);
  rd_kafka_mock_topic_set_error(broker.cluster.get(), "later", RD_KAFKA_RESP_ERR_NO_ERROR);
  ASSERT_TRUE(one.wait([&] { return !one.assigned.empty(); }));
}

TEST_F(Membership, says_that_no_broker_is_there) {
  connection nowhere;
  nowhere.brokers = "127.0.0.1:1";
  member one{nowhere, "orders"};
  ASSERT_TRUE(one.wait([&] { return !one.troubles.empty(); }));
  EXPECT_EQ(one.troubles[0].code, errc::unavailable);
  EXPECT_NE(one.troubles[0].detail.find("kafka.brokers"), std::string::npos) << one.troubles[0].detail;
  EXPECT_EQ(one.close(seconds{10}), true);
}

TEST_F(Membership, refuses_a_property_with_the_librarys_own_words) {
  consumer_config config;
  config.connection = to;
  config.connection.consumer = {{"fetch.wait.max.ms", "soon"}};
  config.group = "group";
  config.topics = {"orders"};
  const auto opened = consumer::open(config, {});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.failure().code, errc::bad_config);
  EXPECT_NE(opened.failure().detail.find("fetch.wait.max.ms"), std::string::npos) << opened.failure().detail;
}

} // namespace
} // namespace troupe::kafka

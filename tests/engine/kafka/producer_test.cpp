#include "tests/engine/kafka/fixture.hpp"

#include "engine/kafka/admin.hpp"

#include <functional>
#include <limits>
#include <map>
#include <span>

namespace troupe::kafka {
namespace {

struct Publishing : testing::Test {
  rigged_broker broker;
  connection to = broker.at();

  std::shared_ptr<producer> open(producer_config config) {
    auto opened = producer::open(std::move(config));
    EXPECT_TRUE(opened) << opened.failure().detail;
    return opened ? *opened : nullptr;
  }
  static outgoing keyed(std::string key) {
    outgoing event;
    event.topic = "orders";
    event.key = std::move(key);
    event.value = "v";
    return event;
  }
};

struct outcomes : signalled {
  std::vector<result<delivery>> all;
  producer::report report() {
    return [this](auto outcome) { change([&] { all.push_back(std::move(outcome)); }); };
  }
  bool come(std::size_t count) {
    return wait([&] { return all.size() >= count; });
  }
};

/// Of what was produced together, by its place.
struct shared_outcomes : signalled {
  std::multimap<std::size_t, result<delivery>> all;
  producer::reports reports() {
    return
        [this](std::size_t which, auto outcome) { change([&] { all.emplace(which, std::move(outcome)); }); };
  }
  bool come(std::size_t count) {
    return wait([&] { return all.size() >= count; });
  }
  std::vector<std::size_t> places(const std::function<bool(const result<delivery>&)>& that) const {
    std::vector<std::size_t> found;
    for (const auto& [which, outcome] : all)
      if (that(outcome)) found.push_back(which);
    return found;
  }
};

constexpr std::int16_t produce_request = 0; // Kafka's number of the request

TEST(Murmur2, is_the_one_of_java) {
  const std::vector<std::pair<std::string, std::int32_t>> known{
      {"21", -973932308},
      {"foobar", -790332482},
      {"a-little-bit-long-string", -985981536},
      {"a-little-bit-longer-string", -1486304829},
      {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
      {"abc", 479470107}};
  // With as many partitions as there are positive numbers, the partition is the hash without its sign.
  constexpr auto many = std::numeric_limits<std::int32_t>::max();
  for (const auto& [key, hash] : known)
    EXPECT_EQ(murmur2_partition(key, many), hash & many) << key;
}

TEST(Murmur2, is_the_one_of_librdkafka) {
  std::string key;
  for (int i = 0; i < 300; ++i) {
    key.push_back(static_cast<char>(i * 37));
    EXPECT_EQ(murmur2_partition(key, 17),
              rd_kafka_msg_partitioner_murmur2(nullptr, key.data(), key.size(), 17, nullptr, nullptr));
  }
}

TEST_F(Publishing, sends_a_key_to_the_partition_java_would) {
  broker.create("orders", 13);
  auto sender = open({.connection = to, .trouble = {}, .log = {}});
  for (int i = 0; i < 50; ++i) {
    outcomes told;
    const auto key = "customer-" + std::to_string(i);
    sender->produce(keyed(key), told.report());
    ASSERT_TRUE(told.come(1));
    ASSERT_TRUE(told.all[0]) << told.all[0].failure().detail;
    EXPECT_EQ(told.all[0]->partition, murmur2_partition(key, 13));
    EXPECT_GE(told.all[0]->offset, 0);
  }
  auto elsewhere = keyed("customer-1");
  elsewhere.partition = 12;
  outcomes told;
  sender->produce(elsewhere, told.report());
  ASSERT_TRUE(told.come(1));
  EXPECT_EQ(told.all[0]->partition, 12);
}

TEST_F(Publishing, answers_once_for_each_event) {
  broker.create("orders", 4);
  outcomes told;
  auto sender = open({.connection = to, .acks_all = false, .trouble = {}, .log = {}});
  std::vector<std::thread> senders;
  for (int thread = 0; thread < 4; ++thread)
    senders.emplace_back([&] {
      for (int i = 0; i < 500; ++i)
        sender->produce(keyed(std::to_string(i)), told.report());
    });
  for (auto& one : senders)
    one.join();
  EXPECT_TRUE(sender->flush(seconds{20}));
  EXPECT_EQ(sender->pending(), 0U);
  EXPECT_EQ(told.all.size(), 2000U);
  for (const auto& one : told.all)
    EXPECT_TRUE(one);
}

TEST_F(Publishing, answers_for_each_of_several_events) {
  broker.create("orders", 4);
  broker.create("clicks", 1);
  auto sender = open({.connection = to, .trouble = {}, .log = {}});
  std::vector<outgoing> events;
  for (int i = 0; i < 300; ++i) {
    events.push_back(keyed(std::to_string(i)));
    if (i % 2 == 1) events.back().topic = "clicks";
  }
  events[7].partition = 99; // there is none like it
  shared_outcomes told;
  sender->produce(events, told.reports());
  ASSERT_TRUE(told.come(events.size()));
  EXPECT_TRUE(sender->flush(seconds{20}));
  EXPECT_EQ(sender->pending(), 0U);
  EXPECT_EQ(told.places([](const auto& r) { return !r; }), (std::vector<std::size_t>{7}));
  ASSERT_EQ(told.all.size(), events.size());
  std::int64_t clicks = 0;
  for (std::size_t i = 0; i < events.size(); ++i) {
    ASSERT_EQ(told.all.count(i), 1U) << i;
    const auto& outcome = told.all.find(i)->second;
    if (!outcome) continue;
    EXPECT_EQ(outcome->partition, i % 2 == 1 ? 0 : murmur2_partition(*events[i].key, 4)) << i;
    if (i % 2 == 1) {
      EXPECT_EQ(outcome->offset, clicks++) << "in their order";
    }
  }
  shared_outcomes nothing;
  sender->produce(std::span<const outgoing>{}, nothing.reports());
  EXPECT_EQ(sender->pending(), 0U);
}

TEST_F(Publishing, answers_once_for_each_of_several_that_end_in_different_ways) {
  connection nowhere;
  nowhere.brokers = "127.0.0.1:1";
  nowhere.producer["queue.buffering.max.messages"] = "5";
  shared_outcomes told;
  auto sender = open({.connection = nowhere, .trouble = {}, .log = {}});
  sender->produce(std::vector(8, keyed("k")), told.reports());
  const auto full = [](const auto& r) {
    return !r && r.failure().detail.find("queue full") != std::string::npos;
  };
  EXPECT_EQ(told.places(full), (std::vector<std::size_t>{5, 6, 7})) << "at once";
  EXPECT_EQ(sender->pending(), 5U);
  sender.reset();
  EXPECT_EQ(told.places([](const auto& r) { return !r && r.failure().code == errc::timeout; }),
            (std::vector<std::size_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(told.all.size(), 8U);
}

TEST_F(Publishing, tries_alone_what_is_refused_for_its_neighbours_size) {
  broker.create("orders", 1);
  auto sender = open({.connection = to, .trouble = {}, .log = {}});
  broker.spoil(produce_request, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
  shared_outcomes told;
  sender->produce(std::vector(20, keyed("k")), told.reports());
  ASSERT_TRUE(told.come(20));
  EXPECT_TRUE(sender->flush(seconds{20}));
  EXPECT_EQ(told.places([](const auto& r) { return bool{r}; }).size(), 20U);
  EXPECT_EQ(told.all.size(), 20U);
}

TEST_F(Publishing, says_of_an_event_that_it_is_too_large) {
  broker.create("orders", 1);
  to.producer["message.max.bytes"] = "2000";
  auto sender = open({.connection = to, .trouble = {}, .log = {}});
  auto event = keyed("k");
  event.value = std::string(5000, 'x');
  outcomes told;
  sender->produce(event, told.report());
  ASSERT_TRUE(told.come(1));
  ASSERT_FALSE(told.all[0]);
  EXPECT_EQ(told.all[0].failure().code, errc::too_large);

  // The broker's limit, not ours: it refuses whole batches, so what it refused is tried alone before it is
  // too large.
  broker.spoil(produce_request, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
  sender->produce(keyed("k"), told.report());
  ASSERT_TRUE(told.come(2));
  EXPECT_TRUE(told.all[1]) << "refused for its neighbours' size";
  broker.spoil(produce_request, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
  broker.spoil(produce_request, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
  sender->produce(keyed("k"), told.report());
  ASSERT_TRUE(told.come(3));
  ASSERT_FALSE(told.all[2]);
  EXPECT_EQ(told.all[2].failure().code, errc::too_large);
}

TEST_F(Publishing, calls_unavailable_what_was_certainly_not_written) {
  connection nowhere;
  nowhere.brokers = "127.0.0.1:1";
  nowhere.producer["queue.buffering.max.messages"] = "5";
  auto sender = open({.connection = nowhere, .timeout = milliseconds{300}, .trouble = {}, .log = {}});
  outcomes told;
  for (int i = 0; i < 6; ++i)
    sender->produce(keyed("k"), told.report());
  ASSERT_TRUE(told.come(6));
  EXPECT_NE(told.all[0].failure().detail.find("local queue full"), std::string::npos)
      << told.all[0].failure().detail;
  for (const auto& one : told.all) {
    ASSERT_FALSE(one);
    EXPECT_EQ(one.failure().code, errc::unavailable) << one.failure().detail;
  }
}

TEST_F(Publishing, reports_what_is_undelivered_when_it_ends) {
  connection nowhere;
  nowhere.brokers = "127.0.0.1:1";
  outcomes told;
  auto sender = open({.connection = nowhere, .trouble = {}, .log = {}});
  for (int i = 0; i < 10; ++i)
    sender->produce(keyed("k"), told.report());
  EXPECT_EQ(sender->pending(), 10U);
  EXPECT_FALSE(sender->flush(milliseconds{10}));
  sender.reset();
  ASSERT_EQ(told.all.size(), 10U);
  for (const auto& one : told.all) {
    ASSERT_FALSE(one);
    EXPECT_EQ(one.failure().code, errc::timeout);
  }
}

TEST_F(Publishing, refuses_what_the_broker_refuses) {
  broker.create("orders", 1);
  auto sender = open({.connection = to, .trouble = {}, .log = {}});
  broker.spoil(produce_request, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
  outcomes told;
  sender->produce(keyed("k"), told.report());
  ASSERT_TRUE(told.come(1));
  ASSERT_FALSE(told.all[0]);
  EXPECT_EQ(told.all[0].failure().code, errc::refused);
}

TEST_F(Publishing, says_each_time_what_is_wrong_with_a_topics_name) {
  auto sender = open({.connection = to, .trouble = {}, .log = {}});
  auto event = keyed("k");
  event.topic = std::string(600, 't');
  outcomes told;
  for (int i = 0; i < 2; ++i) // librdkafka keeps its last error for each thread
    std::thread{[&] { sender->produce(event, told.report()); }}.join();
  ASSERT_EQ(told.all.size(), 2U);
  ASSERT_FALSE(told.all[0]);
  ASSERT_FALSE(told.all[1]);
  EXPECT_EQ(told.all[1].failure().code, told.all[0].failure().code);
  EXPECT_EQ(told.all[1].failure().detail, told.all[0].failure().detail);
}

TEST_F(Publishing, does_not_take_for_written_what_the_broker_calls_a_copy_of_what_it_never_got) {
  broker.create("orders", 1);
  auto sender = open({.connection = to, .trouble = {}, .log = {}});
  outcomes told;
  // The partition has taken nothing of this client yet.
  broker.spoil(produce_request, RD_KAFKA_RESP_ERR_DUPLICATE_SEQUENCE_NUMBER);
  sender->produce(keyed("k"), told.report());
  ASSERT_TRUE(told.come(1));
  ASSERT_FALSE(told.all[0]);
  EXPECT_EQ(told.all[0].failure().code, errc::timeout);
  EXPECT_NE(told.all[0].failure().detail.find("orders"), std::string::npos);
  sender->produce(keyed("k"), told.report());
  ASSERT_TRUE(told.come(2));
  ASSERT_TRUE(told.all[1]) << told.all[1].failure().detail;
  // Now it has: a copy is one whose first answer was lost.
  broker.spoil(produce_request, RD_KAFKA_RESP_ERR_DUPLICATE_SEQUENCE_NUMBER);
  sender->produce(keyed("k"), told.report());
  ASSERT_TRUE(told.come(3));
  EXPECT_TRUE(told.all[2]) << told.all[2].failure().detail;
}

TEST_F(Publishing, goes_on_with_a_new_client_when_the_idempotent_one_failed_for_good) {
  broker.create("orders", 1);
  signalled fatal;
  int failures = 0;
  auto sender =
      open({.connection = to,
            .trouble = [&](const error&, bool for_good) { fatal.change([&] { failures += for_good; }); },
            .log = {}});
  outcomes told;
  sender->produce(keyed("k"), told.report());
  ASSERT_TRUE(told.come(1));
  ASSERT_TRUE(told.all[0]);
  // A sequence error that cannot be explained is fatal to an idempotent producer.
  broker.spoil(produce_request, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
  sender->produce(keyed("k"), told.report());
  ASSERT_TRUE(told.come(2));
  ASSERT_FALSE(told.all[1]);
  EXPECT_EQ(told.all[1].failure().code, errc::timeout) << told.all[1].failure().detail;
  ASSERT_TRUE(fatal.wait([&] { return failures == 1; }));

  for (std::size_t tries = 3;; ++tries) {
    sender->produce(keyed("k"), told.report());
    ASSERT_TRUE(told.come(tries));
    if (told.all.back()) break;
    // Between the failure and the exchange the old client answers, and says so.
    ASSERT_EQ(told.all.back().failure().code, errc::unavailable) << told.all.back().failure().detail;
    ASSERT_LT(tries, 100'000U);
  }
}

TEST(Admin, lists_topics_but_internal_ones) {
  auto broker = embedded_broker::start();
  ASSERT_TRUE(broker);
  ASSERT_TRUE((*broker)->create_topic("orders", 3));
  ASSERT_TRUE((*broker)->create_topic("orders", 3)) << "an existing topic is no error";
  ASSERT_TRUE((*broker)->create_topic("__internal", 1));
  EXPECT_FALSE((*broker)->create_topic("none", 0));
  connection to;
  to.brokers = (*broker)->bootstrap();
  auto opened = admin::open(to);
  ASSERT_TRUE(opened) << opened.failure().detail;
  const auto topics = (*opened)->topics(seconds{10});
  ASSERT_TRUE(topics) << topics.failure().detail;
  EXPECT_EQ(*topics, (std::map<std::string, std::int32_t>{{"orders", 3}}));
}

TEST(Admin, names_the_brokers_that_do_not_answer_and_the_remedy) {
  connection nowhere;
  nowhere.brokers = "127.0.0.1:1";
  auto opened = admin::open(nowhere);
  ASSERT_TRUE(opened);
  const auto topics = (*opened)->topics(milliseconds{300});
  ASSERT_FALSE(topics);
  EXPECT_EQ(topics.failure().code, errc::unavailable);
  for (const auto* part : {"127.0.0.1:1", "Connection refused", "kafka.brokers"})
    EXPECT_NE(topics.failure().detail.find(part), std::string::npos) << topics.failure().detail;
  const auto created = (*opened)->create_topic("orders", 1, milliseconds{300});
  ASSERT_FALSE(created);
  EXPECT_EQ(created.failure().code, errc::unavailable) << created.failure().detail;
}

} // namespace
} // namespace troupe::kafka

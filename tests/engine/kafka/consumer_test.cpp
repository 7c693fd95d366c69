#include "tests/engine/kafka/fixture.hpp"

#include <map>

namespace troupe::kafka {
namespace {

struct Reading : testing::Test {
  rigged_broker broker;
  connection to = broker.at();

  /// Reads ten events, so that those fetched with them are left lying.
  static void leave_most(member& one, message_queue& queue) {
    std::vector<message> few;
    for (;;) {
      int seen = 0;
      one.change([&] { seen = one.wakes; });
      queue.read(few, 10 - few.size());
      if (few.size() == 10) return;
      ASSERT_TRUE(one.wait([&] { return one.wakes > seen; }));
    }
  }

  void expect_run(const std::vector<message>& got, std::int64_t first, std::size_t count) {
    ASSERT_EQ(got.size(), count);
    for (std::size_t i = 0; i < count; ++i) {
      ASSERT_TRUE(got[i].is_event()) << got[i].failure().detail;
      ASSERT_EQ(got[i].offset(), first + static_cast<std::int64_t>(i));
    }
  }
};

TEST_F(Reading, gives_back_key_value_headers_and_time_as_they_were_published) {
  broker.create("orders", 1);
  outgoing full;
  full.topic = "orders";
  full.key = "k\0ey";
  full.value = std::string{"v\0l", 3};
  full.headers = {{"a", "1"}, {"none", std::nullopt}, {"empty", ""}, {"a", "2"}};
  full.timestamp_ms = 1'700'000'000'123;
  outgoing nulls;
  nulls.topic = "orders";
  nulls.partition = 0;
  outgoing empties = nulls;
  empties.key = "";
  empties.value = "";
  publish(to, {full});
  publish(to, {nulls});
  publish(to, {empties});

  member one{to, "orders"};
  ASSERT_TRUE(one.joined());
  auto queue = one.it->queue_of({"orders", 0}, one.waker());
  one.it->assign(one.from(0));
  const auto got = one.read(queue, 3);
  expect_run(got, 0, 3);

  const auto topic = std::make_shared<const std::string>("orders");
  const auto first = got[0].to_record(topic);
  EXPECT_EQ(first.key, full.key);
  EXPECT_EQ(first.value, full.value);
  EXPECT_EQ(first.headers, full.headers);
  EXPECT_EQ(first.timestamp_ms, *full.timestamp_ms);
  EXPECT_EQ(first.time_type, timestamp_type::created);
  EXPECT_EQ(first.id(), "orders/0/0");
  EXPECT_FALSE(got[1].has_value());
  EXPECT_EQ(got[1].to_record(topic).key, std::nullopt);
  EXPECT_EQ(got[1].to_record(topic).value, std::nullopt);
  EXPECT_TRUE(got[2].has_value());
  EXPECT_EQ(got[2].to_record(topic).key, "");
  EXPECT_EQ(got[2].to_record(topic).value, "");
  EXPECT_EQ(got[0].topic_handle(), got[2].topic_handle());
}

TEST_F(Reading, rewinds_exactly_when_the_same_partition_is_assigned_again) {
  broker.create("orders", 1);
  publish(to, numbered("orders", 3000));
  member one{to, "orders"};
  ASSERT_TRUE(one.joined());
  auto queue = one.it->queue_of({"orders", 0}, one.waker());
  one.it->assign(one.from(0));
  leave_most(one, queue);

  one.it->assign(one.from(100)); // the same queue
  expect_run(one.read(queue, 2900), 100, 2900);

  one.it->assign(one.from(0));
  leave_most(one, queue);
  queue = {};
  queue = one.it->queue_of({"orders", 0}, one.waker()); // a new generation
  std::vector<message> early;
  EXPECT_EQ(queue.read(early, 10), 0U) << "nothing is read before the assignment it was opened for";
  one.it->assign(one.from(7));
  expect_run(one.read(queue, 2993), 7, 2993);
  EXPECT_FALSE(one.fatal);
}

TEST_F(Reading, rewinds_a_joint_queue_exactly_and_goes_on_with_what_comes) {
  broker.create("orders", 2);
  publish(to, numbered("orders", 1500, 0));
  publish(to, numbered("orders", 1500, 1));
  member one{to, "orders"};
  ASSERT_TRUE(one.joined());
  auto queue = one.it->joint_queue(one.parts(), one.waker());
  one.it->assign(one.from(0));
  leave_most(one, queue);

  for (int round = 0; round < 2; ++round) {
    if (round == 1) { // once with a new queue, once with the same
      queue = {};
      queue = one.it->joint_queue(one.parts(), one.waker());
    }
    one.it->assign(one.from(50));
    std::map<std::int32_t, std::int64_t> next{{0, 50}, {1, 50}};
    const auto got = one.read(queue, 2900);
    ASSERT_EQ(got.size(), 2900U);
    for (const auto& m : got)
      ASSERT_EQ(m.offset(), next[m.partition()]++);
  }
  publish(to, numbered("orders", 10, 1));
  EXPECT_EQ(one.read(queue, 10).size(), 10U);
  EXPECT_FALSE(one.fatal);
}

TEST_F(Reading, loses_nothing_and_holds_no_more_than_its_budget_while_left_unread) {
  broker.create("orders", 2);
  constexpr int count = 4000;
  constexpr std::size_t size = 1000;
  for (std::int32_t partition : {0, 1})
    publish(to, numbered("orders", count, partition, size));
  member one;
  constexpr std::size_t budget = 64 << 10;
  one.open(to, {"orders"}, "group", budget);
  ASSERT_TRUE(one.joined());
  auto unread = one.it->queue_of({"orders", 0}, one.waker());
  auto read = one.it->queue_of({"orders", 1}, one.waker());
  one.it->assign(one.from(0));
  // The other partition of the same broker went by whole: this one could have, too.
  expect_run(one.read(read, count, seconds{60}), 0, count);

  std::vector<message> held;
  unread.read(held, 1'000'000);
  std::size_t bytes = 0;
  for (const auto& m : held)
    bytes += m.bytes();
  EXPECT_GT(bytes, 0U);
  // One fetch may be under way when the budget is reached, and the mock answers a batch at a time.
  EXPECT_LT(bytes, budget + (1 << 20) + (64 << 10));

  auto rest = one.read(unread, count - held.size(), seconds{60});
  for (auto& m : rest)
    held.push_back(std::move(m));
  expect_run(held, 0, count);
}

TEST_F(Reading, holds_no_more_messages_than_its_budget_while_left_unread) {
  broker.create("orders", 2);
  constexpr int count = 3000, batch = 50;
  for (int i = 0; i < count / batch; ++i)
    for (std::int32_t partition : {0, 1})
      publish(to, numbered("orders", batch, partition));
  member one;
  constexpr std::size_t budget = 100;
  one.open(to, {"orders"}, "group", 8 << 20, budget);
  ASSERT_TRUE(one.joined());
  auto unread = one.it->queue_of({"orders", 0}, one.waker());
  auto read = one.it->queue_of({"orders", 1}, one.waker());
  one.it->assign(one.from(0));
  // The other partition of the same broker went by whole: this one could have, too.
  EXPECT_EQ(one.read(read, count, seconds{60}).size(), std::size_t{count});

  std::vector<message> held;
  unread.read(held, 1'000'000);
  EXPECT_GT(held.size(), 0U);
  EXPECT_LE(held.size(), budget + 2 * batch);
  EXPECT_EQ(held.size() + one.read(unread, count - held.size(), seconds{60}).size(), std::size_t{count});
}

TEST_F(Reading, wakes_for_the_first_event_after_the_queue_was_seen_empty) {
  broker.create("orders", 2);
  member one{to, "orders"};
  ASSERT_TRUE(one.joined());
  auto single = one.it->queue_of({"orders", 0}, one.waker());
  const std::vector<topic_partition> other{{"orders", 1}};
  auto joint = one.it->joint_queue(other, one.waker());
  one.it->assign(one.from(0));

  auto sender = producer::open({.connection = to, .trouble = {}, .log = {}});
  ASSERT_TRUE(sender);
  for (int i = 0; i < 100; ++i) {
    auto event = numbered("orders", 1, i % 2).front();
    (*sender)->produce(event, {});
    // read() waits for a wake whenever it saw the queue empty: a wake that is missing ends in its bound.
    ASSERT_EQ(one.read(i % 2 ? joint : single, 1).size(), 1U) << "event " << i;
  }
}

TEST_F(Reading, hands_over_all_that_lies_in_a_queue_in_its_order_and_wakes_for_the_next) {
  broker.create("orders", 2);
  publish(to, numbered("orders", 1500, 0));
  publish(to, numbered("orders", 1500, 1));
  member one{to, "orders"};
  ASSERT_TRUE(one.joined());
  auto queue = one.it->joint_queue(one.parts(), one.waker());
  std::map<std::int32_t, std::int64_t> next;
  std::size_t bytes = 0, told = 0;
  const auto read_until = [&](std::int64_t events) {
    for (;;) {
      int seen = 0;
      one.change([&] { seen = one.wakes; });
      told += queue.read_all([&](const message& m) {
        ASSERT_TRUE(m.is_event());
        ASSERT_EQ(m.offset(), next[m.partition()]++);
        ASSERT_EQ(m.value(), m.offset() < 1500 ? std::to_string(m.offset()) : "0");
        bytes += m.bytes();
      });
      if (next[0] + next[1] >= events) return true;
      if (!one.wait([&] { return one.wakes > seen; }, seconds{20})) return false;
    }
  };
  EXPECT_EQ(queue.read_all([](const message&) { FAIL(); }), 0U) << "before the assignment it was opened for";
  one.it->assign(one.from(0));
  ASSERT_TRUE(read_until(3000));
  EXPECT_EQ(next[0], 1500);
  EXPECT_EQ(told, bytes);
  for (int i = 0; i < 20; ++i) { // read_until() waits for a wake: one that is missing ends in its bound
    publish(to, numbered("orders", 1, i % 2));
    ASSERT_TRUE(read_until(3001 + i)) << "event " << i;
  }

  // What is thrown comes out of the library, which goes on.
  publish(to, numbered("orders", 1, 0));
  const auto throws = [&] {
    for (;;) {
      int seen = 0;
      one.change([&] { seen = one.wakes; });
      queue.read_all([](const message&) { throw std::runtime_error{"no"}; });
      if (!one.wait([&] { return one.wakes > seen; }, seconds{20})) return;
    }
  };
  EXPECT_THROW(throws(), std::runtime_error);
  one.it->assign(one.from(0));
  next.clear();
  ASSERT_TRUE(read_until(3000));
  EXPECT_FALSE(one.fatal);
}

TEST_F(Reading, tells_a_position_outside_of_the_log_as_conflict) {
  broker.create("orders", 1);
  publish(to, numbered("orders", 10));
  member one{to, "orders"};
  ASSERT_TRUE(one.joined());
  auto queue = one.it->queue_of({"orders", 0}, one.waker());
  one.it->assign(one.from(1000));
  const auto got = one.read(queue, 1);
  ASSERT_EQ(got.size(), 1U);
  ASSERT_FALSE(got[0].is_event());
  EXPECT_EQ(got[0].failure().code, errc::conflict);
  EXPECT_NE(got[0].failure().detail.find("orders [0]"), std::string::npos) << got[0].failure().detail;

  const auto marks = one.it->query_watermarks({"orders", 0}, seconds{10});
  ASSERT_TRUE(marks) << marks.failure().detail;
  EXPECT_EQ(marks->low, 0);
  EXPECT_EQ(marks->high, 10);
  one.it->assign(one.from(marks->low)); // and goes on from there
  expect_run(one.read(queue, 10), 0, 10);
  const auto cached = one.it->cached_watermarks({"orders", 0});
  ASSERT_TRUE(cached);
  EXPECT_EQ(cached->high, 10);
}

TEST_F(Reading, is_a_fatal_bug_when_a_partition_is_assigned_without_a_queue) {
  broker.create("orders", 1);
  publish(to, numbered("orders", 5));
  member one{to, "orders"};
  ASSERT_TRUE(one.joined());
  one.it->assign(one.from(0));
  EXPECT_TRUE(one.wait([&] { return one.fatal; }));
  EXPECT_EQ(one.troubles.back().code, errc::broken);
}

} // namespace
} // namespace troupe::kafka

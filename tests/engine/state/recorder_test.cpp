#include "tests/engine/state/fixture.hpp"

#include <gmock/gmock.h>

namespace troupe::state {

using testing::Pair;
using testing::UnorderedElementsAre;

class RecorderTest : public StateTest {};

TEST_F(RecorderTest, adds_up_what_happened_since_the_last_batch) {
  auto r = of("a");
  auto s = at(noon);
  s.actors["inventory"] = pool(5, 1);
  s.actors["inventory"].so_far.retry = s.actors["inventory"].so_far.err = 2;
  s.actors["inventory"].latency[3] = 5;
  s.dead_letters["orders.dlq"] = 1;
  write(r, s);
  s.at_ms += 1000;
  s.actors["inventory"].so_far.ok = 9;
  s.actors["inventory"].latency[3] = 9;
  write(r, s);
  EXPECT_THAT(hash(keys.by_second(noon / 1000)),
              UnorderedElementsAre(Pair("inventory/ok", "5"), Pair("inventory/err", "2"),
                                   Pair("inventory/retry", "2"), Pair("told", "1")));
  EXPECT_THAT(hash(keys.by_second(noon / 1000 + 1)),
              UnorderedElementsAre(Pair("inventory/ok", "4"), Pair("told", "1")));
  EXPECT_EQ(hash(keys.by_minute(noon / 1000))["told"], "2");
  EXPECT_EQ(hash(keys.by_day(noon / 1000))["inventory/ok"], "9");
  EXPECT_THAT(hash(keys.latencies(noon / 1000)), UnorderedElementsAre(Pair("inventory/b3", "9")));
  EXPECT_THAT(hash(keys.dead_letters()), UnorderedElementsAre(Pair("orders.dlq", "1")));
  EXPECT_EQ(dropped, 0);
}

TEST_F(RecorderTest, bounds_everything_it_writes_in_time) {
  auto r = of("a");
  auto s = at(noon);
  s.actors["inventory"] = pool(5, 1);
  s.actors["inventory"].latency[3] = 5;
  s.parked.push_back({"inventory", "orders", 0, 7, noon, noon, 2, "why", "class"});
  s.partitions.push_back({"g", "orders", 0, 7, 0, 9, noon, {}});
  write(r, s);
  const auto c = client();
  const auto ttl = [&](const std::string& key) { return c->ask({"TTL", key})->integer; };
  for (const auto& key : {keys.instance("a"), keys.pools("a"), keys.retries("a"), keys.retry_notes("a")})
    EXPECT_TRUE(ttl(key) > 0 && ttl(key) <= 30) << key;
  for (const auto& key : {keys.by_second(noon / 1000), keys.latencies(noon / 1000)})
    EXPECT_TRUE(ttl(key) > 0 && ttl(key) <= 900) << key;
  for (const auto& key : {keys.lag(), keys.by_minute(noon / 1000), keys.by_day(noon / 1000), keys.flush()})
    EXPECT_GT(ttl(key), 0) << key;
}

TEST_F(RecorderTest, writes_no_more_than_the_first_thousand_retries) {
  auto r = of("a");
  auto s = at(noon);
  for (int i = 0; i < 1500; ++i)
    s.parked.push_back({"inventory", "orders", 0, i, noon + i, noon, 2, std::string(5000, 'x'), "class"});
  write(r, s);
  EXPECT_EQ(client()->ask({"ZCARD", keys.retries("a")})->integer, 1000);
  EXPECT_LT(client()->ask({"HGET", keys.retry_notes("a"), "inventory/orders/0/0"})->text.size(), 500U);
  s.parked.clear();
  write(r, s);
  EXPECT_EQ(client()->ask({"EXISTS", keys.retries("a"), keys.retry_notes("a")})->integer, 0);
}

TEST_F(RecorderTest, goes_on_and_counts_what_it_drops_while_redis_is_frozen_and_loses_no_count) {
  auto r = of(named("a"), client(milliseconds{1000}));
  auto s = at(noon);
  s.actors["inventory"] = pool(1, 1);
  write(r, s);
  server.freeze();
  s.actors["inventory"].so_far.ok = 2;
  r.record(s);                    // under way, and its answer is lost
  for (int i = 0; i < 100; ++i) { // dropped at once: nothing queues, nobody waits
    ++s.actors["inventory"].so_far.ok;
    r.record(s);
  }
  EXPECT_GE(dropped, 99);
  ASSERT_TRUE(eventually([&] { return dropped >= 101; })); // the one under way, too
  server.thaw();
  // The batch whose answer was lost may have been applied after the thaw, or is applied now: once in any
  // case.
  ASSERT_TRUE(eventually([&] {
    r.record_last(s, milliseconds{500});
    return hash(keys.by_day(noon / 1000))["inventory/ok"] == "102";
  }));
  write(r, s);
  EXPECT_EQ(hash(keys.by_day(noon / 1000))["inventory/ok"], "102");
}

TEST_F(RecorderTest, a_batch_sent_again_under_its_number_is_applied_once) {
  auto s = at(noon);
  s.actors["inventory"] = pool(3, 1);
  auto first = of("a");
  write(first, s);
  auto again = of("a"); // the same life, the same number
  write(again, s);
  EXPECT_EQ(hash(keys.by_day(noon / 1000))["inventory/ok"], "3");
  auto next_life = of(named("a", 8), client());
  write(next_life, s);
  EXPECT_EQ(hash(keys.by_day(noon / 1000))["inventory/ok"], "6");
}

TEST_F(RecorderTest, counts_an_update_that_redis_refuses) {
  ASSERT_TRUE(client()->ask({"SET", keys.lag(), "no hash"}).ok());
  auto r = of("a");
  auto s = at(noon);
  s.partitions.push_back({"g", "orders", 0, 7, 0, 9, noon, {}});
  write(r, s);
  EXPECT_EQ(dropped, 1);
}

} // namespace troupe::state

#include "tests/engine/state/fixture.hpp"

namespace troupe::state {

class ReaderTest : public StateTest {
protected:
  static const instance_view* find(const overview& o, const std::string& id) {
    for (const auto& i : o.instances)
      if (i.id == id) return &i;
    return nullptr;
  }
};

TEST(Presence, goes_from_live_to_late_to_lost_unless_it_said_goodbye) {
  EXPECT_EQ(presence_of(noon, false, noon + 6000), presence::live);
  EXPECT_EQ(presence_of(noon, false, noon + 6001), presence::late);
  EXPECT_EQ(presence_of(noon, false, noon + 30'000), presence::late);
  EXPECT_EQ(presence_of(noon, false, noon + 30'001), presence::lost);
  EXPECT_EQ(presence_of(noon, true, noon + 90'000), presence::stopped);
}

TEST(PartitionView, knows_no_lag_without_the_end_of_the_log) {
  partition_view p;
  p.committed = 5;
  EXPECT_FALSE(p.lag());
  EXPECT_FALSE(p.behind_s(noon));
  p.end = 9;
  EXPECT_EQ(p.lag(), 4);
  EXPECT_FALSE(p.behind_s(noon)); // how old is the oldest?
  p.oldest_ms = noon - 1500;
  EXPECT_EQ(p.behind_s(noon), 1.5);
  p.start = 8; // retention took what was not read
  EXPECT_EQ(p.lag(), 1);
  p.committed = 9;
  EXPECT_EQ(p.lag(), 0);
  EXPECT_EQ(p.behind_s(noon), 0.0);
}

TEST_F(ReaderTest, of_an_empty_redis_knows_nothing) {
  const auto o = read(noon);
  EXPECT_TRUE(o.instances.empty());
  EXPECT_TRUE(o.actors.empty());
  EXPECT_EQ(o.expected, 0U);
}

TEST_F(ReaderTest, knows_no_rate_of_what_nobody_counts) {
  auto a = of("a");
  auto s = at(noon);
  s.actors["load"].kind = "generate";
  s.actors["events"].kind = "ingest";
  write(a, s);
  const auto o = read(noon + 1000);
  EXPECT_FALSE(o.actors.at("load").per_second);
  EXPECT_EQ(o.actors.at("events").per_second, 0.0);
}

TEST_F(ReaderTest, sums_the_pools_of_live_instances_and_says_how_many_report) {
  auto a = of("a"), b = of("b"), c = of("c");
  auto s = at(noon);
  s.actors["inventory"] = pool(100, 3);
  s.actors["inventory"].latency[0] = 100;
  write(a, s);
  s.actors["inventory"].pool->paused = true;
  s.actors["inventory"].pool->busy = 1;
  write(b, s);
  s.at_ms = noon - 10'000; // late
  write(c, s);

  const auto o = read(noon + 3000);
  EXPECT_EQ(o.live, 2U);
  EXPECT_EQ(o.expected, 3U);
  EXPECT_EQ(find(o, "c")->presence, presence::late);
  EXPECT_EQ(find(o, "a")->pid, 42);
  const auto& i = o.actors.at("inventory");
  EXPECT_EQ(i.reporting, 2U);
  EXPECT_EQ(i.workers, 16U);
  EXPECT_EQ(i.busy, 4U);
  EXPECT_EQ(i.paused, 1U);
  EXPECT_DOUBLE_EQ(*i.per_second, 20); // 200 in the last ten whole seconds; the late one's are older
  EXPECT_LE(*i.p99_s, 0.005);
}

TEST_F(ReaderTest, an_actor_that_does_not_say_has_no_pool_rather_than_an_empty_one) {
  auto a = of("a");
  auto s = at(noon);
  s.actors["inventory"] = pool(1, 0);
  s.actors["inventory"].pool.reset();
  write(a, s);
  const auto o = read(noon);
  EXPECT_FALSE(o.actors.at("inventory").workers);
  EXPECT_FALSE(o.actors.at("inventory").lag);
  EXPECT_FALSE(o.actors.at("inventory").p99_s);
}

TEST_F(ReaderTest, shows_lag_by_partition_and_by_actor_and_what_blocks) {
  auto a = of("a");
  auto s = at(noon);
  s.actors["inventory"] = pool(1, 0);
  s.actors["inventory"].group = "a/group";
  s.partitions.push_back(
      {"a/group", "orders", 0, 10, 0, 14, noon - 5000, blocker{10, noon - 5000, "no stock"}});
  s.partitions.push_back({"a/group", "orders", 1, 10, 0, 10, {}, {}});
  s.parked.push_back({"inventory", "orders", 0, 10, noon + 500, noon - 5000, 3, "no \xff stock", "stock"});
  write(a, s);
  auto o = read(noon);
  ASSERT_EQ(o.partitions.size(), 2U);
  EXPECT_EQ(o.partitions[0].group, "a/group"); // a topic has no slashes, a group may
  EXPECT_EQ(o.partitions[0].blocked, (blocker{10, noon - 5000, "no stock"}));
  EXPECT_EQ(o.actors.at("inventory").lag, 4);
  EXPECT_EQ(o.actors.at("inventory").behind_s, 5.0);
  ASSERT_EQ(o.retries.size(), 1U);
  EXPECT_EQ(o.retries[0].offset, 10);
  EXPECT_EQ(o.retries[0].attempt, 3U);
  EXPECT_EQ(o.retries[0].due_ms, noon + 500);

  s.partitions[1].end.reset(); // one that is not known leaves the sum unknown
  write(a, s);
  EXPECT_FALSE(read(noon).actors.at("inventory").lag);
}

TEST_F(ReaderTest, old_figures_say_nothing_of_now) {
  auto a = of("a");
  auto s = at(noon);
  s.actors["inventory"] = pool(1, 0);
  s.partitions.push_back({"g", "orders", 0, 10, 0, 14, noon - 5000, {}});
  write(a, s);
  s.at_ms += 20'000;
  s.partitions.clear();
  write(a, s);
  EXPECT_FALSE(read(noon + 20'000).actors.at("inventory").lag);
}

TEST_F(ReaderTest, one_that_stopped_is_stopped_and_counts_no_more) {
  auto a = of("a");
  auto s = at(noon);
  s.actors["inventory"] = pool(1, 0);
  write(a, s);
  s.phase = "stopped";
  write(a, s);
  const auto o = read(noon + 90'000);
  ASSERT_TRUE(find(o, "a"));
  EXPECT_EQ(find(o, "a")->presence, presence::stopped);
  EXPECT_EQ(o.expected, 0U);
  EXPECT_TRUE(o.actors.empty());
}

TEST_F(ReaderTest, survives_what_others_wrote) {
  const auto written = client()->call(
      {{"ZADD", keys.instances(), std::to_string(noon), "x"},
       {"HSET", keys.pools("x"), "inventory", "no JSON", "payment", R"({"workers":"many","busy":[]})"},
       {"HSET", keys.lag(), "a", "{}", "g/t/p", "[1]", "g/t/0", R"({"committed":"x"})"},
       {"HSET", keys.desired(), "inventory", "]"},
       {"HSET", keys.by_second(noon / 1000 - 2), "inventory", "x", "payment/ok", "many"}});
  ASSERT_TRUE(written.ok());
  const auto o = read(noon);
  EXPECT_FALSE(o.actors.at("payment").workers);
  ASSERT_EQ(o.partitions.size(), 1U);
  EXPECT_FALSE(o.partitions[0].lag());
}

} // namespace troupe::state

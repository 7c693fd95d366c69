#include "tests/engine/flow/pool_fixture.hpp"

#include <gmock/gmock.h>

namespace troupe::flow {

using reason = waiting_event::reason;

struct Pausing : Pool {};
struct Standstill : Pool {};

TEST_F(Pausing, starts_nothing_and_what_runs_finishes) {
  open();
  offer(0, {"a", "b"});
  EXPECT_EQ(start(), 0);
  pool->pause(true);
  EXPECT_EQ(start(), -1);
  answer(0, outcome::success());
  EXPECT_EQ(done(), in_order{0});
  EXPECT_EQ(start(), -1);
  pool->pause(false);
  EXPECT_EQ(start(), 1);
}

TEST_F(Pausing, outlives_a_drain) {
  open();
  offer(0, {"a"});
  pool->pause(true);
  pool->drain();
  pool->resume();
  EXPECT_EQ(start(), -1);
}

TEST_F(Pausing, arms_no_timer_for_a_probe_that_may_not_start) {
  open();
  offer(0, {"a", "b"});
  start();
  answer(0, outcome::unavailable("out"));
  ASSERT_TRUE(pool->next_due());
  pool->pause(true);
  EXPECT_FALSE(pool->next_due());
  pool->pause(false);
  EXPECT_TRUE(pool->next_due());
}

TEST_F(Pausing, moves_retries_that_come_due_but_does_not_call_them) {
  open();
  offer(0, {"a"});
  start();
  answer(0, outcome::transient("no", "x"));
  pool->pause(true);
  pass(milliseconds{100});
  EXPECT_FALSE(pool->next_due());
  EXPECT_EQ(start(), -1);
  pool->pause(false);
  EXPECT_EQ(start(), 0);
}

TEST_F(Standstill, shows_what_waits_to_be_tried_again_the_first_due_first) {
  open();
  offer(0, {"a", "b", "c"});
  start_all();
  for (const auto o : {2, 0, 1}) {
    answer(o, outcome::transient("no " + std::to_string(o), "x"));
    now += milliseconds{10};
  }
  const auto all = pool->look(2).retries;
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].event->offset, 2);
  EXPECT_EQ(all[1].event->offset, 0);
  EXPECT_EQ(all[0].since, steady_time{milliseconds{5100}}); // when it is due
  EXPECT_EQ(all[0].attempt, 2U);
  EXPECT_EQ(all[0].why.reason, "no 2");
}

TEST_F(Standstill, names_the_oldest_event_of_each_partition_and_what_it_waits_for) {
  open({0, 1});
  offer(0, {"a", "a"});
  offer(1, {"b", "c"});
  EXPECT_THAT(start_all(), testing::ElementsAre(0, 0, 1));
  answer(0, outcome::transient("no", "x"), 0);
  answer(1, outcome::success(), 1);
  const auto oldest = pool->look(10).oldest;
  ASSERT_EQ(oldest.size(), 2U);
  EXPECT_EQ(oldest[0].partition, 0U);
  EXPECT_EQ(oldest[0].event->offset, 0);
  EXPECT_EQ(oldest[0].waits_for, reason::retry);
  EXPECT_EQ(oldest[1].partition, 1U);
  EXPECT_EQ(oldest[1].waits_for, reason::call);
  answer(0, outcome::permanent("bad", "y"), 1);
  EXPECT_EQ(pool->look(10).oldest[1].waits_for, reason::dead_letter);
  pool->drop_partition(1, now);
  EXPECT_EQ(pool->look(10).oldest.size(), 1U);
}

} // namespace troupe::flow

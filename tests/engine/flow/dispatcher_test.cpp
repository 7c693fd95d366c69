#include "tests/engine/flow/pool_fixture.hpp"

namespace troupe::flow {
namespace {

using Dispatcher = Pool;

TEST_F(Dispatcher, RunsOneEventOfAKeyAtATimeInOffsetOrder) {
  open();
  offer(0, {"a", "b", "a", "b", "a"});
  EXPECT_EQ(start_all(), (in_order{0, 1}));
  answer(0, outcome::success());
  EXPECT_EQ(done(), (in_order{0}));
  EXPECT_EQ(start_all(), (in_order{2}));
  answer(2, outcome::success());
  EXPECT_EQ(start_all(), (in_order{4}));
  answer(1, outcome::success());
  EXPECT_EQ(start_all(), (in_order{3}));
}

TEST_F(Dispatcher, KnowsSinceWhenAnEventCouldHaveRun) {
  open();
  offer(0, {"a", "a"});
  pass(milliseconds{40});
  start_all();
  EXPECT_EQ(calls.back().since, now - milliseconds{40});
  pass(milliseconds{10});
  answer(0, outcome::success()); // the next of its key could not run before
  pass(milliseconds{5});
  start_all();
  EXPECT_EQ(calls.back().since, now - milliseconds{5});
  answer(1, outcome::transient("no", "no"));
  pass(milliseconds{100}); // its backoff is no waiting
  start_all();
  EXPECT_EQ(calls.back().since, now);
}

TEST_F(Dispatcher, TakesTheSameKeyInTwoPartitionsForTwo) {
  open({0, 1});
  offer(0, {"a"});
  offer(1, {"a"});
  start_all();
  EXPECT_EQ(pool->running(), 2U);
}

TEST_F(Dispatcher, DoesNotTakeAnEmptyKeyForNone) {
  open();
  offer(0, {"", "", std::nullopt, std::nullopt});
  EXPECT_EQ(start_all(), (in_order{0, 2, 3}));
}

TEST_F(Dispatcher, OrdersAPartitionAsAWholeEvenAsOthersJoin) {
  rules.order_by = ordering::partition;
  open();
  offer(0, {"a", std::nullopt, "b"});
  EXPECT_EQ(start_all(), (in_order{0}));
  for (partition_index p = 1; p < 200; ++p) {
    pool->add_partition(p);
    offer(p, {"x", "y"});
  }
  EXPECT_EQ(start_all().size(), 199U);
  answer(0, outcome::transient("no"));
  EXPECT_EQ(start(), -1) << "a parked event holds its partition";
  pass(milliseconds{100});
  EXPECT_EQ(start_all(), (in_order{0}));
  answer(0, outcome::success());
  EXPECT_EQ(start_all(), (in_order{1}));
  answer(1, outcome::success());
  EXPECT_EQ(start_all(), (in_order{2}));
  answer(2, outcome::success());
  EXPECT_EQ(done(), (in_order{0, 1, 2}));
}

TEST_F(Dispatcher, OrdersNothingWithNone) {
  rules.order_by = ordering::none;
  open();
  offer(0, {"a", "a", std::nullopt, "a"});
  EXPECT_EQ(start_all(), (in_order{0, 1, 2, 3}));
  answer(3, outcome::success());
  answer(1, outcome::success());
  EXPECT_EQ(done(), (in_order{3, 1}));
}

TEST_F(Dispatcher, BoundsItsMailboxExactlyAndFillsItFromAllPartitionsInTurn) {
  rules.mailbox = 6;
  rules.order_by = ordering::none;
  open({0, 1, 2});
  offer(0, std::vector<std::optional<std::string>>(10));
  EXPECT_EQ(pool->mailbox(), 6U);
  EXPECT_FALSE(pool->wants_more(0));
  EXPECT_TRUE(pool->wants_more(1)) << "nothing of it waits";
  offer(1, std::vector<std::optional<std::string>>(10));
  offer(2, std::vector<std::optional<std::string>>(10));
  EXPECT_FALSE(pool->wants_more(1));
  EXPECT_EQ(pool->mailbox(), 6U);
  std::map<int, int> of;
  for (int i = 0; i < 18; ++i) {
    ASSERT_GE(start(), 0);
    EXPECT_EQ(pool->mailbox(), 6U) << "a place that comes free is taken at once";
    if (i >= 6) ++of[calls.back().event->partition];
  }
  EXPECT_EQ(of[0], 4);
  EXPECT_EQ(of[1], 4);
  EXPECT_EQ(of[2], 4);
  EXPECT_TRUE(pool->wants_more(0));
  start_all();
  EXPECT_EQ(pool->mailbox(), 0U);
  EXPECT_EQ(pool->running(), 30U);
}

TEST_F(Dispatcher, CountsOnlyHeadsOfKeysAgainstTheMailbox) {
  rules.mailbox = 2;
  open();
  offer(0, std::vector<std::optional<std::string>>(500, "hot"));
  EXPECT_EQ(pool->mailbox(), 1U);
  EXPECT_TRUE(pool->wants_more(0)) << "what waits behind its key counts against the window alone";
  offer(0, {"cold"});
  EXPECT_EQ(start_all(), (in_order{0, 500}));
}

TEST_F(Dispatcher, LetsAHotKeyStarveNobody) {
  rules.mailbox = 4;
  open({0, 1});
  offer(0, std::vector<std::optional<std::string>>(300, "hot"));
  offer(0, {"cold"});
  offer(1, {"other"});
  int calls_before_others = 0;
  std::vector<bool> seen(2);
  while (!(seen[0] && seen[1])) { // one worker
    const auto o = start();
    ASSERT_GE(o, 0);
    const auto p = static_cast<partition_index>(calls.back().event->partition);
    if (p == 1) seen[1] = true;
    if (calls.back().event->key == "cold") seen[0] = true;
    ++calls_before_others;
    answer(o, outcome::success(), p);
  }
  EXPECT_LE(calls_before_others, 5) << "the first call, and every second one";
}

TEST_F(Dispatcher, LetsThePartitionsOldestEventOvertakeAsSoonAsItsKeyIsFree) {
  open({0, 1});
  offer(0, {"hot", "hot", "hot", "hot"});
  offer(1, {"a", "b", "c", "d", "e", "f"});
  ASSERT_EQ(start(), 0);
  EXPECT_EQ(calls.back().event->partition, 0);
  for (int hot = 0; hot < 3; ++hot) {
    answer(hot, outcome::success());
    ASSERT_EQ(start(), hot + 1) << "what has waited longest in its partition";
    EXPECT_EQ(calls.back().event->partition, 0);
    EXPECT_EQ(pool->mailbox(), 6U - static_cast<unsigned>(hot)) << "it takes no place of the others";
    ASSERT_EQ(start(), hot) << "then it is the others' turn";
    EXPECT_EQ(calls.back().event->partition, 1);
  }
  EXPECT_EQ(done(), (in_order{0, 1, 2}));
}

TEST_F(Dispatcher, LetsNoEventOvertakeForWhichNoCommitWaits) {
  open({0, 1});
  offer(0, {"slow", "hot", "hot"});
  ASSERT_EQ(start_all(), (in_order{0, 1}));
  offer(1, {"a", "b"});
  answer(1, outcome::success());
  EXPECT_EQ(start_all(), (in_order{0, 1, 2})) << "an older one of its partition runs";
}

TEST_F(Dispatcher, ForgetsWhoWouldOvertakeWithItsPartition) {
  open({0, 1});
  offer(0, {"hot", "hot"});
  ASSERT_EQ(start(), 0);
  answer(0, outcome::success());
  pool->drop_partition(0, now);
  EXPECT_EQ(start(), -1);
  offer(1, {"a"});
  EXPECT_EQ(start(), 0);
}

TEST_F(Dispatcher, ChangesItsMailboxWhileItRuns) {
  rules.mailbox = 2;
  rules.order_by = ordering::none;
  open();
  offer(0, std::vector<std::optional<std::string>>(10));
  rules.mailbox = 7;
  rules.order_by = ordering::key; // does not change
  pool->change(rules);
  EXPECT_EQ(pool->mailbox(), 7U);
  rules.mailbox = 3;
  pool->change(rules);
  EXPECT_EQ(start_all().size(), 10U);
}

TEST_F(Dispatcher, StartsNothingWhileItDrainsAndEndsWhatRuns) {
  open();
  offer(0, {"a", "b", "c", "d", "a"});
  ASSERT_EQ(start(), 0);
  ASSERT_EQ(start(), 1);
  ASSERT_EQ(start(), 2);
  pool->drain();
  EXPECT_EQ(start(), -1);
  answer(0, outcome::success({to("next")}));
  answer(1, outcome::permanent("bad"));
  answer(2, outcome::transient("later"));
  EXPECT_EQ(pool->under_way(), 2U) << "a publish and a dead letter";
  pool->published(id(0), std::nullopt, now, wall(), out);
  EXPECT_EQ(buried(), (in_order{1}));
  pool->dead_letter_written(id(1), now, out);
  EXPECT_EQ(pool->under_way(), 0U);
  EXPECT_EQ(done(), (in_order{0, 1})) << "what is parked stays unfinished";
  pass(milliseconds{100});
  EXPECT_EQ(start(), -1);
  EXPECT_FALSE(pool->next_due());
  pool->resume();
  EXPECT_EQ(start_all(), (in_order{3, 4, 2}));
}

TEST_F(Dispatcher, RepeatsAPublishWhileItDrains) {
  open();
  offer(0, {"a"});
  start();
  answer(0, outcome::success({to("next")}));
  pool->drain();
  pool->published(id(0), error{errc::unavailable, "away"}, now, wall(), out);
  EXPECT_EQ(pool->under_way(), 1U);
  ASSERT_TRUE(pool->next_due());
  take<publish_events>();
  pass(milliseconds{100});
  EXPECT_EQ(take<publish_events>().size(), 1U);
}

TEST_F(Dispatcher, IgnoresWhatComesLateForADroppedPartition) {
  open({0, 1});
  offer(0, {"run", "publish", "bury", "park", "wait"});
  for (int i = 0; i < 4; ++i)
    start();
  answer(1, outcome::success({to("next")}));
  answer(2, outcome::permanent("bad"));
  answer(3, outcome::transient("later"));
  buried();
  out.clear();
  const auto late = tasks;
  pool->drop_partition(0, now);
  EXPECT_EQ(pool->under_way(), 0U);
  EXPECT_EQ(pool->parked(), 0U);
  EXPECT_EQ(pool->mailbox(), 0U);
  EXPECT_FALSE(pool->wants_more(0));
  offer(0, {"nobody's"});
  EXPECT_EQ(start(), -1);

  pool->add_partition(0); // a new assignment, whose tasks take the old ones' places
  offsets[0] = 100;
  offer(0, {"run", "publish", "bury", "park", "wait"});
  EXPECT_EQ(start_all().size(), 5U);
  for (const auto& [where, id] : late) {
    EXPECT_FALSE(pool->known(id));
    pool->called(id, outcome::success(), now, wall(), out);
    pool->worker_died(id, now, wall(), out);
    pool->published(id, std::nullopt, now, wall(), out);
    pool->dead_letter_written(id, now, out);
  }
  pass(milliseconds{1000});
  EXPECT_TRUE(out.empty());
  EXPECT_EQ(pool->running(), 5U);
}

TEST_F(Dispatcher, IgnoresAnOutcomeThatComesTwice) {
  open();
  offer(0, {"a", "a"});
  start();
  answer(0, outcome::success());
  answer(0, outcome::success());
  EXPECT_EQ(done(), (in_order{0}));
  start();
  answer(1, outcome::transient("no"));
  answer(1, outcome::success());
  EXPECT_TRUE(done().empty());
  EXPECT_EQ(pool->parked(), 1U);
}

TEST_F(Dispatcher, GivesADroppedPartitionsPlacesInTheMailboxToTheOthers) {
  rules.mailbox = 2;
  rules.order_by = ordering::none;
  open({0, 1});
  offer(0, std::vector<std::optional<std::string>>(5));
  offer(1, std::vector<std::optional<std::string>>(5));
  pool->drop_partition(0, now);
  EXPECT_EQ(pool->mailbox(), 2U);
  ASSERT_EQ(start_all().size(), 5U);
  EXPECT_EQ(calls.back().event->partition, 1);
}

TEST_F(Dispatcher, ForgetsAPartitionsUnstartedEvents) {
  rules.mailbox = 1;
  open({0, 1});
  offer(0, {"a", "b", "a"});
  offer(1, {"c"});
  pool->drop_partition(0, now);
  ASSERT_EQ(start_all(), (in_order{0}));
  EXPECT_EQ(calls.back().event->partition, 1);
}

TEST_F(Dispatcher, SaysWhatIsUnderWayForANewWriterOrPublisher) {
  open();
  offer(0, {"a", "b", "c"});
  start_all();
  answer(0, outcome::permanent("bad", "poison"));
  answer(1, outcome::success({to("next")}));
  answer(2, outcome::success({to("later")}));
  pool->published(id(2), error{errc::unavailable, "away"}, now, wall(), out);
  ASSERT_EQ(pool->unburied().size(), 1U);
  EXPECT_EQ(pool->unburied()[0].id, id(0));
  EXPECT_EQ(pool->unburied()[0].event->offset, 0);
  EXPECT_EQ(pool->unburied()[0].why.reason, "bad");
  ASSERT_EQ(pool->unpublished().size(), 1U) << "the one that waits to be repeated is not under way";
  EXPECT_EQ(pool->unpublished()[0].events[0].topic, "next");
}

} // namespace
} // namespace troupe::flow

#include "tests/engine/flow/pool_fixture.hpp"

#include <set>

namespace troupe::flow {
namespace {

using namespace std::chrono_literals;
using DispatcherFailure = Pool;

TEST_F(DispatcherFailure, RetriesAfterTheBackoffAndHoldsOnlyItsOwnKey) {
  open();
  offer(0, {"a", "a", "b", "b"});
  EXPECT_EQ(start_all(), (in_order{0, 2}));
  answer(0, outcome::transient("no"));
  EXPECT_EQ(pool->parked(), 1U);
  EXPECT_EQ(pool->next_due(), now + 100ms);
  answer(2, outcome::success());
  EXPECT_EQ(start_all(), (in_order{3})) << "no other key waits for it";
  pass(99ms);
  EXPECT_EQ(start(), -1);
  pass(1ms);
  EXPECT_FALSE(pool->next_due());
  EXPECT_EQ(start(), 0);
  EXPECT_EQ(calls.back().attempt, 2U);
  answer(0, outcome::success());
  EXPECT_EQ(start(), 1);
  EXPECT_EQ(calls.back().attempt, 1U);
}

TEST_F(DispatcherFailure, CountsCallsAndThenBuries) {
  open();
  offer(0, {"a", "a"});
  for (unsigned attempt = 1; attempt <= 3; ++attempt) {
    ASSERT_EQ(start(), 0);
    EXPECT_EQ(calls.back().attempt, attempt);
    answer(0, outcome::transient("no " + std::to_string(attempt), "class " + std::to_string(attempt)));
    if (attempt < 3) pass(100ms);
  }
  const auto letters = take<write_dead_letter>();
  ASSERT_EQ(letters.size(), 1U);
  EXPECT_EQ(letters[0].event->offset, 0);
  EXPECT_EQ(letters[0].why.reason, "no 3");
  EXPECT_EQ(letters[0].why.error_class, "class 3");
  EXPECT_EQ(letters[0].why.attempts, 3U);
  EXPECT_EQ(letters[0].why.failed_ms, wall());
  EXPECT_EQ(letters[0].why.first_failed_ms, wall() - 200);
  EXPECT_EQ(start(), -1) << "the key waits for its dead letter";
  EXPECT_TRUE(done().empty());
  pool->dead_letter_written(letters[0].id, now, out);
  EXPECT_EQ(done(), (in_order{0}));
  EXPECT_EQ(start(), 1);
}

TEST_F(DispatcherFailure, BuriesAPermanentFailureAtOnce) {
  open();
  offer(0, {"a"});
  start();
  answer(0, outcome::permanent("not JSON", "undecodable"));
  const auto letters = take<write_dead_letter>();
  ASSERT_EQ(letters.size(), 1U);
  EXPECT_EQ(letters[0].why.attempts, 1U);
  EXPECT_EQ(letters[0].why.error_class, "undecodable");
  EXPECT_EQ(letters[0].why.first_failed_ms, letters[0].why.failed_ms);
}

TEST_F(DispatcherFailure, WaitsAsLongAsTheDownstreamAsks) {
  open();
  offer(0, {"a", "b"});
  start_all();
  auto slow = outcome::transient("busy");
  slow.retry_after = 700ms;
  answer(0, slow);
  EXPECT_EQ(pool->next_due(), now + 700ms);
  slow.retry_after = milliseconds::max();
  answer(1, slow);
  pass(700ms);
  EXPECT_EQ(start_all(), (in_order{0}));
  ASSERT_TRUE(pool->next_due());
  EXPECT_GT(*pool->next_due(), now + std::chrono::hours{24 * 365}) << "not overflown into the past";
}

TEST_F(DispatcherFailure, AProbeThatHangsHoldsNothingButItsKey) {
  open();
  offer(0, {"a", "b", "c"});
  ASSERT_EQ(start(), 0);
  answer(0, outcome::unavailable("out"));
  pass(1000ms);
  ASSERT_EQ(start(), 1) << "the probe";
  pool->overdue(id(1), now);
  EXPECT_EQ(start(), -1) << "open for another second";
  pass(1000ms);
  ASSERT_EQ(start(), 2) << "another probe, of another key";
  answer(2, outcome::success());
  EXPECT_TRUE(pool->breaker_closed());
  answer(1, outcome::transient("came back"));
  EXPECT_TRUE(pool->breaker_closed()) << "an ordinary failure by then";
}

TEST_F(DispatcherFailure, CountsADeadWorkersCallAsAnAttempt) {
  open();
  offer(0, {"a", "a"});
  for (unsigned attempt = 1; attempt <= 3; ++attempt) {
    ASSERT_EQ(start(), 0);
    EXPECT_EQ(calls.back().attempt, attempt);
    pool->worker_died(id(0), now, wall(), out);
    EXPECT_EQ(pool->running(), 0U);
    pass(100ms);
  }
  const auto letters = take<write_dead_letter>();
  ASSERT_EQ(letters.size(), 1U) << "an event that kills its worker ends in the DLQ";
  EXPECT_EQ(letters[0].why.attempts, 3U);
  EXPECT_EQ(letters[0].why.error_class, "worker_died");
}

TEST_F(DispatcherFailure, RepeatsAPublishWithoutTheHandlerAndHoldsTheKey) {
  open();
  offer(0, {"a", "a"});
  start();
  answer(0, outcome::success({to("next", "k", "v"), to("other")}));
  for (int tries = 0; tries < 10; ++tries) {
    const auto p = take<publish_events>();
    ASSERT_EQ(p.size(), 1U);
    ASSERT_EQ(p[0].events.size(), 2U);
    EXPECT_EQ(p[0].events[0].value, "v");
    EXPECT_EQ(pool->under_way(), 1U);
    pool->published(p[0].id, error{errc::timeout, "slow"}, now, wall(), out);
    pool->published(p[0].id, std::nullopt, now, wall(), out); // a second answer to the same publish
    EXPECT_TRUE(take<publish_events>().empty());
    EXPECT_EQ(start(), -1);
    pass(99ms);
    EXPECT_TRUE(take<publish_events>().empty());
    pass(1ms);
  }
  EXPECT_EQ(calls.size(), 1U) << "more often than there are attempts, and never the handler";
  pool->published(id(0), std::nullopt, now, wall(), out);
  EXPECT_EQ(done(), (in_order{0}));
  EXPECT_EQ(start(), 1);
}

TEST_F(DispatcherFailure, BuriesAnEventWhosePublishIsTooLarge) {
  open();
  offer(0, {"a"});
  start();
  answer(0, outcome::success({to("next")}));
  pool->published(id(0), error{errc::too_large, "over 1 MB"}, now, wall(), out);
  const auto letters = take<write_dead_letter>();
  ASSERT_EQ(letters.size(), 1U);
  EXPECT_EQ(letters[0].why.error_class, "too_large");
  EXPECT_EQ(letters[0].why.reason, "over 1 MB");
  EXPECT_EQ(pool->under_way(), 1U);
  EXPECT_TRUE(done().empty());
}

struct Breaker : Pool {
  void unavailable(std::int64_t o) { answer(o, outcome::unavailable("out")); }
};

TEST_F(Breaker, SpendsNoAttemptOnUnavailable) {
  open();
  offer(0, {"a", "b"});
  for (int i = 0; i < 50; ++i) {
    const auto o = start();
    ASSERT_GE(o, 0);
    EXPECT_EQ(calls.back().attempt, 1U);
    unavailable(o);
    EXPECT_FALSE(pool->breaker_closed());
    EXPECT_EQ(start(), -1);
    pass(1000ms);
  }
  EXPECT_TRUE(take<write_dead_letter>().empty());
  EXPECT_EQ(take<notice>().size(), 1U) << "opened once";
}

TEST_F(Breaker, ProbesOneAtATimeOpenForApartAndAnotherKeyEachTime) {
  open();
  offer(0, {"a", "a", "b", "c", "d"});
  ASSERT_EQ(start(), 0);
  unavailable(0);
  EXPECT_EQ(pool->next_due(), now + 1000ms);
  std::vector<std::string> probed;
  for (int i = 0; i < 4; ++i) {
    pass(999ms);
    EXPECT_EQ(start(), -1);
    pass(1ms);
    const auto o = start();
    ASSERT_GE(o, 0);
    probed.push_back(*calls.back().event->key);
    EXPECT_EQ(start(), -1) << "one at a time";
    EXPECT_FALSE(pool->next_due());
    pass(5000ms);
    EXPECT_EQ(start(), -1) << "however long it takes";
    unavailable(o);
  }
  EXPECT_EQ(probed, (std::vector<std::string>{"b", "c", "d", "a"})) << "the longest-waiting first";
}

TEST_F(Breaker, ClosesWithAProbeThatSucceeds) {
  open();
  offer(0, {"a", "b", "c"});
  start();
  unavailable(0);
  pass(1000ms);
  ASSERT_EQ(start(), 1);
  take<notice>();
  answer(1, outcome::success());
  EXPECT_TRUE(pool->breaker_closed());
  const auto said = take<notice>();
  ASSERT_EQ(said.size(), 1U);
  EXPECT_EQ(said[0].what, notice::kind::breaker_closed);
  EXPECT_EQ(start_all(), (in_order{2, 0}));
}

TEST_F(Breaker, LetsAProbeThatFailsOtherwiseSpendItsOwnAttempt) {
  rules.retry.attempts = 2;
  open();
  offer(0, {"poison"});
  start();
  unavailable(0);
  pass(1000ms);
  ASSERT_EQ(start(), 0);
  answer(0, outcome::transient("no"));
  EXPECT_FALSE(pool->breaker_closed());
  pass(100ms);
  EXPECT_EQ(start(), -1) << "a retry that comes due waits";
  EXPECT_EQ(pool->next_due(), now + 900ms);
  pass(900ms);
  ASSERT_EQ(start(), 0);
  EXPECT_EQ(calls.back().attempt, 2U);
  answer(0, outcome::transient("no"));
  EXPECT_EQ(buried(), (in_order{0})) << "a poison event can't hold the breaker";
}

TEST_F(Breaker, CountsCallsThatRunAlreadyNormally) {
  open();
  offer(0, {"a", "b", "c", "d"});
  start_all();
  unavailable(0);
  answer(1, outcome::success());
  EXPECT_EQ(done(), (in_order{1}));
  EXPECT_FALSE(pool->breaker_closed()) << "only a probe closes it";
  answer(2, outcome::transient("no"));
  EXPECT_EQ(pool->parked(), 1U);
  answer(3, outcome::permanent("bad"));
  EXPECT_EQ(buried(), (in_order{3}));
}

TEST_F(Breaker, OpensOnTooManyFailuresButNotOnBadEvents) {
  rules.breaker.over = 4;
  rules.breaker.failure_ratio = 0.5;
  open();
  offer(0, std::vector<std::optional<std::string>>(30));
  start_all();
  for (int i = 0; i < 20; ++i)
    answer(i, outcome::permanent("bad"));
  EXPECT_TRUE(pool->breaker_closed());
  answer(20, outcome::success());
  answer(21, outcome::success());
  answer(22, outcome::transient("no"));
  EXPECT_TRUE(pool->breaker_closed());
  answer(23, outcome::transient("no"));
  EXPECT_FALSE(pool->breaker_closed());
}

TEST_F(Breaker, GoesOnProbingWhenTheProbesPartitionIsDropped) {
  open({0, 1});
  offer(0, {"a"});
  offer(1, {"b"});
  start();
  unavailable(0);
  pass(1000ms);
  ASSERT_EQ(start(), 0);
  ASSERT_EQ(calls.back().event->partition, 1);
  const auto probe = calls.back().id;
  pool->drop_partition(1, now);
  EXPECT_EQ(start(), -1);
  pass(1000ms);
  EXPECT_EQ(start(), 0);
  pool->called(probe, outcome::success(), now, wall(), out);
  EXPECT_FALSE(pool->breaker_closed()) << "a forgotten probe says nothing";
}

TEST_F(Breaker, ProbesOnWhenTheProbesWorkerDies) {
  open();
  offer(0, {"a", "b"});
  start();
  unavailable(0);
  pass(1000ms);
  ASSERT_EQ(start(), 1);
  pool->worker_died(id(1), now, wall(), out);
  pass(1000ms);
  EXPECT_EQ(start(), 0);
}

TEST_F(Breaker, TakesAProbeThatWasUnderWayAtAResetForAnOrdinaryCall) {
  open();
  offer(0, {"a", "b", "c"});
  start();
  unavailable(0);
  pass(1000ms);
  ASSERT_EQ(start(), 1);
  pool->reset_breaker(out);
  EXPECT_TRUE(pool->breaker_closed());
  ASSERT_EQ(start(), 2);
  unavailable(2);
  EXPECT_FALSE(pool->breaker_closed());
  take<notice>();
  answer(1, outcome::success());
  EXPECT_FALSE(pool->breaker_closed());
  EXPECT_TRUE(take<notice>().empty()) << "nothing closed";

  pass(1000ms);
  ASSERT_EQ(start(), 0);
  pool->reset_breaker(out);
  unavailable(0);
  EXPECT_FALSE(pool->breaker_closed()) << "unavailable opens at once";
}

struct Flood : Pool {
  Flood() {
    rules.flood = {.ratio = 2, .run = 3};
    rules.retry.attempts = 1;
  }
  /// Twelve calls under way, of which the first three are dead-lettered.
  void flood() {
    open();
    offer(0, std::vector<std::optional<std::string>>(20));
    for (int i = 0; i < 12; ++i)
      start();
    for (int i = 0; i < 3; ++i)
      answer(i, outcome::permanent("bad"));
    EXPECT_EQ(buried(), (in_order{0, 1, 2}));
    EXPECT_FALSE(pool->breaker_closed());
  }
};

TEST_F(Flood, WritesAtMostOneDeadLetterPerOpenForUntilAProbeSucceeds) {
  flood();
  const auto said = take<notice>();
  ASSERT_EQ(said.size(), 1U);
  EXPECT_EQ(said[0].what, notice::kind::flood);
  for (int i = 3; i < 10; ++i)
    answer(i, outcome::permanent("bad"));
  EXPECT_TRUE(buried().empty());
  EXPECT_EQ(pool->next_due(), now + 1000ms);
  for (int i = 3; i < 7; ++i) {
    pass(999ms);
    EXPECT_TRUE(buried().empty());
    pass(1ms);
    EXPECT_EQ(buried(), (in_order{i}));
    ASSERT_GE(start(), 0);
    answer(calls.back().event->offset, outcome::permanent("bad"));
    EXPECT_TRUE(buried().empty()) << "a probe's waits with the others";
    EXPECT_GT(pool->next_due(), now);
  }
}

TEST_F(Flood, BuriesAProbesDeadLetterInItsTurn) {
  flood();
  for (int i = 3; i < 6; ++i)
    answer(i, outcome::permanent("bad"));
  pass(1000ms);
  EXPECT_EQ(buried(), (in_order{3}));
  ASSERT_EQ(start(), 12);
  answer(12, outcome::permanent("bad"));
  EXPECT_TRUE(buried().empty());
  pass(1000ms);
  EXPECT_EQ(buried(), (in_order{4}));
  ASSERT_EQ(start(), 13);
  answer(13, outcome::success());
  EXPECT_TRUE(pool->breaker_closed());
  EXPECT_EQ(buried(), (in_order{5, 12})) << "the probe succeeded: nothing is held any more";
  EXPECT_EQ(done(), (in_order{13}));
}

TEST_F(Flood, HoldsTheKeysOfHeldDeadLetters) {
  rules.flood.run = 1;
  open();
  offer(0, {"a", "b", "b"});
  start_all();
  answer(0, outcome::permanent("bad"));
  answer(1, outcome::permanent("bad"));
  EXPECT_EQ(buried(), (in_order{0}));
  pass(1000ms);
  EXPECT_EQ(buried(), (in_order{1}));
  EXPECT_EQ(start(), -1) << "b waits for its dead letter";
  pool->dead_letter_written(id(1), now, out);
  EXPECT_EQ(start(), 2);
}

TEST_F(Flood, IsEndedByAReset) {
  flood();
  for (int i = 3; i < 6; ++i)
    answer(i, outcome::permanent("bad"));
  pool->reset_breaker(out);
  EXPECT_EQ(buried(), (in_order{3, 4, 5}));
  EXPECT_TRUE(pool->breaker_closed());
  answer(6, outcome::permanent("bad"));
  EXPECT_EQ(buried(), (in_order{6})) << "counted from nothing again";
}

TEST_F(Flood, LeavesHeldDeadLettersUnwrittenInADrain) {
  flood();
  for (int i = 3; i < 6; ++i)
    answer(i, outcome::permanent("bad"));
  for (int i = 0; i < 3; ++i)
    pool->dead_letter_written(id(i), now, out);
  pass(1000ms);
  EXPECT_EQ(buried(), (in_order{3}));
  pool->dead_letter_written(id(3), now, out);
  ASSERT_EQ(start(), 12); // a probe
  pool->drain();
  pass(5000ms);
  answer(12, outcome::success());
  EXPECT_TRUE(buried().empty()) << "the stop would cut it, and the next start write it again";
  EXPECT_FALSE(pool->next_due());
  pool->resume();
  ASSERT_TRUE(pool->next_due());
  pass(0ms);
  EXPECT_EQ(buried(), (in_order{4, 5}));
}

/// Pools with exactly_once, where what became of an event's outputs shows in their transaction.
struct FloodOfHeld : Flood {
  void handle(std::int64_t offset) {
    answer(offset, outcome::success({to("next")}));
    ASSERT_EQ(take<publish_events>().size(), 1U);
    pool->held_back(id(offset), now, out);
  }
  void turns_out_dead(std::int64_t offset) {
    pool->held_is_dead(make_event(0, offset, {}), {"2 MB", "too_large", 1, 0, 0}, now, out);
  }
};

TEST_F(FloodOfHeld, IsSeenThoughTheirKeysWentOnLongAgo) {
  open();
  offer(0, std::vector<std::optional<std::string>>(10, "k"));
  for (int i = 0; i < 6; ++i) {
    ASSERT_EQ(start(), i);
    handle(i);
  }
  EXPECT_EQ(done(), (in_order{0, 1, 2, 3, 4, 5}));
  turns_out_dead(0);
  turns_out_dead(1);
  EXPECT_TRUE(take<notice>().empty());
  turns_out_dead(2);
  const auto said = take<notice>();
  ASSERT_EQ(said.size(), 1U);
  EXPECT_EQ(said[0].what, notice::kind::flood);
  EXPECT_EQ(said[0].error_class, "too_large");
  EXPECT_EQ(start(), -1) << "the pool pauses";
  turns_out_dead(3);
  EXPECT_TRUE(out.empty()) << "it holds its dead letters itself";
  pass(1000ms);
  EXPECT_EQ(start(), 6) << "a probe";
}

TEST_F(FloodOfHeld, IsNotOverWithAnEventWhoseOutputIsNotWritten) {
  open();
  offer(0, std::vector<std::optional<std::string>>(10));
  start_all();
  turns_out_dead(0);
  turns_out_dead(1);
  handle(2);
  turns_out_dead(2);
  EXPECT_EQ(take<notice>().size(), 1U);
}

TEST_F(FloodOfHeld, IsOverWithOneThatIs) {
  open();
  offer(0, std::vector<std::optional<std::string>>(10));
  start_all();
  turns_out_dead(0);
  turns_out_dead(1);
  handle(2);
  pool->held_was_published();
  turns_out_dead(3);
  EXPECT_TRUE(take<notice>().empty());
}

TEST_F(Flood, ForgetsWhatItHeldOfADroppedPartition) {
  flood();
  answer(3, outcome::permanent("bad"));
  pool->drop_partition(0, now);
  out.clear();
  pass(10'000ms);
  EXPECT_TRUE(out.empty());
  EXPECT_FALSE(pool->next_due());
}

} // namespace
} // namespace troupe::flow

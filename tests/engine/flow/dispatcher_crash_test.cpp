#include "tests/engine/flow/pool_fixture.hpp"

#include <map>
#include <set>

namespace troupe::flow {
namespace {

using namespace std::chrono_literals;

/// Events whose handler killed the process before.
struct DispatcherCrash : Pool {
  void offer_crashed(const std::vector<std::pair<std::optional<std::string>, unsigned>>& events) {
    std::vector<admitted> all;
    for (const auto& [key, crashes] : events) {
      const auto o = offsets[0]++;
      all.push_back({make_event(0, o, key), static_cast<offset_ledger::slot>(o), {crashes, 77, 88}});
    }
    pool->offer(0, std::move(all), now);
  }
};

TEST_F(DispatcherCrash, SuspectStartsWhenTheOthersEndedAndNothingStartsBesideIt) {
  open();
  offer_crashed({{"a", 0}, {"b", 0}, {"c", 2}, {"d", 0}});
  EXPECT_EQ(start_all(), (in_order{0, 1}));
  EXPECT_FALSE(calls.back().alone);
  EXPECT_FALSE(pool->next_is_suspect()) << "it has to wait";
  answer(0, outcome::success());
  EXPECT_EQ(start_all(), in_order{}) << "one still runs, and what is behind the suspect does not pass it";
  answer(1, outcome::success());
  EXPECT_TRUE(pool->next_is_suspect());
  EXPECT_EQ(start_all(), (in_order{2}));
  EXPECT_TRUE(calls.back().alone);
  EXPECT_FALSE(pool->next_is_suspect());
  answer(2, outcome::success());
  EXPECT_EQ(start_all(), (in_order{3}));
  EXPECT_FALSE(calls.back().alone);
}

TEST_F(DispatcherCrash, SuspectRunsAloneInItsRetriesToo) {
  open();
  offer_crashed({{"a", 1}, {"b", 0}});
  EXPECT_EQ(start_all(), (in_order{0}));
  answer(0, outcome::transient("no"));
  EXPECT_EQ(start_all(), (in_order{1})) << "while it is parked it is in nobody's way";
  pass(100ms);
  EXPECT_EQ(start(), -1);
  answer(1, outcome::success());
  EXPECT_EQ(start(), 0);
  EXPECT_TRUE(calls.back().alone);
}

TEST_F(DispatcherCrash, AfterTheThirdCrashItIsADeadLetterWithoutACall) {
  open();
  offer_crashed({{"a", 0}, {"a", 3}, {"a", 0}, {"b", 0}});
  EXPECT_EQ(start_all(), (in_order{0, 3}));
  answer(3, outcome::success());
  EXPECT_TRUE(take<write_dead_letter>().empty());
  EXPECT_FALSE(pool->next_due()) << "its key's turn has not come";
  answer(0, outcome::success());
  EXPECT_EQ(start(), -1);
  ASSERT_TRUE(pool->next_due());
  EXPECT_LE(*pool->next_due(), now);
  pool->tick(now, out);
  const auto letters = take<write_dead_letter>();
  ASSERT_EQ(letters.size(), 1U);
  EXPECT_EQ(letters[0].event->offset, 1);
  EXPECT_EQ(letters[0].why.error_class, "crash-loop");
  EXPECT_EQ(letters[0].why.attempts, 3U);
  EXPECT_EQ(letters[0].why.first_failed_ms, 77);
  EXPECT_EQ(letters[0].why.failed_ms, 88);
  EXPECT_NE(letters[0].why.reason.find("crashed 3 times"), std::string::npos);
  EXPECT_EQ(start(), -1) << "its key waits for the dead letter";
  pool->dead_letter_written(letters[0].id, now, out);
  EXPECT_EQ(start(), 2);
}

TEST_F(DispatcherCrash, CondemnedEventIsNotBuriedInADrain) {
  open();
  pool->drain();
  offer_crashed({{"a", 3}});
  EXPECT_FALSE(pool->next_due());
  pass(1s);
  EXPECT_TRUE(take<write_dead_letter>().empty());
  EXPECT_EQ(pool->under_way(), 0U);
}

TEST_F(DispatcherCrash, HangingCallDoesNotHoldASuspectBackNorASuspectThePool) {
  open();
  offer_crashed({{"a", 0}, {"b", 1}, {"c", 0}});
  EXPECT_EQ(start(), 0);
  EXPECT_EQ(start(), -1);
  pool->overdue(id(0), now);
  EXPECT_EQ(start_all(), (in_order{1}));
  pool->overdue(id(1), now);
  EXPECT_EQ(start_all(), (in_order{2}));
  answer(0, outcome::success());
  answer(1, outcome::success());
  answer(2, outcome::success());
  offer_crashed({{"d", 0}, {"e", 1}});
  EXPECT_EQ(start_all(), (in_order{3})) << "those that came back are counted no more";
}

TEST_F(DispatcherCrash, SuspectThatWaitsForOthersAsksForNoTimer) {
  rules.breaker = {.failure_ratio = 1, .over = 1000, .open_for = 1000ms};
  open();
  offer_crashed({{"a", 0}, {"b", 0}, {"c", 1}});
  EXPECT_EQ(start_all(), (in_order{0, 1}));
  answer(0, outcome::unavailable("out"));
  pass(2s);
  EXPECT_EQ(start(), -1) << "a probe is due, but the suspect is next, and a call still runs";
  EXPECT_FALSE(pool->next_due()) << "nothing to do until it ends";
  answer(1, outcome::success());
  EXPECT_EQ(start(), 2);
}

TEST_F(DispatcherCrash, DroppedPartitionTakesItsSuspectAlong) {
  open({0, 1});
  offer_crashed({{"a", 1}});
  EXPECT_EQ(start(), 0);
  offer(1, {"b"});
  EXPECT_EQ(start(), -1);
  pool->drop_partition(0, now);
  EXPECT_EQ(start_all(), (in_order{0})) << "of the other partition";
}

TEST_F(DispatcherCrash, WorkerThatDiesUnderASuspectLetsTheOthersGoOn) {
  open();
  offer_crashed({{"a", 1}, {"b", 0}});
  EXPECT_EQ(start(), 0);
  pool->worker_died(id(0), now, wall(), out);
  EXPECT_EQ(start_all(), (in_order{1}));
}

TEST_F(DispatcherCrash, NothingEverRunsBesideASuspectWhateverHappens) {
  std::mt19937_64 random{20261121};
  for (int round = 0; round < 50; ++round) {
    offsets.clear();
    out.clear();
    open();
    std::map<std::int64_t, unsigned> crashes;
    std::set<std::int64_t> running, left;
    for (std::int64_t n = 0; n < 60; ++n) {
      const auto times = random() % 5 == 0 ? static_cast<unsigned>(random() % 4) : 0;
      crashes[n] = times;
      left.insert(n);
      offer_crashed({{"k" + std::to_string(random() % 20), times}});
    }
    for (int step = 0; step < 5000 && !left.empty(); ++step) {
      if (random() % 2 == 0) {
        if (const auto o = start(); o >= 0) {
          EXPECT_LT(crashes[o], 3U) << "condemned events are not called";
          EXPECT_EQ(calls.back().alone, crashes[o] > 0);
          running.insert(o);
        }
      } else if (!running.empty()) {
        auto which = running.begin();
        std::advance(which, random() % running.size());
        const auto o = *which;
        running.erase(which);
        answer(o, random() % 4 == 0 ? outcome::transient("no") : outcome::success());
      }
      pass(10ms);
      for (const auto o : buried())
        pool->dead_letter_written(id(o), now, out);
      for (const auto o : done())
        left.erase(o);
      const auto suspects =
          std::count_if(running.begin(), running.end(), [&](auto o) { return crashes[o] > 0; });
      ASSERT_TRUE(suspects == 0 || running.size() == 1);
    }
    EXPECT_TRUE(left.empty());
  }
}

} // namespace
} // namespace troupe::flow

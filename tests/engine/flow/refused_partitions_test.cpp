#include "engine/flow/refused_partitions.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace troupe::flow {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

struct RefusedPartitions : testing::Test {
  refused_partitions waiting{{.attempts = 1,
                              .backoff = policy::backoff_kind::exponential,
                              .initial = milliseconds{200},
                              .max = milliseconds{5000},
                              .jitter = 0}};
  steady_time now{seconds{100}};

  /// Which partitions go.
  std::vector<partition_index> go(std::vector<partition_index> wanting, bool last_chance = false) {
    std::vector<partition_index> out;
    for (const auto i : waiting.next(wanting, now, last_chance))
      out.push_back(wanting[i]);
    return out;
  }
};

TEST_F(RefusedPartitions, GoTogetherWhileNoneIsRefused) {
  EXPECT_THAT(go({2, 0, 1}), ElementsAre(2, 0, 1));
  EXPECT_THAT(go({}), IsEmpty());
}

TEST_F(RefusedPartitions, AreLeftOutUntilTheirBackoffIsOver) {
  EXPECT_EQ(waiting.refused(1, "missing", now).delay, milliseconds{200});
  EXPECT_THAT(go({0, 1, 2}), ElementsAre(0, 2));
  EXPECT_THAT(go({1}), IsEmpty());
  now += milliseconds{199};
  EXPECT_THAT(go({1}), IsEmpty());
  now += milliseconds{1};
  EXPECT_THAT(go({1}), ElementsAre(1));
}

TEST_F(RefusedPartitions, AreTriedAloneAndInTurnWithTheOthers) {
  waiting.refused(1, "missing", now);
  waiting.refused(3, "missing", now);
  now += seconds{1};
  EXPECT_THAT(go({0, 1, 2, 3}), ElementsAre(1));
  waiting.refused(1, "missing", now);
  EXPECT_THAT(go({0, 1, 2, 3}), ElementsAre(0, 2))
      << "one after the other of those that wait would stop them";
  EXPECT_THAT(go({0, 1, 2, 3}), ElementsAre(3));
  waiting.refused(3, "missing", now);
  EXPECT_THAT(go({0, 1, 2, 3}), ElementsAre(0, 2));
  EXPECT_THAT(go({0, 1, 2, 3}), ElementsAre(0, 2)) << "none is due";
}

TEST_F(RefusedPartitions, AreTriedInTheOrderInWhichTheyCameDue) {
  waiting.refused(2, "missing", now);
  now += milliseconds{10};
  waiting.refused(1, "missing", now);
  now += seconds{1};
  EXPECT_THAT(go({1, 2}), ElementsAre(2));
  waiting.refused(2, "missing", now);
  EXPECT_THAT(go({1, 2}), ElementsAre(1));
}

TEST_F(RefusedPartitions, WaitLongerEachTimeUpToABound) {
  std::vector<milliseconds> delays;
  for (int i = 0; i < 7; ++i)
    delays.push_back(waiting.refused(0, "missing", now).delay);
  EXPECT_THAT(delays, ElementsAre(milliseconds{200}, milliseconds{400}, milliseconds{800}, milliseconds{1600},
                                  milliseconds{3200}, milliseconds{5000}, milliseconds{5000}));
}

TEST_F(RefusedPartitions, GoWithTheOthersAgainOnceTaken) {
  waiting.refused(1, "missing", now);
  EXPECT_FALSE(waiting.taken(0)) << "it did not wait";
  EXPECT_TRUE(waiting.taken(1));
  EXPECT_THAT(go({0, 1}), ElementsAre(0, 1));
  EXPECT_EQ(waiting.refused(1, "missing", now).delay, milliseconds{200}) << "counted from nothing again";
}

TEST_F(RefusedPartitions, AreNewsOnceForEachReason) {
  EXPECT_TRUE(waiting.refused(1, "missing", now).news);
  EXPECT_FALSE(waiting.refused(1, "missing", now).news);
  EXPECT_TRUE(waiting.refused(1, "no rights", now).news);
  EXPECT_TRUE(waiting.refused(2, "missing", now).news);
  waiting.taken(1);
  EXPECT_TRUE(waiting.refused(1, "no rights", now).news);
}

TEST_F(RefusedPartitions, HaveALastChanceAfterTheOthers) {
  waiting.refused(1, "missing", now);
  waiting.refused(3, "missing", now);
  EXPECT_THAT(go({0, 1, 2, 3}, true), ElementsAre(0, 2));
  EXPECT_THAT(go({1, 3}, true), ElementsAre(1));
  EXPECT_THAT(go({3}, true), ElementsAre(3));
}

TEST_F(RefusedPartitions, AreForgottenWithTheirAssignment) {
  waiting.refused(1, "missing", now);
  waiting.clear();
  EXPECT_FALSE(waiting.waits(1));
  EXPECT_THAT(go({0, 1}), ElementsAre(0, 1));
}

} // namespace
} // namespace troupe::flow

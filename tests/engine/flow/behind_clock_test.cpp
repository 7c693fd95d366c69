#include "engine/flow/behind_clock.hpp"

#include <gtest/gtest.h>

namespace troupe::flow {
namespace {

TEST(BehindClock, KnowsNothingOfWhatNobodyRead) {
  behind_clock c;
  EXPECT_EQ(c.oldest(3, 1000), std::nullopt);
}

TEST(BehindClock, GoesByTheOldestUnfinishedEventHoweverOldItIs) {
  behind_clock c;
  EXPECT_EQ(c.oldest(0, 5000), std::nullopt);
  c.move({1000, true}); // made long before it came
  EXPECT_EQ(c.oldest(2, 6000), 1000);
}

TEST(BehindClock, InABacklogGoesByTheNewestEventThatWasRead) {
  behind_clock c;
  c.move({1000, false});
  EXPECT_EQ(c.oldest(70, 9000), 1000);
  c.move({2000, false});
  EXPECT_EQ(c.oldest(60, 9100), 2000);
}

TEST(BehindClock, AnEventThatJustCameIsNotAsOldAsTheOneBefore) {
  behind_clock c;
  c.move({1000, false});
  EXPECT_EQ(c.oldest(0, 15'000), std::nullopt);
  EXPECT_EQ(c.oldest(1, 16'000), 15'000);
  EXPECT_EQ(c.oldest(1, 17'000), 15'000);
  c.move({15'500, true}); // now it is read
  EXPECT_EQ(c.oldest(1, 18'000), 15'500);
}

} // namespace
} // namespace troupe::flow

#include "engine/policy/flood_brake.hpp"

#include <gtest/gtest.h>

namespace troupe::policy {
namespace {

TEST(FloodBrake, a_run_of_dead_letters_pulls_it_once) {
  flood_brake brake{{.ratio = 1, .run = 50}};
  for (int i = 0; i < 49; ++i)
    ASSERT_FALSE(brake.record(true));
  EXPECT_FALSE(brake.pulled());
  EXPECT_TRUE(brake.record(true));
  EXPECT_TRUE(brake.pulled());
  EXPECT_FALSE(brake.record(true)) << "it is pulled already";
}

TEST(FloodBrake, a_success_ends_the_run) {
  flood_brake brake{{.ratio = 1, .run = 3}};
  for (int i = 0; i < 100; ++i) {
    ASSERT_FALSE(brake.record(true));
    ASSERT_FALSE(brake.record(true));
    ASSERT_FALSE(brake.record(false));
  }
}

TEST(FloodBrake, the_ratio_counts_only_once_the_window_is_full) {
  flood_brake brake{{.ratio = 0.2, .run = 1000}};
  for (std::size_t i = 1; i < flood_brake::window; ++i)
    ASSERT_FALSE(brake.record(i % 5 == 0)) << i;
  EXPECT_TRUE(brake.record(true));
}

TEST(FloodBrake, below_the_ratio_it_never_pulls) {
  flood_brake brake{{.ratio = 0.2, .run = 1000}};
  for (int i = 0; i < 2000; ++i)
    ASSERT_FALSE(brake.record(i % 200 < 39)) << i;
}

TEST(FloodBrake, forgets_outcomes_older_than_the_window) {
  flood_brake brake{{.ratio = 0.2, .run = 1000}};
  for (int i = 0; i < 39; ++i)
    brake.record(true);
  for (int i = 0; i < 200; ++i)
    ASSERT_FALSE(brake.record(false));
  for (int i = 0; i < 39; ++i)
    ASSERT_FALSE(brake.record(true));
  EXPECT_TRUE(brake.record(true));
}

TEST(FloodBrake, releasing_it_starts_the_run_over) {
  flood_brake brake{{.ratio = 0.2, .run = 2}};
  brake.record(true);
  EXPECT_TRUE(brake.record(true));
  brake.release();
  EXPECT_FALSE(brake.pulled());
  EXPECT_FALSE(brake.record(true)) << "the run starts over";
  EXPECT_TRUE(brake.record(true));
}

TEST(FloodBrake, a_release_amid_a_flood_lets_no_burst_through) {
  flood_brake brake{{.ratio = 0.2, .run = 1000}};
  for (int i = 0; !brake.pulled() && i < 1000; ++i)
    brake.record(i % 3 == 0);
  ASSERT_TRUE(brake.pulled());
  brake.release();
  EXPECT_FALSE(brake.record(false));
  EXPECT_TRUE(brake.record(true)) << "the ratio is still a flood's";
  brake.reset();
  EXPECT_FALSE(brake.record(true)) << "a reset forgets what was seen";
}

TEST(FloodBrake, a_ratio_of_1_switches_it_off) {
  flood_brake brake{{.ratio = 1, .run = 1000}};
  for (int i = 0; i < 900; ++i)
    ASSERT_FALSE(brake.record(true));
}

TEST(FloodBrake, new_rules_hold_from_the_next_outcome_on) {
  flood_brake brake{{.ratio = 1, .run = 100}};
  for (int i = 0; i < 10; ++i)
    brake.record(true);
  brake.change({.ratio = 1, .run = 11});
  EXPECT_FALSE(brake.pulled());
  EXPECT_TRUE(brake.record(true));
}

TEST(FloodBrake, rules_of_zero_do_not_pull_it_on_successes) {
  flood_brake brake{{.ratio = 0, .run = 0}};
  for (int i = 0; i < 500; ++i)
    ASSERT_FALSE(brake.record(false));
  EXPECT_TRUE(brake.record(true));
}

} // namespace
} // namespace troupe::policy

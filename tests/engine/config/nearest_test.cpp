#include "engine/config/nearest.hpp"

#include <gtest/gtest.h>

namespace troupe::config {
namespace {

TEST(Nearest, distance_counts_changes_and_swaps) {
  EXPECT_EQ(distance("", ""), 0U);
  EXPECT_EQ(distance("abc", ""), 3U);
  EXPECT_EQ(distance("workers", "worker"), 1U);
  EXPECT_EQ(distance("workers", "wrokers"), 1U) << "two neighbours swapped are one mistake";
  EXPECT_EQ(distance("retires", "retry"), 3U);
  EXPECT_EQ(distance("kitten", "sitting"), 3U);
}

TEST(Nearest, answers_what_is_near_and_nothing_else) {
  EXPECT_EQ(nearest("retires", {"pool", "retry", "dlq"}), "retry");
  EXPECT_EQ(nearest("wokers", {"workers", "max_workers"}), "workers");
  EXPECT_EQ(nearest("foo", {"app", "log"}), std::nullopt);
  EXPECT_EQ(nearest("x", {}), std::nullopt);
}

} // namespace
} // namespace troupe::config

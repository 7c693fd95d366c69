#include "engine/state/latency.hpp"

#include <gtest/gtest.h>

namespace troupe::state {

TEST(Quantile, of_nothing_is_unknown) {
  EXPECT_FALSE(quantile({}, 0.5));
}

TEST(Quantile, is_interpolated_within_its_bucket) {
  buckets counts{};
  counts[1] = 100; // 5 to 10 ms
  EXPECT_DOUBLE_EQ(*quantile(counts, 0.5), 0.0075);
  EXPECT_DOUBLE_EQ(*quantile(counts, 1), 0.01);
  counts[0] = 100; // up to 5 ms
  EXPECT_DOUBLE_EQ(*quantile(counts, 0.25), 0.0025);
  EXPECT_DOUBLE_EQ(*quantile(counts, 0.75), 0.0075);
}

TEST(Quantile, skips_empty_buckets) {
  buckets counts{};
  counts[0] = 1;
  counts[9] = 1; // 0.75 to 1 s
  EXPECT_GT(*quantile(counts, 0.99), 0.75);
  EXPECT_LE(*quantile(counts, 0.5), 0.005);
}

TEST(Quantile, beyond_the_last_bound_says_no_more_than_the_bound) {
  buckets counts{};
  counts.back() = 5;
  EXPECT_DOUBLE_EQ(*quantile(counts, 0.99), 10);
}

} // namespace troupe::state

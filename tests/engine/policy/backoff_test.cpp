#include "engine/policy/backoff.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <set>

namespace troupe::policy {
namespace {

using namespace std::chrono_literals;

retry_rules rules(backoff_kind kind, milliseconds initial = 1s, milliseconds max = 1min, double jitter = 0) {
  return {.attempts = 5, .backoff = kind, .initial = initial, .max = max, .jitter = jitter};
}

TEST(Backoff, constant_is_always_the_initial_delay) {
  for (unsigned n = 1; n < 50; ++n)
    EXPECT_EQ(delay_of(rules(backoff_kind::constant), n, 0.9), 1s);
}

TEST(Backoff, linear_is_the_attempt_times_the_initial_delay) {
  EXPECT_EQ(delay_of(rules(backoff_kind::linear, 250ms), 1, 0.5), 250ms);
  EXPECT_EQ(delay_of(rules(backoff_kind::linear, 250ms), 2, 0.5), 500ms);
  EXPECT_EQ(delay_of(rules(backoff_kind::linear, 250ms), 7, 0.5), 1750ms);
}

TEST(Backoff, quadratic_is_the_square_of_the_attempt_times_the_initial_delay) {
  const auto r = rules(backoff_kind::quadratic);
  EXPECT_EQ(delay_of(r, 1, 0.5), 1s);
  EXPECT_EQ(delay_of(r, 2, 0.5), 4s);
  EXPECT_EQ(delay_of(r, 3, 0.5), 9s);
  EXPECT_EQ(delay_of(r, 4, 0.5), 16s);
}

TEST(Backoff, exponential_doubles) {
  const auto r = rules(backoff_kind::exponential, 100ms);
  EXPECT_EQ(delay_of(r, 1, 0.5), 100ms);
  EXPECT_EQ(delay_of(r, 2, 0.5), 200ms);
  EXPECT_EQ(delay_of(r, 5, 0.5), 1600ms);
}

TEST(Backoff, attempts_count_calls_the_first_included) {
  auto r = rules(backoff_kind::constant);
  EXPECT_TRUE(next_delay(r, 1, 0));
  EXPECT_TRUE(next_delay(r, 4, 0));
  EXPECT_FALSE(next_delay(r, 5, 0));
  EXPECT_FALSE(next_delay(r, 6, 0));
  r.attempts = 1;
  EXPECT_FALSE(next_delay(r, 1, 0));
  EXPECT_EQ(delay_of(r, 1'000'000, 0), 1s) << "what is tried until it works counts no attempts";
}

TEST(Backoff, jitter_spreads_around_the_delay_and_covers_its_whole_share) {
  const auto r = rules(backoff_kind::constant, 1s, 1min, 0.2);
  EXPECT_EQ(delay_of(r, 1, 0), 800ms);
  EXPECT_EQ(delay_of(r, 1, 0.5), 1000ms);
  EXPECT_NEAR(static_cast<double>(delay_of(r, 1, 0.999999).count()), 1200, 1);
}

TEST(Backoff, delays_at_the_maximum_still_differ_from_each_other) {
  const auto r = rules(backoff_kind::exponential, 1s, 10s, 0.2);
  std::set<milliseconds> seen;
  for (double random : {0.0, 0.1, 0.2, 0.3, 0.4})
    seen.insert(delay_of(r, 40, random));
  EXPECT_EQ(seen.size(), 5U);
}

TEST(Backoff, never_overflows_nor_leaves_its_bounds) {
  std::mt19937_64 dice{7};
  const milliseconds longest = milliseconds::max();
  for (const auto kind :
       {backoff_kind::constant, backoff_kind::linear, backoff_kind::quadratic, backoff_kind::exponential})
    for (const auto initial : {0ms, 1ms, 1000ms, longest})
      for (const auto max : {0ms, 1ms, 60'000ms, longest})
        for (const unsigned attempt :
             {0U, 1U, 2U, 64U, 65U, 100'000U, std::numeric_limits<unsigned>::max()}) {
          const double random = std::uniform_real_distribution<>{0, 1}(dice);
          const auto delay = delay_of(rules(kind, initial, max, random), attempt, random);
          EXPECT_GE(delay, 0ms);
          EXPECT_LE(delay, max);
        }
  EXPECT_EQ(delay_of(rules(backoff_kind::exponential, 1ms, longest), 4'000'000'000U, 0.5), longest);
}

TEST(Backoff, grows_with_the_attempt_until_the_maximum) {
  for (const auto kind : {backoff_kind::linear, backoff_kind::quadratic, backoff_kind::exponential})
    for (unsigned n = 1; n < 100; ++n) {
      const auto here = delay_of(rules(kind), n, 0.5), next = delay_of(rules(kind), n + 1, 0.5);
      EXPECT_TRUE(here < next || next == 1min) << n;
    }
}

} // namespace
} // namespace troupe::policy

#include "engine/policy/breaker.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>

namespace troupe::policy {
namespace {

using namespace std::chrono_literals;
using state = circuit_breaker::state;

const steady_time t0{1000s};

struct Breaker : testing::Test {
  circuit_breaker breaker{{.failure_ratio = 0.5, .over = 4, .open_for = 10s}};

  bool ok(steady_time at = t0) { return breaker.record(true, false, at); }
  bool fail(steady_time at = t0) { return breaker.record(false, false, at); }
  bool unavailable(steady_time at = t0, std::optional<milliseconds> retry_after = {}) {
    return breaker.record(false, true, at, retry_after);
  }
};

TEST_F(Breaker, fewer_outcomes_than_the_window_never_open_it) {
  for (int i = 0; i < 3; ++i)
    EXPECT_FALSE(fail());
  EXPECT_TRUE(breaker.closed());
  EXPECT_TRUE(fail());
  EXPECT_EQ(breaker.now_is(), state::open);
  EXPECT_EQ(breaker.probe_due(), t0 + 10s);
}

TEST_F(Breaker, looks_at_the_last_outcomes_only) {
  fail();
  for (int i = 0; i < 3; ++i)
    ok();
  EXPECT_FALSE(fail()) << "the first failure has left the window";
  EXPECT_FALSE(ok());
  EXPECT_TRUE(fail()) << "two of the last four failed";
}

TEST_F(Breaker, unavailable_opens_at_once) {
  EXPECT_TRUE(unavailable());
  EXPECT_FALSE(breaker.closed());
  EXPECT_EQ(breaker.probe_due(), t0 + 10s);
}

TEST_F(Breaker, retry_after_opens_it_for_longer_but_never_for_less) {
  unavailable(t0, 3s);
  EXPECT_EQ(breaker.probe_due(), t0 + 10s);
  unavailable(t0, 30s);
  EXPECT_EQ(breaker.probe_due(), t0 + 30s);
  unavailable(t0 + 1s);
  EXPECT_EQ(breaker.probe_due(), t0 + 30s) << "a later answer without a wish must not shorten it";
}

TEST_F(Breaker, an_endless_retry_after_does_not_overflow_the_clock) {
  unavailable(t0, milliseconds::max());
  ASSERT_TRUE(breaker.probe_due());
  EXPECT_GT(*breaker.probe_due(), t0 + std::chrono::hours{24 * 365});
}

TEST_F(Breaker, calls_that_were_running_when_it_opened_neither_reopen_nor_extend_it) {
  unavailable(t0);
  EXPECT_FALSE(fail(t0 + 5s));
  EXPECT_FALSE(ok(t0 + 6s));
  EXPECT_EQ(breaker.now_is(), state::open) << "only a probe closes it";
  EXPECT_EQ(breaker.probe_due(), t0 + 10s);
  EXPECT_FALSE(unavailable(t0 + 7s));
  EXPECT_EQ(breaker.probe_due(), t0 + 17s);
}

TEST_F(Breaker, late_failures_in_a_full_window_neither_reopen_nor_extend_it_either) {
  for (int i = 0; i < 4; ++i)
    fail(t0);
  for (int i = 1; i < 10; ++i)
    EXPECT_FALSE(fail(t0 + std::chrono::seconds{i}));
  EXPECT_EQ(breaker.probe_due(), t0 + 10s);
}

TEST_F(Breaker, one_probe_at_a_time) {
  unavailable();
  breaker.probe_started();
  EXPECT_EQ(breaker.now_is(), state::probing);
  EXPECT_FALSE(breaker.probe_due());
  breaker.trip(t0 + 11s);
  EXPECT_EQ(breaker.now_is(), state::probing) << "or a second probe could start beside the first";
  EXPECT_FALSE(unavailable(t0 + 12s));
  EXPECT_EQ(breaker.now_is(), state::probing);
}

TEST_F(Breaker, a_successful_probe_closes_it_and_forgets_the_failures) {
  for (int i = 0; i < 4; ++i)
    fail();
  breaker.probe_started();
  breaker.probe_ended(true, t0 + 10s);
  EXPECT_TRUE(breaker.closed());
  for (int i = 0; i < 3; ++i)
    EXPECT_FALSE(fail(t0 + 11s));
  EXPECT_TRUE(fail(t0 + 11s));
}

TEST_F(Breaker, a_failed_probe_opens_it_for_another_time) {
  unavailable();
  breaker.probe_started();
  breaker.probe_ended(false, t0 + 12s);
  EXPECT_EQ(breaker.now_is(), state::open);
  EXPECT_EQ(breaker.probe_due(), t0 + 22s);
  breaker.probe_started();
  breaker.probe_ended(false, t0 + 23s, 60s);
  EXPECT_EQ(breaker.probe_due(), t0 + 83s);
}

TEST_F(Breaker, trips_from_outside_and_resets_from_outside) {
  breaker.trip(t0);
  EXPECT_EQ(breaker.probe_due(), t0 + 10s);
  breaker.reset();
  EXPECT_TRUE(breaker.closed());
  EXPECT_FALSE(breaker.probe_due());
}

TEST_F(Breaker, the_probe_of_a_breaker_reset_meanwhile_counts_as_an_ordinary_call) {
  unavailable();
  breaker.probe_started();
  breaker.reset();
  breaker.probe_ended(false, t0 + 1s);
  EXPECT_TRUE(breaker.closed());
  fail();
  fail();
  EXPECT_TRUE(fail()) << "the probe's failure is the first of four";
}

TEST_F(Breaker, a_probe_does_not_start_while_it_is_closed) {
  breaker.probe_started();
  EXPECT_TRUE(breaker.closed());
}

TEST_F(Breaker, a_ratio_of_zero_does_not_open_on_successes) {
  breaker.change({.failure_ratio = 0, .over = 1, .open_for = 1s});
  EXPECT_FALSE(ok());
  EXPECT_TRUE(fail());
}

TEST_F(Breaker, a_window_of_one_and_of_none_opens_on_the_first_failure) {
  for (const unsigned over : {0U, 1U}) {
    circuit_breaker small{{.failure_ratio = 0.5, .over = over, .open_for = 1s}};
    EXPECT_FALSE(small.record(true, false, t0));
    EXPECT_TRUE(small.record(false, false, t0));
    EXPECT_EQ(small.probe_due(), t0 + 1s);
  }
}

TEST_F(Breaker, new_rules_keep_the_latest_outcomes) {
  fail();
  ok();
  ok();
  ok();
  breaker.change({.failure_ratio = 0.5, .over = 2, .open_for = 10s});
  EXPECT_TRUE(fail()) << "one of the last two";
  breaker.change({.failure_ratio = 0.5, .over = 40, .open_for = 1s});
  EXPECT_EQ(breaker.now_is(), state::open) << "changing the rules does not close it";
  EXPECT_EQ(breaker.probe_due(), t0 + 10s);
}

/// Against the plainest possible model: a deque of all outcomes since the last close.
TEST(BreakerProperty, opens_exactly_when_a_plain_count_says_so) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    std::mt19937 dice{seed};
    const auto roll = [&](unsigned n) { return std::uniform_int_distribution<unsigned>{0, n - 1}(dice); };
    breaker_rules rules{.failure_ratio = 0.1 * (1 + roll(10)), .over = 1 + roll(30), .open_for = 5s};
    circuit_breaker breaker{rules};
    std::deque<bool> model;
    auto now = t0;
    for (int step = 0; step < 400; ++step) {
      now += milliseconds{roll(1000)};
      if (roll(50) == 0) {
        rules.over = 1 + roll(30);
        while (model.size() > rules.over)
          model.pop_front();
        breaker.change(rules);
      }
      if (breaker.closed()) {
        const bool ok = roll(2) == 0;
        model.push_back(!ok);
        while (model.size() > rules.over)
          model.pop_front();
        const auto failures = std::count(model.begin(), model.end(), true);
        const bool expected = model.size() == rules.over && failures > 0 &&
                              static_cast<double>(failures) / rules.over >= rules.failure_ratio;
        ASSERT_EQ(breaker.record(ok, false, now), expected) << "seed " << seed << " step " << step;
        ASSERT_EQ(breaker.closed(), !expected);
      } else {
        const auto due = breaker.probe_due();
        ASSERT_TRUE(due);
        if (now < *due) continue;
        breaker.probe_started();
        const bool ok = roll(2) == 0;
        breaker.probe_ended(ok, now);
        ASSERT_EQ(breaker.closed(), ok);
        if (ok)
          model.clear();
        else
          ASSERT_EQ(breaker.probe_due(), now + 5s);
      }
    }
  }
}

} // namespace
} // namespace troupe::policy

#include "apps/dashboard/sessions.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <set>

namespace troupe::dashboard {
namespace {

using namespace std::chrono_literals;

const steady_time start{std::chrono::hours{1000}};

TEST(DashboardSessions, know_who_logged_in_until_they_log_out) {
  sessions all;
  const auto alice = all.begin("alice", true, start), bob = all.begin("bob", false, start);
  EXPECT_NE(alice, bob);
  EXPECT_GE(alice.size(), 43U);
  ASSERT_TRUE(all.find(alice, start));
  EXPECT_EQ(all.find(alice, start)->user, "alice");
  EXPECT_TRUE(all.find(alice, start)->operates);
  EXPECT_FALSE(all.find(bob, start)->operates);
  EXPECT_NE(all.find(alice, start)->csrf, all.find(bob, start)->csrf);
  EXPECT_NE(all.find(alice, start)->csrf, alice);
  all.end(alice);
  EXPECT_FALSE(all.find(alice, start));
  EXPECT_TRUE(all.find(bob, start));
  EXPECT_FALSE(all.find("", start));
}

TEST(DashboardSessions, end_unused_after_half_a_day_and_used_after_a_week) {
  sessions all;
  const auto idle = all.begin("alice", true, start), busy = all.begin("bob", true, start);
  auto now = start;
  for (; now < start + 7 * 24h; now += 11h)
    EXPECT_TRUE(all.find(busy, now));
  EXPECT_FALSE(all.find(idle, start + 12h + 1s));
  EXPECT_FALSE(all.find(busy, start + 7 * 24h + 1s));
}

TEST(DashboardSessions, are_bounded_and_drop_the_one_unused_for_longest) {
  sessions all;
  const auto first = all.begin("first", true, start), second = all.begin("second", true, start + 1s);
  EXPECT_TRUE(all.find(first, start + 2s));
  for (int i = 0; i < 999; ++i)
    all.begin("more", false, start + 3s);
  EXPECT_TRUE(all.find(first, start + 4s));
  EXPECT_FALSE(all.find(second, start + 4s));
}

TEST(DashboardSessions, have_tokens_that_repeat_nothing) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i)
    EXPECT_TRUE(seen.insert(random_token()).second);
}

TEST(DashboardThrottle, lets_a_few_tries_pass_and_then_doubles_the_wait) {
  throttle t;
  for (int i = 0; i < 4; ++i)
    t.failed("1.2.3.4", "alice", start);
  EXPECT_FALSE(t.wait("1.2.3.4", "alice", start));
  t.failed("1.2.3.4", "alice", start);
  EXPECT_EQ(t.wait("1.2.3.4", "bob", start), 1s);
  EXPECT_FALSE(t.wait("1.2.3.4", "bob", start + 1s));
  t.failed("1.2.3.4", "carol", start + 1s);
  EXPECT_EQ(t.wait("1.2.3.4", "bob", start + 1s), 2s);
  EXPECT_FALSE(t.wait("5.6.7.8", "bob", start + 1s));
}

TEST(DashboardThrottle, slows_a_name_down_for_all_addresses_but_not_for_long) {
  throttle t;
  for (int i = 0; i < 100; ++i)
    t.failed("10.0.0." + std::to_string(i), "alice", start);
  EXPECT_EQ(t.wait("5.6.7.8", "alice", start), 30s);
  EXPECT_FALSE(t.wait("5.6.7.8", "bob", start));
  for (int i = 0; i < 100; ++i)
    t.failed("1.2.3.4", "someone" + std::to_string(i), start);
  EXPECT_EQ(t.wait("1.2.3.4", "dave", start), 15min);
}

TEST(DashboardThrottle, forgets_after_success_and_after_a_while) {
  throttle t;
  for (int i = 0; i < 6; ++i)
    t.failed("1.2.3.4", "alice", start);
  t.succeeded("1.2.3.4", "alice");
  EXPECT_FALSE(t.wait("1.2.3.4", "alice", start));
  for (int i = 0; i < 6; ++i)
    t.failed("1.2.3.4", "alice", start);
  t.failed("9.9.9.9", "zoe", start + 31min);
  t.failed("1.2.3.4", "alice", start + 31min);
  EXPECT_FALSE(t.wait("1.2.3.4", "alice", start + 31min)) << "its first failure again";
}

} // namespace
} // namespace troupe::dashboard

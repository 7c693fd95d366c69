#include "engine/policy/restart_budget.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace troupe::policy {
namespace {

using namespace std::chrono_literals;
const steady_time t0{1000s};

TEST(RestartBudget, allows_so_many_within_its_time_and_no_more) {
  restart_budget budget{3, 60s};
  EXPECT_TRUE(budget.spend(t0));
  EXPECT_TRUE(budget.spend(t0 + 1s));
  EXPECT_TRUE(budget.spend(t0 + 2s));
  EXPECT_FALSE(budget.spend(t0 + 59s));
}

TEST(RestartBudget, what_is_older_than_its_time_is_forgiven) {
  restart_budget budget{1, 60s};
  EXPECT_TRUE(budget.spend(t0));
  EXPECT_FALSE(budget.spend(t0 + 59'999ms));
  EXPECT_TRUE(budget.spend(t0 + 60s)) << "a refusal spends nothing";
}

TEST(RestartBudget, a_budget_of_none_allows_none) {
  restart_budget budget{0, 60s};
  EXPECT_FALSE(budget.spend(t0));
}

TEST(RestartBudgetProperty, no_stretch_of_its_time_holds_more_than_the_budget) {
  std::mt19937 dice{11};
  restart_budget budget{5, 1s};
  std::vector<steady_time> spent;
  auto now = t0;
  for (int i = 0; i < 20'000; ++i) {
    now += milliseconds{std::uniform_int_distribution<>{0, 300}(dice)};
    const auto recent = std::count_if(spent.begin(), spent.end(), [&](auto at) { return now - at < 1s; });
    ASSERT_EQ(budget.spend(now), recent < 5);
    if (recent < 5) spent.push_back(now);
    if (spent.size() > 100) spent.erase(spent.begin(), spent.begin() + 50);
  }
}

} // namespace
} // namespace troupe::policy

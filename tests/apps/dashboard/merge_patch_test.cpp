#include "apps/dashboard/merge_patch.hpp"

#include <gtest/gtest.h>

#include <random>

namespace troupe::dashboard {
namespace {

using nlohmann::json;

TEST(DashboardMergePatch, says_what_changed_what_came_and_what_went) {
  const json before{{"at", 1}, {"same", {1, 2}}, {"a", {{"x", 1}, {"y", {{"z", 2}}}}}, {"gone", 1}};
  const json after{
      {"at", 2}, {"same", {1, 2}}, {"a", {{"y", {{"z", 3}}}, {"w", json::array()}}}, {"b", json::object()}};
  EXPECT_EQ(merge_patch(before, after),
            json::parse(R"({"at":2,"a":{"x":null,"y":{"z":3},"w":[]},"gone":null,"b":{}})"));
}

TEST(DashboardMergePatch, of_equals_is_empty) {
  const json j{{"a", {{"b", {1, nullptr, {{"c", 2}}}}}}};
  EXPECT_TRUE(merge_patch(j, j).empty());
}

json random_tree(std::mt19937& dice, int depth) {
  const auto kind = dice() % (depth > 0 ? 5 : 3);
  if (kind == 0) return dice() % 3;
  if (kind == 1) return "text" + std::to_string(dice() % 2);
  if (kind == 2) return json::array({dice() % 2, nullptr});
  json made = json::object();
  for (auto i = dice() % 4; i > 0; --i)
    made["k" + std::to_string(dice() % 4)] = random_tree(dice, depth - 1);
  return made;
}

TEST(DashboardMergePatch, makes_the_next_document_of_the_last) {
  std::mt19937 dice{7};
  for (int i = 0; i < 3000; ++i) {
    json before{{"root", random_tree(dice, 4)}};
    const json after{{"root", random_tree(dice, 4)}};
    const auto patch = merge_patch(before, after);
    before.merge_patch(patch);
    EXPECT_EQ(before, after) << patch;
  }
}

} // namespace
} // namespace troupe::dashboard

#include "engine/flow/lane_table.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace troupe::flow {
namespace {

TEST(LaneTable, GivesAKeyItsLaneAndAnEmptyOneToAKeyItDoesNotKnow) {
  lane_table lanes;
  const auto first = lanes.find_or_add("a");
  EXPECT_EQ(lanes[first].first, lane_table::none);
  lanes[first].first = lanes[first].last = 7;
  EXPECT_EQ(lanes.find_or_add("a"), first);
  EXPECT_NE(lanes.find_or_add("b"), first);
  EXPECT_EQ(lanes[first].first, 7U);
}

TEST(LaneTable, ForgetsAKeyThatIsRemoved) {
  lane_table lanes;
  const auto first = lanes.find_or_add("a");
  lanes[first].first = lanes[first].last = 7;
  lanes.remove(first);
  const auto again = lanes.find_or_add("a");
  EXPECT_EQ(lanes[again].first, lane_table::none);
  EXPECT_EQ(lanes[again].last, lane_table::none);
}

TEST(LaneTable, TellsKeysWithZeroBytesAndTheEmptyKeyApart) {
  lane_table lanes;
  const auto empty = lanes.find_or_add({});
  const auto zero = lanes.find_or_add(std::string(1, '\0'));
  const auto zeros = lanes.find_or_add(std::string(2, '\0'));
  EXPECT_NE(empty, zero);
  EXPECT_NE(zero, zeros);
  EXPECT_EQ(lanes.find_or_add(""), empty);
}

TEST(LaneTable, KeepsNoMemoryOfALongKey) {
  lane_table lanes;
  const auto which = lanes.find_or_add(std::string(1'000'000, 'x'));
  lanes.remove(which);
  EXPECT_LT(lanes[which].key.capacity(), 1000U);
}

TEST(LaneTableProperty, IsAMapWhateverComesAndGoes) {
  std::mt19937_64 random{1};
  for (const std::size_t keys : {3U, 40U, 5000U}) {
    lane_table lanes;
    std::map<std::string, lane_table::index> model;
    std::map<lane_table::index, std::string> taken;
    for (int i = 0; i < 50'000; ++i) {
      const auto key = "key-" + std::to_string(random() % keys);
      const auto known = model.find(key);
      if (known != model.end() && random() % 2 == 0) {
        lanes.remove(known->second);
        taken.erase(known->second);
        model.erase(known);
        continue;
      }
      const auto at = lanes.find_or_add(key);
      ASSERT_EQ(lanes[at].key, key);
      if (known != model.end()) {
        ASSERT_EQ(at, known->second);
        continue;
      }
      ASSERT_EQ(lanes[at].first, lane_table::none);
      ASSERT_TRUE(taken.emplace(at, key).second) << key << " has the lane of " << taken[at];
      model.emplace(key, at);
    }
  }
}

} // namespace
} // namespace troupe::flow

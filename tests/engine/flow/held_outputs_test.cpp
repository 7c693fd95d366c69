#include "engine/flow/held_outputs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace troupe::flow {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

held_output of(std::int64_t offset, std::string value = "v") {
  auto event = std::make_shared<record>();
  event->offset = offset;
  outgoing out;
  out.value = std::move(value);
  return {std::move(event), 1, std::make_shared<const std::vector<outgoing>>(1, std::move(out)), {}};
}

std::vector<std::int64_t> offsets(const std::vector<held_output>& all) {
  std::vector<std::int64_t> out;
  for (const auto& one : all)
    out.push_back(one.event->offset);
  return out;
}

TEST(HeldOutputs, GivesThoseBelowAPositionInOffsetOrderHoweverTheyFinished) {
  held_outputs held;
  for (const std::int64_t offset : {7, 3, 9, 5})
    held.hold(of(offset));
  EXPECT_THAT(offsets(held.below(9)), ElementsAre(3, 5, 7));
  EXPECT_THAT(held.below(3), IsEmpty()) << "the position is the next to read, not the last done";
}

TEST(HeldOutputs, KeepsThemUntilTheTransactionCommitted) {
  held_outputs held;
  held.hold(of(1));
  held.hold(of(2));
  EXPECT_THAT(offsets(held.below(2)), ElementsAre(1));
  EXPECT_THAT(offsets(held.below(2)), ElementsAre(1)) << "that one was aborted";
  held.committed(2);
  EXPECT_THAT(offsets(held.below(10)), ElementsAre(2));
  EXPECT_EQ(held.size(), 1U);
}

TEST(HeldOutputs, PutsADeadLetterInThePlaceOfWhatCannotBePublished) {
  held_outputs held;
  held.hold(of(1, "first"));
  held.hold(of(2, "too large"));
  auto letter = of(2, "letter");
  letter.dead_as = "too_large";
  held.hold(std::move(letter));
  const auto all = held.below(3);
  EXPECT_THAT(offsets(all), ElementsAre(1, 2));
  EXPECT_EQ(all[1].events->front().value, "letter");
  EXPECT_EQ(all[1].dead_as, "too_large");
}

TEST(HeldOutputs, OutliveTheirHolderInATransactionUnderWay) {
  std::vector<held_output> taken;
  {
    held_outputs held;
    held.hold(of(1));
    taken = held.below(2);
  }
  EXPECT_EQ(taken.at(0).events->front().value, "v");
}

TEST(HeldOutputs, CountKeysValuesAndHeaders) {
  auto one = of(1, "12345");
  auto with = *one.events;
  with[0].key = "123";
  with[0].headers = {{"name", "value"}, {"null", std::nullopt}};
  with.push_back(with[0]);
  one.events = std::make_shared<const std::vector<outgoing>>(with);
  EXPECT_EQ(one.bytes(), 2U * (5 + 3 + 9 + 4));
  held_outputs held;
  held.hold(one);
  EXPECT_EQ(held.bytes_of(1), one.bytes());
  EXPECT_EQ(held.bytes_of(2), 0U) << "it published nothing";
}

} // namespace
} // namespace troupe::flow

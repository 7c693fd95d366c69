#include "actors/aggregate_supervisor.hpp"
#include "actors/group.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace troupe::actors {
namespace {

TEST(OriginNote, ComesBackAsItWasWritten) {
  for (const std::int64_t origin : {std::int64_t{0}, std::int64_t{1}, std::int64_t{987654321},
                                    std::numeric_limits<std::int64_t>::max()}) {
    const auto note = decode_origin(encode_origin("0123456789abcdef", origin));
    ASSERT_TRUE(note) << origin;
    EXPECT_EQ(note->ledger, "0123456789abcdef");
    EXPECT_EQ(note->origin, origin);
  }
}

TEST(OriginNote, DamagedForeignOrImpossibleTextIsNoNote) {
  for (const auto* text :
       {"", "c1", "c1:", "c1::5", "c1:abc", "c1:abc:", "c1:abc:x", "c1:abc:5x", "c1:abc: 5", "c1:abc:-1",
        "c1:abc:+5", "c1:abc:9223372036854775808", "c2:abc:5", "t1:AAEC", "abc:5", " c1:abc:5"})
    EXPECT_FALSE(decode_origin(text)) << text;
}

TEST(OriginNote, EveryCutOfANoteIsEitherNoNoteOrOfTheSameLedger) {
  const auto whole = encode_origin("feed", 120);
  for (std::size_t n = 0; n < whole.size(); ++n)
    if (const auto note = decode_origin(std::string_view{whole}.substr(0, n))) {
      EXPECT_EQ(note->ledger, "feed");
    }
}

group_seat seat_of(const std::string& actor, std::string dlq = {}) {
  group_seat seat;
  seat.actor = actor;
  seat.dlq = config::dlq{};
  seat.dlq->topic = std::move(dlq);
  return seat;
}

TEST(DlqTopic, IsOnePerSourceTopicAndActorByDefault) {
  EXPECT_EQ(dlq_topic_of(seat_of("inventory"), "order.placed"), "order.placed.inventory.dlq");
}

TEST(DlqTopic, IsTheConfiguredOneForEveryTopic) {
  const auto seat = seat_of("inventory", "graveyard");
  EXPECT_EQ(dlq_topic_of(seat, "order.placed"), "graveyard");
  EXPECT_EQ(dlq_topic_of(seat, "order.placed.inventory.replay"), "graveyard");
}

TEST(DlqTopic, OfAReplayTopicIsItsOriginalTopics) {
  EXPECT_EQ(dlq_topic_of(seat_of("inventory"), "order.placed.inventory.replay"),
            "order.placed.inventory.dlq");
}

TEST(DlqTopic, AnotherActorsReplayTopicIsATopicLikeAnyOther) {
  EXPECT_EQ(dlq_topic_of(seat_of("inventory"), "order.placed.email.replay"),
            "order.placed.email.replay.inventory.dlq");
  EXPECT_EQ(dlq_topic_of(seat_of("inventory"), "inventory.replay"), "inventory.replay.inventory.dlq");
}

} // namespace
} // namespace troupe::actors

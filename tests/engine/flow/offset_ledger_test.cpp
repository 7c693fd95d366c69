#include "engine/flow/offset_ledger.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace troupe::flow {
namespace {

using slots = std::map<std::int64_t, offset_ledger::slot>;

slots admit(offset_ledger& ledger, std::int64_t begin, std::int64_t end, std::int64_t step = 1) {
  slots all;
  for (auto o = begin; o < end; o += step)
    if (const auto s = ledger.admit(o, 10)) all[o] = *s;
  return all;
}

/// Commits, is acknowledged, and answers what was committed.
offset_ledger::snapshot commit(offset_ledger& ledger) {
  auto s = ledger.take_commit();
  EXPECT_TRUE(s);
  if (!s) return {};
  ledger.commit_ended(true);
  return *s;
}

TEST(OffsetLedger, CommitsOnlyBelowTheFirstUnfinishedEvent) {
  offset_ledger ledger{100, {}, {}};
  EXPECT_EQ(ledger.position(), 100);
  EXPECT_FALSE(ledger.take_commit()) << "nothing happened";
  auto s = admit(ledger, 100, 105);
  EXPECT_EQ(ledger.position(), 100);
  ledger.finish(s[103]);
  ledger.finish(s[101]);
  EXPECT_EQ(ledger.position(), 100);
  const auto first = commit(ledger);
  EXPECT_EQ(first.offset, 100);
  EXPECT_EQ(decode_metadata(first.metadata, 100), (std::vector<offset_run>{{101, 102}, {103, 104}}));
  ledger.finish(s[100]);
  EXPECT_EQ(commit(ledger).offset, 102);
  ledger.finish(s[102]);
  ledger.finish(s[104]);
  const auto last = commit(ledger);
  EXPECT_EQ(last.offset, 105);
  EXPECT_EQ(last.metadata, "");
}

TEST(OffsetLedger, CommitsAcrossGaps) {
  offset_ledger ledger{0, {}, {}};
  auto s = admit(ledger, 7, 100, 10); // compaction and transaction markers leave holes
  ledger.finish(s[7]);
  EXPECT_EQ(commit(ledger).offset, 17);
  for (std::int64_t o = 27; o < 100; o += 10)
    ledger.finish(s[o]);
  EXPECT_EQ(ledger.position(), 17);
  ledger.finish(s[17]);
  EXPECT_EQ(commit(ledger).offset, 98);
}

TEST(OffsetLedger, WastesNoMetadataOnGaps) {
  offset_ledger ledger{0, {}, {}};
  auto s = admit(ledger, 0, 1000, 10);
  ledger.finish(s[990]);
  EXPECT_EQ(decode_metadata(commit(ledger).metadata, 0), (std::vector<offset_run>{{981, 991}}));
}

TEST(OffsetLedger, HasOneCommitUnderWayAndForgetsNoneThatFailed) {
  offset_ledger ledger{0, {}, {10, 1000}};
  auto s = admit(ledger, 0, 4);
  ledger.finish(s[0]);
  ASSERT_EQ(ledger.take_commit()->offset, 1);
  EXPECT_TRUE(ledger.commit_under_way());
  ledger.finish(s[1]);
  EXPECT_FALSE(ledger.take_commit());
  EXPECT_TRUE(ledger.commit_ended(false)) << "there is more to commit";
  EXPECT_EQ(ledger.room(), 6U) << "a failed commit records nothing";
  ASSERT_EQ(ledger.take_commit()->offset, 2);
  EXPECT_EQ(ledger.room(), 6U) << "nor does one under way";
  ledger.finish(s[2]);
  EXPECT_TRUE(ledger.commit_ended(true));
  EXPECT_EQ(ledger.room(), 8U) << "what was finished after it was taken is not in it";
  ASSERT_EQ(ledger.take_commit()->offset, 3);
  EXPECT_FALSE(ledger.commit_ended(true));
  EXPECT_FALSE(ledger.take_commit()) << "nothing changed";
  EXPECT_FALSE(ledger.dirty());
}

TEST(OffsetLedger, RetriesAFailedCommitThoughNothingElseHappens) {
  offset_ledger ledger{0, {}, {}};
  auto s = admit(ledger, 0, 1);
  ledger.finish(s[0]);
  ASSERT_TRUE(ledger.take_commit());
  ledger.commit_ended(false);
  EXPECT_EQ(commit(ledger).offset, 1);
}

TEST(OffsetLedger, IsShutByEventsOrByBytesUntilACommitIsAcknowledged) {
  offset_ledger few{0, {}, {3, 1000}};
  auto s = admit(few, 0, 3);
  EXPECT_FALSE(few.open());
  EXPECT_EQ(few.room(), 0U);
  EXPECT_DOUBLE_EQ(few.fill(), 1.0);
  for (const auto& [o, slot] : s)
    few.finish(slot);
  EXPECT_FALSE(few.open()) << "finished is not recorded";
  commit(few);
  EXPECT_TRUE(few.open());
  EXPECT_EQ(few.room(), 3U);

  offset_ledger small{0, {}, {100, 30}};
  s = admit(small, 0, 3);
  EXPECT_FALSE(small.open());
  EXPECT_EQ(small.room(), 97U);
  small.finish(s[2]); // out of order: recorded in the metadata
  commit(small);
  EXPECT_TRUE(small.open());
  EXPECT_DOUBLE_EQ(small.fill(), 20.0 / 30);
}

TEST(OffsetLedger, CountsEventsWhereTheyWereFinishedNotTheOffsetsBetween) {
  offset_ledger ledger{0, {}, {10, 1000}};
  auto s = admit(ledger, 0, 1000, 100);
  EXPECT_FALSE(ledger.open());
  for (std::int64_t o = 500; o < 1000; o += 100)
    ledger.finish(s[o]);
  commit(ledger);
  EXPECT_EQ(ledger.room(), 5U);
}

TEST(OffsetLedger, TakesNoOffsetTwice) {
  offset_ledger ledger{50, {}, {}};
  EXPECT_FALSE(ledger.admit(49, 1)) << "below the start";
  EXPECT_TRUE(ledger.admit(50, 1));
  EXPECT_FALSE(ledger.admit(50, 1));
  EXPECT_TRUE(ledger.admit(60, 1));
  EXPECT_FALSE(ledger.admit(55, 1));
  EXPECT_EQ(ledger.unfinished(), 2U);
}

TEST(OffsetLedger, PaysOneEntryForAHundredThousandFinishedBeyondOneParkedEvent) {
  offset_ledger ledger{0, {}, {4096, 1U << 20}};
  const auto parked = ledger.admit(0, 10);
  offset_ledger::slot highest = 0;
  for (std::int64_t o = 1; o <= 100'000; ++o) {
    ASSERT_TRUE(ledger.open()) << "at " << o;
    const auto s = *ledger.admit(o, 10);
    highest = std::max(highest, s);
    ledger.finish(s);
    if (o % 1000 == 0) {
      const auto c = commit(ledger);
      ASSERT_EQ(c.offset, 0);
      ASSERT_LE(c.metadata.size(), 24U) << "one run";
      ASSERT_EQ(ledger.room(), 4095U);
    }
  }
  EXPECT_EQ(ledger.unfinished(), 1U);
  EXPECT_LE(highest, 2U) << "places are used again";
  ledger.finish(*parked);
  EXPECT_EQ(commit(ledger).offset, 100'001);
}

TEST(OffsetLedger, CountsRunsThatDoNotFitAgainstTheWindow) {
  offset_ledger ledger{0, {}, {8192, 1U << 20}};
  auto s = admit(ledger, 0, 8000);
  for (std::int64_t o = 1; o < 8000; o += 2)
    ledger.finish(s[o]);
  const auto c = commit(ledger);
  EXPECT_LE(c.metadata.size(), metadata_limit);
  const auto recorded = decode_metadata(c.metadata, 0).size(); // one event each
  EXPECT_GT(recorded, 1000U);
  EXPECT_LT(recorded, 4000U);
  EXPECT_EQ(ledger.room(), 8192 - 8000 + recorded);
  for (std::int64_t o = 0; o < 8000; o += 2)
    ledger.finish(s[o]);
  EXPECT_EQ(commit(ledger).offset, 8000);
  EXPECT_EQ(ledger.room(), 8192U);
}

TEST(OffsetLedger, RecordsLessWhereTheBrokerTakesLessAndInTheEndNothing) {
  for (const std::size_t broker_takes : {4095U, 1000U, 100U, 17U, 0U}) {
    offset_ledger ledger{0, {}, {4000, 1U << 20}};
    auto s = admit(ledger, 0, 4000);
    for (std::int64_t o = 1; o < 4000; o += 2)
      ledger.finish(s[o]);
    auto c = ledger.take_commit();
    int refusals = 0;
    for (; c && c->metadata.size() > broker_takes; c = ledger.take_commit()) {
      ASSERT_LT(++refusals, 12) << "for a broker that takes " << broker_takes;
      ledger.metadata_refused();
      EXPECT_TRUE(ledger.commit_ended(false)) << "it is to be committed again";
    }
    ASSERT_TRUE(c);
    EXPECT_EQ(c->offset, 0);
    EXPECT_GE(c->metadata.size() + 4, broker_takes < 17 ? 0 : broker_takes / 2) << "no less than need be";
    ledger.commit_ended(true);
    std::size_t recorded = 0;
    for (const auto& run : decode_metadata(c->metadata, 0))
      recorded += static_cast<std::size_t>(run.end - run.begin);
    EXPECT_EQ(ledger.room(), recorded) << "what is not recorded counts against the window";
    ledger.finish(s[0]);
    const auto next = commit(ledger);
    EXPECT_EQ(next.offset, 2);
    EXPECT_LE(next.metadata.size(), broker_takes) << "it is remembered";
  }
}

TEST(OffsetLedger, DoesNotLetShortRunsPushOutALongOneThatWasRecorded) {
  // Otherwise a crash would redeliver all 50,000, far more than the window.
  offset_ledger ledger{0, {}, {4096, 1U << 30}};
  auto s = admit(ledger, 0, 4000);
  for (std::int64_t o = 4000; o < 54'000; ++o) {
    ASSERT_TRUE(ledger.open());
    ledger.finish(*ledger.admit(o, 10));
    if (o % 50 == 0) commit(ledger);
  }
  commit(ledger);
  for (std::int64_t o = 1; o < 4000; o += 2)
    ledger.finish(s[o]);
  const auto c = commit(ledger);
  std::int64_t recorded = 0;
  for (const auto& run : decode_metadata(c.metadata, 0))
    recorded += run.end - run.begin;
  EXPECT_LE(54'000 - recorded, 4096);
  EXPECT_TRUE(ledger.open());
}

// Which runs fit changes with what is finished: a later commit that recorded less than the one before it
// would leave more to redeliver than was admitted on the strength of that one. Here later events are larger,
// and worth more, but further from the position, which takes a byte.
TEST(OffsetLedger, RecordsNoLessThanItDidWhereOthersAreWorthMore) {
  offset_ledger ledger{0, {}, {.events = 5000, .bytes = 10'000'000}};
  std::int64_t next = 0;
  std::size_t recorded = 0;
  for (int commits = 0; commits < 100; ++commits) {
    for (int n = 0; n < 200 && ledger.open(); ++n, ++next) {
      const auto slot = ledger.admit(next, 10 + std::to_string(next).size());
      ASSERT_TRUE(slot);
      if (next % 2 == 0) ledger.finish(*slot); // the others are parked
    }
    const auto last = ledger.take_commit();
    if (!last) break;
    ledger.commit_ended(true);
    ASSERT_LE(ledger.fill(), 1.0) << "after " << next << " events";
    const auto runs = decode_metadata(last->metadata, last->offset);
    EXPECT_GE(runs.size(), recorded);
    recorded = runs.size();
  }
  EXPECT_GT(recorded, 1500U);
  EXPECT_EQ(ledger.fill(), 1.0) << "and the window is full";
}

TEST(OffsetLedger, SkipsAfterARestartWhatTheCommitRecorded) {
  offset_ledger ledger{10, {{12, 15}, {20, 22}}, {}};
  auto s = admit(ledger, 10, 25);
  std::vector<std::int64_t> again;
  for (const auto& [o, slot] : s)
    again.push_back(o);
  EXPECT_EQ(again, (std::vector<std::int64_t>{10, 11, 15, 16, 17, 18, 19, 22, 23, 24}));
  ledger.finish(s[10]);
  ledger.finish(s[11]);
  EXPECT_EQ(ledger.position(), 15) << "the recorded ones are finished";
}

TEST(OffsetLedger, CarriesRecordedRunsOnUntilTheyAreRead) {
  offset_ledger ledger{10, {{12, 15}, {20, 22}, {40, 50}}, {}};
  auto s = admit(ledger, 10, 12);
  ledger.finish(s[11]);
  const auto c = commit(ledger);
  EXPECT_EQ(c.offset, 10);
  EXPECT_EQ(decode_metadata(c.metadata, 10), (std::vector<offset_run>{{11, 15}, {20, 22}, {40, 50}}));
  ledger.finish(s[10]);
  const auto d = commit(ledger);
  EXPECT_EQ(d.offset, 15) << "all below is finished, read again or not";
  EXPECT_EQ(decode_metadata(d.metadata, 15), (std::vector<offset_run>{{20, 22}, {40, 50}}));
}

TEST(OffsetLedger, CommitsPastACarriedRunThatItIsInTheMiddleOf) {
  offset_ledger ledger{0, {{1, 10}, {20, 30}}, {}};
  auto s = admit(ledger, 0, 5);
  ASSERT_EQ(s.size(), 1U);
  const auto before = commit(ledger);
  EXPECT_EQ(before.offset, 0);
  EXPECT_EQ(decode_metadata(before.metadata, 0), (std::vector<offset_run>{{1, 10}, {20, 30}}));
  ledger.finish(s[0]);
  const auto after = commit(ledger);
  EXPECT_EQ(after.offset, 10);
  EXPECT_EQ(decode_metadata(after.metadata, 10), (std::vector<offset_run>{{20, 30}}));
  EXPECT_FALSE(ledger.admit(5, 1)) << "still recorded";
}

TEST(OffsetLedger, TakesNoRoomForWhatTheCommitRecorded) {
  offset_ledger ledger{0, {{1, 5000}}, {100, 10'000}};
  auto s = admit(ledger, 0, 5000);
  EXPECT_EQ(s.size(), 1U);
  EXPECT_EQ(ledger.room(), 99U);
  commit(ledger);
  EXPECT_EQ(ledger.room(), 99U);
}

TEST(OffsetLedger, CountsCarriedRunsThatNoLongerFitAgainstTheWindow) {
  // 1,400 recorded single events above a stretch of which every second one now finishes as well.
  std::vector<offset_run> former;
  for (std::int64_t o = 5001; o < 7800; o += 2)
    former.push_back({o, o + 1});
  std::size_t taken = 0;
  const auto metadata = encode_metadata(0, former, taken);
  ASSERT_EQ(taken, former.size());
  offset_ledger ledger{0, decode_metadata(metadata, 0), {10'000, 1U << 30}};
  auto s = admit(ledger, 0, 5000);
  for (std::int64_t o = 1; o < 5000; o += 2)
    ledger.finish(s[o]);
  auto c = commit(ledger);
  for (int round = 0; round < 2; ++round) {
    const auto more = admit(ledger, 5000 + round * 1400, 6400 + round * 1400);
    EXPECT_EQ(more.size(), 700U) << "what was recorded at the start is not handled again in this life";
    s.insert(more.begin(), more.end());
    const auto read = static_cast<std::size_t>(6400 + round * 1400);
    std::size_t recorded = 0;
    for (const auto& run : decode_metadata(c.metadata, 0))
      if (run.begin < static_cast<std::int64_t>(read)) ++recorded;
    EXPECT_LT(recorded, 2500U) << "not all fit";
    EXPECT_EQ(ledger.room(), 10'000 - (read - recorded));
    c = commit(ledger);
  }
  for (const auto& [o, slot] : s)
    if (o >= 5000 || o % 2 == 0) ledger.finish(slot);
  EXPECT_EQ(commit(ledger).offset, 7800);
  EXPECT_EQ(ledger.room(), 10'000U);
}

TEST(OffsetLedgerPrefix, CommitsThePositionAlone) {
  offset_ledger ledger{100, {}, {}, recording::prefix};
  auto s = admit(ledger, 100, 105);
  ledger.finish(s[101]);
  ledger.finish(s[103]);
  EXPECT_FALSE(ledger.take_commit()) << "nothing is finished below the first unfinished event";
  ledger.finish(s[100]);
  const auto first = commit(ledger);
  EXPECT_EQ(first.offset, 102);
  EXPECT_EQ(first.metadata, "") << "what is finished beyond it is not published yet";
  ledger.finish(s[104]);
  EXPECT_FALSE(ledger.take_commit()) << "the position is where it was";
  ledger.finish(s[102]);
  EXPECT_EQ(commit(ledger).offset, 105);
}

TEST(OffsetLedgerPrefix, AsksAgainForACommitThatFailed) {
  offset_ledger ledger{0, {}, {}, recording::prefix};
  auto s = admit(ledger, 0, 2);
  ledger.finish(s[0]);
  ASSERT_TRUE(ledger.take_commit());
  EXPECT_FALSE(ledger.take_commit()) << "one at a time";
  ledger.commit_ended(false);
  EXPECT_EQ(commit(ledger).offset, 1);
  EXPECT_FALSE(ledger.take_commit());
}

TEST(OffsetLedgerPrefix, CountsWhatIsFinishedBeyondThePositionAgainstTheWindow) {
  offset_ledger ledger{0, {}, {4, 1000}, recording::prefix};
  auto s = admit(ledger, 0, 4);
  for (const std::int64_t o : {1, 2, 3})
    ledger.finish(s[o]);
  EXPECT_FALSE(ledger.take_commit());
  EXPECT_FALSE(ledger.open()) << "a restart would handle all four again";
  ledger.finish(s[0]);
  commit(ledger);
  EXPECT_TRUE(ledger.open());
  EXPECT_EQ(ledger.room(), 4U);
}

TEST(OffsetLedgerPrefix, CountsHeldOutputsUntilTheCommitThatCarriesThemIsAcknowledged) {
  offset_ledger ledger{0, {}, {100, 1000}, recording::prefix};
  auto s = admit(ledger, 0, 2); // 10 bytes each
  ledger.finish(s[1], 990);
  EXPECT_FALSE(ledger.open());
  ledger.finish(s[0], 5);
  ASSERT_TRUE(ledger.take_commit());
  EXPECT_FALSE(ledger.open()) << "the transaction may still fail";
  ledger.commit_ended(false);
  EXPECT_FALSE(ledger.open());
  commit(ledger);
  EXPECT_DOUBLE_EQ(ledger.fill(), 0);
}

TEST(OffsetLedgerPrefix, SkipsWhatACommitWithRunsRecordedBeforeTheGuaranteeWasChanged) {
  offset_ledger ledger{0, {{1, 3}}, {}, recording::prefix};
  auto s = admit(ledger, 0, 4);
  EXPECT_EQ(s.size(), 2U);
  ledger.finish(s[0]);
  EXPECT_EQ(commit(ledger).offset, 3);
}

} // namespace
} // namespace troupe::flow

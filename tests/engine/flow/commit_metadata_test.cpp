#include "engine/flow/offset_ledger.hpp"
#include "tests/engine/flow/metadata_text.hpp"

#include <gtest/gtest.h>

#include <random>

namespace troupe::flow {
namespace {

std::string encode(std::int64_t base, const std::vector<offset_run>& runs) {
  std::size_t taken = 0;
  auto text = encode_metadata(base, runs, taken);
  EXPECT_EQ(taken, runs.size());
  return text;
}

TEST(CommitMetadata, ComesBackAsItWas) {
  std::mt19937_64 random{7};
  for (int round = 0; round < 2000; ++round) {
    const auto base = static_cast<std::int64_t>(random() >> (2 + random() % 60));
    std::vector<offset_run> runs;
    auto at = base;
    for (auto n = random() % 40; n > 0; --n) {
      const auto begin = at + static_cast<std::int64_t>(random() >> (8 + random() % 55));
      const auto end = begin + 1 + static_cast<std::int64_t>(random() >> (8 + random() % 55));
      if (end > std::int64_t{1} << 61) break;
      runs.push_back({begin, end});
      at = end;
    }
    ASSERT_EQ(decode_metadata(encode(base, runs), base), runs) << "round " << round;
  }
}

TEST(CommitMetadata, IsTheDocumentedFormat) {
  const std::vector<offset_run> runs{{1001, 1003}, {1500, 101'500}};
  const auto text = metadata_text(varint(1000) + varint(1) + varint(2) + varint(497) + varint(100'000));
  EXPECT_EQ(encode(1000, runs), text);
  EXPECT_EQ(decode_metadata(text, 1000), runs);
}

TEST(CommitMetadata, IsIgnoredWhenTornAtAnyByte) {
  const auto text = encode(1000, {{1001, 1003}, {1500, 101'500}, {200'000, 200'001}});
  for (std::size_t i = 0; i < text.size(); ++i) {
    EXPECT_TRUE(decode_metadata(text.substr(0, i), 1000).empty()) << "the first " << i << " bytes";
    if (i > 0) {
      EXPECT_TRUE(decode_metadata(text.substr(i), 1000).empty()) << "without the first " << i << " bytes";
    }
  }
}

TEST(CommitMetadata, NeverBecomesOtherRunsWhenOneByteChanges) {
  const std::vector<offset_run> runs{{1001, 1003}, {1500, 101'500}};
  const auto text = encode(1000, runs);
  for (std::size_t i = 0; i < text.size(); ++i)
    for (int c = 0; c < 256; ++c) {
      auto other = text;
      other[i] = static_cast<char>(c);
      const auto decoded = decode_metadata(other, 1000);
      ASSERT_TRUE(decoded.empty() || decoded == runs) << "byte " << i << " as " << c;
    }
}

TEST(CommitMetadata, IsIgnoredWhenForeign) {
  for (const auto* text : {"", "t1:", "t1", "hello", "t1:hello", "{\"runs\":[[1,2]]}", "t1:AAAA",
                           "t1:====", "bm8gbWV0YWRhdGE=", "AgAEAAA"})
    EXPECT_TRUE(decode_metadata(text, 0).empty()) << text;
}

TEST(CommitMetadata, IsIgnoredWhenOfAnotherVersion) {
  const auto payload = varint(5) + varint(1) + varint(2);
  ASSERT_FALSE(decode_metadata(metadata_text(payload), 5).empty());
  EXPECT_TRUE(decode_metadata(metadata_text(payload, "t2:"), 5).empty());
  EXPECT_TRUE(decode_metadata(metadata_text(payload, "T1:"), 5).empty());
}

TEST(CommitMetadata, IsIgnoredForAnotherBase) {
  const auto text = encode(1000, {{1001, 1003}});
  EXPECT_TRUE(decode_metadata(text, 999).empty());
  EXPECT_TRUE(decode_metadata(text, 1001).empty());
  EXPECT_TRUE(decode_metadata(text, 0).empty());
  EXPECT_TRUE(decode_metadata(text, -1).empty());
  EXPECT_FALSE(decode_metadata(text, 1000).empty());
}

TEST(CommitMetadata, IsIgnoredWhenItsNumbersMakeNoSense) {
  const auto huge = std::uint64_t{1} << 62;
  const auto base = varint(5);
  EXPECT_TRUE(decode_metadata(metadata_text(base + varint(1) + varint(0)), 5).empty()) << "an empty run";
  EXPECT_TRUE(decode_metadata(metadata_text(base + varint(1)), 5).empty()) << "a gap without a length";
  EXPECT_TRUE(decode_metadata(metadata_text(base + varint(huge) + varint(huge)), 5).empty())
      << "past every offset";
  EXPECT_TRUE(decode_metadata(metadata_text(base + varint(~std::uint64_t{0}) + varint(1)), 5).empty());
  EXPECT_TRUE(decode_metadata(metadata_text(base + varint(1) + varint(~std::uint64_t{0})), 5).empty());
  EXPECT_TRUE(decode_metadata(metadata_text(""), 5).empty()) << "without a base";
  EXPECT_TRUE(decode_metadata(metadata_text(std::string(40, '\xFF')), 5).empty())
      << "a number without an end";
}

TEST(CommitMetadata, TakesAnyBytesWithoutHarm) {
  std::mt19937_64 random{11};
  for (int round = 0; round < 20'000; ++round) {
    std::string noise(random() % 64, '\0');
    for (auto& c : noise)
      c = static_cast<char>(random());
    (void)decode_metadata(noise, 0);
    (void)decode_metadata("t1:" + noise, 0);
    // With a right checksum the numbers themselves are noise: whatever comes out is in order and not empty.
    auto last = std::int64_t{0};
    for (const auto& run : decode_metadata(metadata_text(varint(0) + noise), 0)) {
      ASSERT_GE(run.begin, last);
      ASSERT_GT(run.end, run.begin);
      last = run.end;
    }
  }
}

TEST(CommitMetadata, StaysWithinAnySmallerLimit) {
  std::vector<offset_run> runs;
  for (std::int64_t i = 0; i < 100; ++i)
    runs.push_back({1'000'001 + i * 200, 1'000'002 + i * 200});
  for (std::size_t limit = 0; limit < 400; ++limit) {
    std::size_t taken = 0;
    const auto text = encode_metadata(1'000'000, runs, taken, limit);
    if (taken == 0) continue; // the base alone, which nobody commits
    EXPECT_LE(text.size(), limit);
    EXPECT_EQ(decode_metadata(text, 1'000'000).size(), taken);
  }
}

TEST(CommitMetadata, StaysWithinTheBrokersLimit) {
  for (const std::int64_t step : {2, 200, 20'000, 2'000'000}) {
    std::vector<offset_run> runs;
    for (std::int64_t i = 0; i < 10'000; ++i)
      runs.push_back({1'000'001 + i * step, 1'000'002 + i * step});
    std::size_t taken = 0;
    const auto text = encode_metadata(1'000'000, runs, taken);
    EXPECT_LE(text.size(), metadata_limit);
    EXPECT_GT(text.size(), metadata_limit - 16) << "the place is used";
    EXPECT_LT(taken, runs.size());
    runs.resize(taken);
    EXPECT_EQ(decode_metadata(text, 1'000'000), runs) << "the lowest ones";
  }
}

} // namespace
} // namespace troupe::flow

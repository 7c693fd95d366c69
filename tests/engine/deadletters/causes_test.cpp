#include "engine/deadletters/causes.hpp"

#include "tests/engine/deadletters/fixture.hpp"

#include <gtest/gtest.h>

namespace troupe::deadletters {
namespace {

record of_cause(const std::string& error_class, const std::string& error, const std::string& at,
                int offset = 0) {
  auto r = letter("dlq", {{"error-class", error_class}, {"error", error}, {"failed-at", at}});
  r.offset = offset;
  return r;
}

TEST(Fingerprint, MasksWhatDiffersFromEventToEvent) {
  EXPECT_EQ(fingerprint("deadline exceeded after 5000 ms"), "deadline exceeded after # ms");
  EXPECT_EQ(fingerprint("order o-4711 of 2026-01-31T23:59:00Z"), "order o-# of #-#-#T#:#:#Z");
  EXPECT_EQ(fingerprint("user 0af7651916cd43dd: HTTP 502"), "user #: HTTP #");
  EXPECT_EQ(fingerprint("id 7f3a91c0-aaaa-4bbb-8ccc-abcdefabcdef."), "id #.");
  EXPECT_EQ(fingerprint("v2 in 30s"), "v# in #s");
  EXPECT_EQ(fingerprint("no such thing"), "no such thing");
  EXPECT_EQ(fingerprint(""), "");
}

TEST(Fingerprint, IsCutAndTakesAnyBytes) {
  EXPECT_EQ(fingerprint(std::string(100'000, 'a') + " b").size(), 200U);
  EXPECT_EQ(fingerprint(std::string("\0\xFF 1", 4)), std::string("\0\xFF #", 4));
}

TEST(Causes, AreGroupedByClassAndFingerprint) {
  causes all;
  all.add(of_cause("timeout", "after 1 ms", "2026-01-03T00:00:00.000Z", 1));
  all.add(of_cause("decode", "no JSON", "2026-01-02T00:00:00.000Z", 2));
  all.add(of_cause("timeout", "after 22 ms", "2026-01-01T00:00:00.000Z", 3));
  all.add(of_cause("other", "after 22 ms", "2026-01-01T00:00:00.000Z", 4));
  const auto sorted = all.sorted();
  ASSERT_EQ(sorted.size(), 3U);
  EXPECT_EQ(sorted[0].error_class, "timeout");
  EXPECT_EQ(sorted[0].message, "after # ms");
  EXPECT_EQ(sorted[0].count, 2U);
  EXPECT_EQ(sorted[0].first, "2026-01-01T00:00:00.000Z");
  EXPECT_EQ(sorted[0].last, "2026-01-03T00:00:00.000Z");
  EXPECT_EQ(sorted[0].sample, "dlq/2/1") << "the last that died";
}

TEST(Causes, AreBoundedWhateverTheMessagesAre) {
  causes all;
  for (char a = 'a'; a <= 'z'; ++a)
    for (char b = 'a'; b <= 'z'; ++b)
      for (char c = 'a'; c <= 'd'; ++c)
        all.add(of_cause("x", {a, b, c}, "2026-01-01T00:00:00.000Z"));
  const auto sorted = all.sorted();
  EXPECT_EQ(sorted.size(), 1001U);
  EXPECT_EQ(sorted[0].count, 26U * 26 * 4 - 1000);
  EXPECT_EQ(sorted[0].message, "(others)");
}

} // namespace
} // namespace troupe::deadletters

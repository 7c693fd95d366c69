#include "apps/dashboard/letter_listing.hpp"

#include "engine/core/time.hpp"
#include "tests/engine/deadletters/fixture.hpp"

#include <gtest/gtest.h>

namespace troupe::dashboard {
namespace {

using deadletters::action;

record dead(std::int64_t offset, const std::string& at, const std::string& error = "timeout after 5 ms") {
  record r;
  r.topic = std::make_shared<const std::string>("t.a.dlq");
  r.offset = offset;
  r.key = "k" + std::to_string(offset);
  r.value = "{}";
  r.headers = {
      {"error", error}, {"error-class", "timeout"}, {"actor", "a"}, {"attempts", "5"}, {"failed-at", at}};
  return r;
}

TEST(LetterListing, shows_the_open_ones_that_died_last) {
  letter_listing listing{{}, 2, true};
  listing.add(dead(0, "2026-01-31T10:00:00.000Z"), std::nullopt);
  listing.add(dead(1, "2026-01-31T12:00:00.000Z"), std::nullopt);
  listing.add(dead(2, "2026-01-31T11:00:00.000Z"), std::nullopt);
  listing.add(dead(3, "2026-01-31T13:00:00.000Z"), action::replayed);
  listing.add(dead(4, "2026-01-31T14:00:00.000Z"), action::discarded);
  const auto shown = listing.json();
  EXPECT_EQ(shown["open"], 3);
  EXPECT_EQ(shown["replayed"], 1);
  EXPECT_EQ(shown["discarded"], 1);
  ASSERT_EQ(shown["letters"].size(), 2U);
  EXPECT_EQ(shown["letters"][0]["offset"], 1);
  EXPECT_EQ(shown["letters"][1]["offset"], 2);
  EXPECT_EQ(shown["letters"][0]["key"], "k1");
  EXPECT_EQ(shown["letters"][0]["attempts"], 5);
  EXPECT_EQ(shown["more"], true);
  EXPECT_EQ(shown["by_hour"],
            (nlohmann::ordered_json{{"2026-01-31T10", 1}, {"2026-01-31T11", 1}, {"2026-01-31T12", 1}}));
  EXPECT_EQ(shown["causes"][0]["message"], "timeout after # ms");
  EXPECT_EQ(shown["causes"][0]["count"], 3);
}

TEST(LetterListing, filters_what_it_shows_and_not_what_it_counts) {
  deadletters::filter which;
  which.where = {*deadletters::condition::parse("error~card")};
  letter_listing listing{which, 10, false};
  listing.add(dead(0, "2026-01-31T10:00:00.000Z", "the card was declined"), std::nullopt);
  listing.add(dead(1, "2026-01-31T10:00:00.000Z"), std::nullopt);
  const auto shown = listing.json();
  EXPECT_EQ(shown["open"], 2);
  EXPECT_EQ(shown["matching"], 1);
  ASSERT_EQ(shown["letters"].size(), 1U);
  EXPECT_FALSE(shown["letters"][0].contains("key")) << "keys are hidden";
  EXPECT_EQ(shown["causes"].size(), 1U);
  EXPECT_EQ(shown["more"], false);
}

TEST(LetterListing, of_any_number_of_letters_stays_small) {
  letter_listing listing{{}, 5, true};
  for (int n = 0; n < 10'000; ++n)
    listing.add(dead(n, rfc3339(1'769'860'800'000 + std::int64_t{n} * 3'600'000), std::string(5000, 'x')),
                std::nullopt);
  const auto shown = listing.json();
  EXPECT_EQ(shown["open"], 10'000);
  EXPECT_EQ(shown["by_hour"].size(), letter_listing::most_hours);
  EXPECT_EQ(shown["letters"].size(), 5U);
  EXPECT_EQ(shown["letters"][0]["offset"], 9999);
  EXPECT_LT(shown.dump().size(), 20'000U);
}

} // namespace
} // namespace troupe::dashboard

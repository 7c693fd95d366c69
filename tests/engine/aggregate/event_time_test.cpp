#include "engine/aggregate/event_time.hpp"
#include "engine/aggregate/template_key.hpp"

#include <gtest/gtest.h>

#include <ctime>
#include <limits>
#include <random>

namespace troupe::aggregate {

namespace {

std::string utc(std::string_view time) {
  const auto m = minute_reader{}.read(time);
  return m ? shown(*m) : "none";
}

} // namespace

TEST(EventTime, reads_rfc_3339_with_any_offset) {
  EXPECT_EQ(utc("2026-01-31T23:59:07Z"), "2026-01-31T23:59");
  EXPECT_EQ(utc("2026-01-31t23:59:07.123456789z"), "2026-01-31T23:59");
  EXPECT_EQ(utc("2026-02-01T01:59:07+02:00"), "2026-01-31T23:59");
  EXPECT_EQ(utc("2026-01-31T18:29:07.5-05:30"), "2026-01-31T23:59");
  EXPECT_EQ(utc("2024-02-29T00:00:00-00:00"), "2024-02-29T00:00");
  EXPECT_EQ(utc("1969-12-31T23:59:59Z"), "1969-12-31T23:59");
  EXPECT_EQ(utc("2016-12-31T23:59:60Z"), "2016-12-31T23:59");
  EXPECT_EQ(utc("0000-01-01T00:00:00Z"), "0000-01-01T00:00");
  EXPECT_EQ(utc("9999-12-31T23:59:59Z"), "9999-12-31T23:59");
}

TEST(EventTime, refuses_everything_else) {
  for (const auto* text : {"",
                           "2026-01-31",
                           "2026-01-31T23:59Z",
                           "2026-01-31T23:59:07",
                           "2026-01-31 23:59:07Z",
                           "2026-02-29T00:00:00Z",
                           "2026-00-01T00:00:00Z",
                           "2026-13-01T00:00:00Z",
                           "2026-01-00T00:00:00Z",
                           "2026-01-32T00:00:00Z",
                           "2026-01-31T24:00:00Z",
                           "2026-01-31T23:60:00Z",
                           "2026-01-31T23:58:60Z",
                           "2026-01-31T23:59:61Z",
                           "2026-01-31T23:59:0Z",
                           "2026-01-31T23:59:07.Z",
                           "2026-01-31T23:59:07.5",
                           "2026-01-31T23:59:07Zx",
                           "2026-01-31T23:59:07+0200",
                           "2026-01-31T23:59:07+02:0",
                           "2026-01-31T23:59:07+24:00",
                           "2026-01-31T23:59:07+02:60",
                           "2026-01-31T23:59:07+02:00Z",
                           "+026-01-31T23:59:07Z",
                           "2026-1-31T23:59:07Z ",
                           "0000-01-01T00:00:00+00:01",
                           "9999-12-31T23:59:59-00:01",
                           "2026-01-31T23:59:07,5Z",
                           "1769900000"})
    EXPECT_EQ(utc(text), "none") << text;
}

TEST(EventTime, does_not_let_one_time_speak_for_the_next) {
  minute_reader r;
  const auto first = r.read("2026-01-31T23:59:07Z");
  EXPECT_EQ(r.read("2026-01-31T23:59:07+00:01"), *first - 1);
  EXPECT_EQ(r.read("2026-01-31T23:59:99Z"), std::nullopt);
  EXPECT_EQ(r.read("2026-01-31T23:5x:07Z"), std::nullopt);
  EXPECT_EQ(r.read("2026-01-31T23:59:59.9Z"), first);
}

TEST(EventTime, agrees_with_the_systems_calendar) {
  std::mt19937_64 random{11};
  minute_reader r;
  for (int i = 0; i < 20'000; ++i) {
    const std::time_t at =
        std::uniform_int_distribution<std::time_t>{-62'000'000'000, 250'000'000'000}(random);
    const int offset = std::uniform_int_distribution<int>{-1439, 1439}(random);
    const std::time_t local = at + offset * 60;
    std::tm clock{}, expected{};
    ::gmtime_r(&local, &clock);
    ::gmtime_r(&at, &expected);
    char text[128], minute_text[128];
    std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d%c%02d:%02d", clock.tm_year + 1900,
                  clock.tm_mon + 1, clock.tm_mday, clock.tm_hour, clock.tm_min, clock.tm_sec,
                  offset < 0 ? '-' : '+', std::abs(offset) / 60, std::abs(offset) % 60);
    std::snprintf(minute_text, sizeof minute_text, "%04d-%02d-%02dT%02d:%02d", expected.tm_year + 1900,
                  expected.tm_mon + 1, expected.tm_mday, expected.tm_hour, expected.tm_min);
    const auto got = r.read(text);
    ASSERT_TRUE(got) << text;
    ASSERT_EQ(shown(*got), minute_text) << text;
    ASSERT_EQ(minute_of(at * 1000 + 999), got) << text;
  }
  EXPECT_EQ(minute_of(std::numeric_limits<std::int64_t>::max()), std::nullopt);
  EXPECT_EQ(minute_of(std::numeric_limits<std::int64_t>::min()), std::nullopt);
}

TEST(TemplateKey, knows_one_placeholder_and_leaves_other_braces) {
  const template_key key{"{pv}:views:{value}:{minute}", "{value}"};
  EXPECT_EQ(key.with("/a{value}"), "{pv}:views:/a{value}:{minute}");
  EXPECT_EQ(key.value_in("{pv}:views:/a:{minute}"), "/a");
  EXPECT_EQ(key.value_in("{pv}:views:/a:"), std::nullopt);
  EXPECT_EQ(key.value_in("{pv}:views:"), std::nullopt);
  const template_key twice{"{value}-{value}", "{value}"};
  EXPECT_EQ(twice.with("ab"), "ab-ab");
  EXPECT_EQ(twice.value_in("ab-ab"), "ab");
  EXPECT_EQ(twice.value_in("ab-ac"), std::nullopt);
  EXPECT_EQ(twice.value_in("ab-abc"), std::nullopt);
  const template_key none{"all", "{value}"};
  EXPECT_EQ(none.with("x"), "all");
  EXPECT_TRUE(none.value_in("all"));
  EXPECT_FALSE(none.value_in("al"));
}

} // namespace troupe::aggregate

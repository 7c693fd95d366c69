#include "engine/core/time.hpp"

#include <gtest/gtest.h>

#include <ctime>
#include <random>

namespace troupe {
namespace {

TEST(Rfc3339, the_epoch) {
  EXPECT_EQ(rfc3339(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(rfc3339(1), "1970-01-01T00:00:00.001Z");
}

TEST(Rfc3339, milliseconds_before_the_epoch_belong_to_the_day_before) {
  EXPECT_EQ(rfc3339(-1), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(rfc3339(-86'400'000), "1969-12-31T00:00:00.000Z");
  EXPECT_EQ(rfc3339(-86'400'001), "1969-12-30T23:59:59.999Z");
  EXPECT_EQ(rfc3339(-11'644'473'600'000), "1601-01-01T00:00:00.000Z");
}

TEST(Rfc3339, leap_years_and_years_that_are_none) {
  EXPECT_EQ(rfc3339(951'782'400'000), "2000-02-29T00:00:00.000Z") << "divisible by 400";
  EXPECT_EQ(rfc3339(1'709'164'800'000), "2024-02-29T00:00:00.000Z");
  EXPECT_EQ(rfc3339(1'709'251'199'999), "2024-02-29T23:59:59.999Z");
  EXPECT_EQ(rfc3339(1'709'251'200'000), "2024-03-01T00:00:00.000Z");
  EXPECT_EQ(rfc3339(1'677'628'800'000), "2023-03-01T00:00:00.000Z");
  EXPECT_EQ(rfc3339(4'107'542'400'000), "2100-03-01T00:00:00.000Z") << "2100 has no 29 February";
  EXPECT_EQ(rfc3339(4'107'542'399'999), "2100-02-28T23:59:59.999Z");
}

TEST(Rfc3339, agrees_with_the_c_library_at_random_times) {
  std::mt19937_64 dice{3};
  for (int i = 0; i < 20'000; ++i) {
    const auto ms =
        std::uniform_int_distribution<std::int64_t>{-62'135'596'800'000, 253'402'300'799'999}(dice);
    const auto rest = ((ms % 1000) + 1000) % 1000;
    const std::time_t seconds = (ms - rest) / 1000;
    std::tm parts{};
    ASSERT_NE(::gmtime_r(&seconds, &parts), nullptr);
    char text[64];
    std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900,
                  parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                  static_cast<int>(rest));
    ASSERT_EQ(rfc3339(ms), text) << ms;
  }
}

TEST(WallClock, is_in_milliseconds_since_the_epoch) {
  const std::time_t before = std::time(nullptr);
  const auto now = wall_ms();
  const std::time_t after = std::time(nullptr);
  EXPECT_GE(now, (before - 1) * 1000);
  EXPECT_LE(now, (after + 1) * 1000);
}

} // namespace
} // namespace troupe

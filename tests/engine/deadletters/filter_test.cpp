#include "engine/deadletters/filter.hpp"

#include "tests/engine/deadletters/fixture.hpp"

#include <gtest/gtest.h>

namespace troupe::deadletters {
namespace {

bool holds(const std::string& text, const record& of) {
  const auto parsed = condition::parse(text);
  EXPECT_TRUE(parsed) << text;
  return parsed && parsed->holds(of);
}

TEST(Condition, ComparesFieldsAndHeaders) {
  const auto of = buried(letter("order.placed"), "order.placed.payment.dlq", "payment");
  for (const auto* text :
       {"error=deadline exceeded after 5000 ms", "error~timeout 5000", "error-class=timeout", "actor!=email",
        "topic=order.placed.payment.dlq", "original-topic=order.placed", "partition=2", "offset=918",
        "key=c-17", "value~TOTAL", "attempts=5", "mine!=1", "error~", "key~C-1"})
    EXPECT_EQ(holds(text, of), std::string{text} != "error~timeout 5000") << text;
  for (const auto* text : {"error=deadline", "error-class!=timeout", "partition=3", "key=C-17",
                           "mine=", "mine~", "topic=order.placed"})
    EXPECT_FALSE(holds(text, of)) << text;
}

TEST(Condition, OfSeveralHeadersOneIsEnoughAndNullIsNone) {
  const auto of = letter("t", {{"twice", "a"}, {"twice", "b"}, {"null", std::nullopt}});
  EXPECT_TRUE(holds("twice=a", of));
  EXPECT_TRUE(holds("twice=b", of));
  EXPECT_FALSE(holds("twice!=b", of));
  EXPECT_FALSE(holds("null=", of));
  EXPECT_TRUE(holds("null!=", of));
}

TEST(Condition, TakesTheFirstOperatorAndAnythingBehindIt) {
  const auto c = condition::parse("error=a!=b~c=d");
  ASSERT_TRUE(c);
  EXPECT_EQ(c->field, "error");
  EXPECT_EQ(c->value, "a!=b~c=d");
  EXPECT_EQ(condition::parse("a!=b")->compare, condition::how::is_not);
  EXPECT_EQ(condition::parse("a~=b")->value, "=b");
}

TEST(Condition, IsRefusedWithHowItIsWritten) {
  for (const auto* text : {"", "error", "=x", "~x", "!=x", "error!x", "!"}) {
    const auto c = condition::parse(text);
    ASSERT_FALSE(c) << text;
    EXPECT_EQ(c.failure().code, errc::usage);
    EXPECT_NE(c.failure().detail.find("error~timeout"), std::string::npos) << text;
  }
}

TEST(Filter, TakesOnlyThoseItIsAbout) {
  const auto of = buried(letter("order.placed"), "order.placed.payment.dlq", "payment");
  filter f;
  f.among = {{2, 917}, {3, 918}};
  EXPECT_FALSE(f.takes(of));
  f.among.emplace(2, 918);
  EXPECT_TRUE(f.takes(of));
  f.where = {*condition::parse("actor=email")};
  EXPECT_FALSE(f.takes(of));
}

TEST(Filter, HoldsAllOfIt) {
  const auto of = buried(letter("order.placed"), "order.placed.payment.dlq", "payment");
  filter f;
  EXPECT_TRUE(f.takes(of));
  f.where = {*condition::parse("actor=payment"), *condition::parse("key=c-17")};
  EXPECT_TRUE(f.takes(of));
  f.where.push_back(*condition::parse("attempts=4"));
  EXPECT_FALSE(f.takes(of));
}

TEST(Filter, LooksAtWhenItDiedAndNotAtTheEventsTime) {
  const auto of = buried(letter("order.placed"), "dlq", "payment"); // 2026-02-01T00:00:00.000Z
  filter f;
  f.since = "2026-02-01T00:00:00.000Z";
  EXPECT_TRUE(f.takes(of));
  f.since = "2026-02-01T00:00:00.001Z";
  EXPECT_FALSE(f.takes(of));
}

TEST(Since, IsAnAgeOrATime) {
  constexpr std::int64_t now = 1'769'904'000'000;
  EXPECT_EQ(*parse_since("1h", now), "2026-01-31T23:00:00.000Z");
  EXPECT_EQ(*parse_since("2026-01-31T23:00:00Z", now), "2026-01-31T23:00:00.000Z");
  EXPECT_EQ(*parse_since("2026-01-31T23:00:00.5Z", now), "2026-01-31T23:00:00.500Z");
  EXPECT_EQ(*parse_since("2026-01-31T23:00:00.123456Z", now), "2026-01-31T23:00:00.123Z");
  for (const auto* text : {"", "yesterday", "1", "2026-01-31", "2026-01-31T23:00:00+01:00"})
    EXPECT_FALSE(parse_since(text, now)) << text;
}

} // namespace
} // namespace troupe::deadletters

#include "engine/flow/dead_letter.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace troupe::flow {
namespace {

const failure_record why{.reason = "card declined",
                         .error_class = "payment",
                         .attempts = 5,
                         .first_failed_ms = 1'769'903'940'125,
                         .failed_ms = 1'769'904'000'000};

record event() {
  record e;
  e.topic = std::make_shared<const std::string>("order.placed");
  e.partition = 3;
  e.offset = 4711;
  e.timestamp_ms = 1'769'900'000'123;
  e.key = std::string("k\0\xFF", 3);
  e.value = std::string("v\0\n\xC3\x28", 5);
  e.headers = {
      {"trace", "1"}, {"", ""}, {"trace", std::string("\0\xFF", 2)}, {"none", std::nullopt}, {"trace", "1"}};
  return e;
}

std::vector<std::optional<std::string>> all_of(const std::vector<header>& headers, const std::string& name) {
  std::vector<std::optional<std::string>> values;
  for (const auto& h : headers)
    if (h.name == name) values.push_back(h.value);
  return values;
}

std::string one(const outgoing& letter, const std::string& name) {
  const auto values = all_of(letter.headers, name);
  EXPECT_EQ(values.size(), 1U) << name;
  return values.size() == 1 && values[0] ? *values[0] : "?";
}

std::vector<header> users(const std::vector<header>& headers) {
  auto rest = headers;
  std::erase_if(rest, [](const header& h) { return is_dead_letter_header(h.name); });
  return rest;
}

/// As the DLQ's topic is read by the replay, and the replayed event by the actor.
record replayed(const outgoing& letter, std::int64_t offset) {
  record e;
  e.topic = std::make_shared<const std::string>("order.placed.billing.replay");
  e.partition = 1;
  e.offset = offset;
  e.timestamp_ms = *letter.timestamp_ms;
  e.key = letter.key;
  e.value = letter.value;
  e.headers = letter.headers;
  return e;
}

TEST(DeadLetter, IsTheEventByteForByte) {
  const auto e = event();
  const auto letter = make_dead_letter(e, "order.placed.billing.dlq", "billing-group", "billing", why);
  EXPECT_EQ(letter.topic, "order.placed.billing.dlq");
  EXPECT_EQ(letter.key, e.key);
  EXPECT_EQ(letter.value, e.value);
  EXPECT_EQ(letter.timestamp_ms, e.timestamp_ms);
  EXPECT_FALSE(letter.partition) << "by key";
  EXPECT_EQ(users(letter.headers), e.headers) << "duplicates, nulls and order kept";
}

TEST(DeadLetter, SaysWhereItCameFromAndWhyItDied) {
  const auto letter = make_dead_letter(event(), "dlq", "billing-group", "billing", why);
  EXPECT_EQ(one(letter, "error"), "card declined");
  EXPECT_EQ(one(letter, "original-topic"), "order.placed");
  EXPECT_EQ(one(letter, "original-partition"), "3");
  EXPECT_EQ(one(letter, "original-offset"), "4711");
  EXPECT_EQ(one(letter, "original-timestamp"), "1769900000123");
  EXPECT_EQ(one(letter, "original-group"), "billing-group");
  EXPECT_EQ(one(letter, "actor"), "billing");
  EXPECT_EQ(one(letter, "error-class"), "payment");
  EXPECT_EQ(one(letter, "attempts"), "5");
  EXPECT_EQ(one(letter, "first-failed-at"), "2026-01-31T23:59:00.125Z");
  EXPECT_EQ(one(letter, "failed-at"), "2026-02-01T00:00:00.000Z");
  EXPECT_EQ(one(letter, "replay-count"), "0");
  EXPECT_EQ(letter.headers.size(), event().headers.size() + 12) << "and nothing else";
}

TEST(DeadLetter, KeepsNullsNull) {
  record e = event();
  e.key.reset();
  e.value.reset();
  e.timestamp_ms = -1;
  const auto letter = make_dead_letter(e, "dlq", "g", "a", why);
  EXPECT_FALSE(letter.key);
  EXPECT_FALSE(letter.value) << "a tombstone, not an empty value";
  EXPECT_FALSE(letter.timestamp_ms);
  e.key = "";
  e.value = "";
  EXPECT_EQ(make_dead_letter(e, "dlq", "g", "a", why).key, "");
  EXPECT_EQ(make_dead_letter(e, "dlq", "g", "a", why).value, "");
}

TEST(DeadLetter, KeepsTheFirstHopsOriginAndNeverMultipliesHeaders) {
  auto letter = make_dead_letter(event(), "dlq", "billing-group", "billing", why);
  for (int hop = 1; hop <= 4; ++hop) {
    auto e = replayed(letter, 10 + hop);
    for (auto& h : e.headers)
      if (h.name == "replay-count") h.value = std::to_string(hop);
    letter = make_dead_letter(e, "dlq2", "other-group", "audit",
                              {.reason = "hop " + std::to_string(hop),
                               .error_class = "c",
                               .attempts = 2,
                               .first_failed_ms = 0,
                               .failed_ms = 1});
    EXPECT_EQ(one(letter, "original-topic"), "order.placed");
    EXPECT_EQ(one(letter, "original-partition"), "3");
    EXPECT_EQ(one(letter, "original-offset"), "4711");
    EXPECT_EQ(one(letter, "original-timestamp"), "1769900000123");
    EXPECT_EQ(one(letter, "original-group"), "billing-group");
    EXPECT_EQ(one(letter, "error"), "hop " + std::to_string(hop));
    EXPECT_EQ(one(letter, "actor"), "audit");
    EXPECT_EQ(one(letter, "attempts"), "2");
    EXPECT_EQ(one(letter, "first-failed-at"), "1970-01-01T00:00:00.000Z");
    EXPECT_EQ(one(letter, "replay-count"), std::to_string(hop));
    EXPECT_EQ(letter.headers.size(), event().headers.size() + 12);
    EXPECT_EQ(users(letter.headers), event().headers);
  }
}

TEST(DeadLetter, KeepsTheFirstOfSeveralOriginsWithOneName) {
  auto twice = replayed(make_dead_letter(event(), "dlq", "g", "a", why), 1);
  twice.headers.push_back({"original-topic", "another"});
  twice.headers.push_back({"original-offset", std::nullopt});
  const auto letter = make_dead_letter(twice, "dlq", "g", "a", why);
  EXPECT_EQ(one(letter, "original-topic"), "order.placed");
  EXPECT_EQ(one(letter, "original-offset"), "4711");
}

TEST(DeadLetter, HasItsOwnCoordinatesWhereSomeoneElsesHeadersLookLikeOurs) {
  auto e = event();
  e.headers.push_back({"original-topic", "elsewhere"}); // as the guide's own code writes it, and no more
  e.headers.push_back({"error", "old"});
  e.headers.push_back({"error", "older"});
  const auto letter = make_dead_letter(e, "dlq", "g", "a", why);
  EXPECT_EQ(one(letter, "original-topic"), "order.placed");
  EXPECT_EQ(one(letter, "original-partition"), "3");
  EXPECT_EQ(one(letter, "original-offset"), "4711");
  EXPECT_EQ(one(letter, "error"), "card declined");
}

TEST(DeadLetter, KnowsItsHeadersByTheirExactName) {
  EXPECT_TRUE(is_dead_letter_header("error"));
  EXPECT_TRUE(is_dead_letter_header("original-topic"));
  EXPECT_FALSE(is_dead_letter_header("Error"));
  EXPECT_FALSE(is_dead_letter_header("original"));
  EXPECT_FALSE(is_dead_letter_header(""));
}

TEST(Replay, IsTheEventWithItsOriginAndOneMoreReplay) {
  const auto letter = replayed(make_dead_letter(event(), "dlq", "billing-group", "billing", why), 7);
  const auto again = make_replay(letter, "order.placed.billing.replay");
  EXPECT_EQ(again.topic, "order.placed.billing.replay");
  EXPECT_EQ(again.key, event().key);
  EXPECT_EQ(again.value, event().value);
  EXPECT_EQ(again.timestamp_ms, event().timestamp_ms);
  EXPECT_EQ(users(again.headers), event().headers);
  EXPECT_EQ(one(again, "original-topic"), "order.placed");
  EXPECT_EQ(one(again, "original-offset"), "4711");
  EXPECT_EQ(one(again, "replay-count"), "1");
  EXPECT_EQ(again.headers.size(), event().headers.size() + 6) << "five of its origin and the count";
}

TEST(Replay, CountsOnThroughEveryDeath) {
  auto letter = make_dead_letter(event(), "dlq", "g", "a", why);
  for (unsigned n = 1; n <= 3; ++n) {
    auto e = replayed(letter, n);
    const auto again = make_replay(e, "t.a.replay");
    EXPECT_EQ(replay_count(again.headers), n);
    e.headers = again.headers;
    letter = make_dead_letter(e, "dlq", "g", "a", why);
    EXPECT_EQ(replay_count(letter.headers), n);
    EXPECT_EQ(one(letter, "original-topic"), "order.placed");
  }
}

TEST(Replay, TakesACountThatIsNoneForNone) {
  for (const auto* text : {"", "-1", "x", "1x", "00", "99999999999999999999"})
    EXPECT_EQ(replay_count({{"replay-count", text}}), 0U) << text;
  EXPECT_EQ(replay_count({{"replay-count", std::nullopt}}), 0U);
  EXPECT_EQ(replay_count({{"replay-count", "12"}}), 12U);
}

TEST(Replay, KeepsNullsNull) {
  auto e = event();
  e.key.reset();
  e.value.reset();
  e.timestamp_ms = -1;
  const auto again = make_replay(e, "t");
  EXPECT_FALSE(again.key);
  EXPECT_FALSE(again.value);
  EXPECT_FALSE(again.timestamp_ms);
}

TEST(Envelope, HasTheHeadTheHashAndTheCoordinates) {
  auto e = event();
  e.value = std::string(1'000'000, 'a');
  const auto envelope = make_envelope(make_dead_letter(e, "dlq", "g", "a", why), 30);
  const auto json = nlohmann::json::parse(*envelope.value);
  EXPECT_EQ(json["topic"], "order.placed");
  EXPECT_EQ(json["partition"], 3);
  EXPECT_EQ(json["offset"], 4711);
  EXPECT_EQ(json["size"], 1'000'000);
  EXPECT_EQ(json["sha256"], "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
      << "FIPS 180's";
  EXPECT_EQ(json["head_base64"], "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh");
  EXPECT_EQ(envelope.topic, "dlq");
  EXPECT_EQ(envelope.timestamp_ms, e.timestamp_ms);
  EXPECT_EQ(one(envelope, "error"), "card declined");
  EXPECT_EQ(one(envelope, "original-offset"), "4711");
  EXPECT_EQ(one(envelope, "payload-envelope"), "1");
}

TEST(Envelope, IsSmallWhateverMadeTheLetterLarge) {
  auto e = event();
  e.key = std::string(500'000, 'k');
  e.value = std::string(500'000, 'v');
  e.headers.push_back({"huge", std::string(500'000, 'h')});
  auto long_reason = why;
  long_reason.reason = std::string(500'000, 'r');
  const auto envelope = make_envelope(make_dead_letter(e, "dlq", "g", "a", long_reason), 1000);
  std::size_t size = envelope.value->size() + (envelope.key ? envelope.key->size() : 0);
  for (const auto& h : envelope.headers)
    size += h.name.size() + h.value.value_or("").size();
  EXPECT_LT(size, 5000U);
  EXPECT_EQ(nlohmann::json::parse(*envelope.value)["size"], 500'000);
}

TEST(Envelope, KeepsASmallKeyAndAnyBytesOfTheHead) {
  const auto envelope = make_envelope(make_dead_letter(event(), "dlq", "g", "a", why));
  EXPECT_EQ(envelope.key, event().key);
  const auto json = nlohmann::json::parse(*envelope.value);
  EXPECT_EQ(json["head_base64"], "dgAKwyg=");
  EXPECT_EQ(json["size"], 5);
}

TEST(Envelope, IsJsonWhateverTheHeadersSay) {
  auto e = event();
  for (const auto* name :
       {"original-topic", "original-partition", "original-offset", "original-timestamp", "original-group"})
    e.headers.push_back({name, "a \"quote\" \\ and\n\t\x01"});
  e.value.reset();
  const auto envelope = make_envelope(make_dead_letter(e, "dlq", "g", "a", why));
  const auto json = nlohmann::json::parse(*envelope.value);
  EXPECT_EQ(json["topic"], "a \"quote\" \\ and\n\t\x01");
  EXPECT_TRUE(json["partition"].is_null());
  EXPECT_TRUE(json["offset"].is_null());
  EXPECT_EQ(json["size"], 0);
  EXPECT_EQ(json["head_base64"], "");
}

record claiming(const std::string& topic, const std::string& number) {
  auto e = event();
  e.headers = {{"original-topic", topic},
               {"original-partition", number},
               {"original-offset", number},
               {"original-timestamp", number},
               {"original-group", ""}};
  return e;
}

TEST(Envelope, IsJsonThoughATopicIsNoUtf8OrANumberStartsWithZeros) {
  const auto envelope =
      make_envelope(make_dead_letter(claiming("o\xC3\x28\xFF", "007"), "dlq", "g", "a", why));
  const auto json = nlohmann::json::parse(*envelope.value);
  EXPECT_EQ(json["topic"], "o\uFFFD(\uFFFD");
  EXPECT_TRUE(json["offset"].is_null());
}

TEST(Envelope, IsSmallWhateverItsCoordinatesSay) {
  const auto huge = claiming(std::string(500'000, 't'), std::string(500'000, '1'));
  EXPECT_LT(make_envelope(make_dead_letter(huge, "dlq", "g", "a", why), 1000).value->size(), 3000U);
}

} // namespace
} // namespace troupe::flow

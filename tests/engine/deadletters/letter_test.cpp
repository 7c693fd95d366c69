#include "engine/deadletters/marks.hpp"
#include "tests/engine/deadletters/fixture.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace troupe::deadletters {
namespace {

/// As it is read from the topic of marks.
record read_back(const outgoing& mark) {
  record r;
  r.topic = std::make_shared<const std::string>(mark.topic);
  r.key = mark.key;
  r.value = mark.value;
  return r;
}

TEST(Letter, SaysWhenItDiedInAFormThatCompares) {
  EXPECT_EQ(failed_at(letter("t", {{"failed-at", "2026-01-31T23:59:00.125Z"}})), "2026-01-31T23:59:00.125Z");
  for (const auto* text : {"", "yesterday", "2026-01-31T23:59:00Z", "2026-01-31T23:59:00.125+"})
    EXPECT_EQ(failed_at(letter("t", {{"failed-at", text}})), "2026-01-31T22:53:20.123Z") << text;
}

TEST(Letter, HasAnOriginOnlyWhereItsHeadersNameOne) {
  const auto from = origin_of(buried(letter("order.placed"), "dlq", "a"));
  ASSERT_TRUE(from);
  EXPECT_EQ(from->where, (topic_partition{"order.placed", 2}));
  EXPECT_EQ(from->offset, 918);
  for (const auto* number : {"", "-1", "x", "1 ", "99999999999999999999"})
    EXPECT_FALSE(origin_of(
        letter("t", {{"original-topic", "o"}, {"original-partition", number}, {"original-offset", "1"}})))
        << number;
}

TEST(Mark, SaysWhatBecameOfALetter) {
  const auto dead = buried(letter("order.placed"), "order.placed.a.dlq", "a");
  const auto mark = make_mark(dead, action::discarded, "alice@host", 1'769'904'000'000);
  EXPECT_EQ(mark.topic, "order.placed.a.dlq.resolved");
  EXPECT_EQ(mark.key, "2/918");
  mark_book book;
  EXPECT_FALSE(book.of(dead));
  book.take(read_back(mark));
  EXPECT_EQ(book.of(dead), action::discarded);
  auto next = dead;
  ++next.offset;
  EXPECT_FALSE(book.of(next));
}

TEST(Mark, IsTheLastOfItsLetterAndGoneWithATombstone) {
  const auto dead = buried(letter("order.placed"), "dlq", "a");
  mark_book book;
  book.take(read_back(make_mark(dead, action::discarded, "a", 0)));
  book.take(read_back(make_mark(dead, action::replayed, "b", 0)));
  EXPECT_EQ(book.of(dead), action::replayed);
  auto gone = read_back(make_mark(dead, action::replayed, "b", 0));
  gone.value.reset();
  book.take(gone);
  EXPECT_FALSE(book.of(dead));
}

TEST(Mark, SaysNothingOfAnotherLetterInTheSamePlace) {
  const auto dead = buried(letter("order.placed"), "dlq", "a");
  auto other = dead;
  for (auto& h : other.headers)
    if (h.name == "failed-at") h.value = "2026-03-01T00:00:00.000Z";
  mark_book book;
  book.take(read_back(make_mark(dead, action::replayed, "a", 0)));
  EXPECT_TRUE(book.of(dead));
  EXPECT_FALSE(book.of(other));
}

TEST(Mark, TakesAnyBytesOfHeadersAndAnythingForNoMark) {
  const auto odd =
      letter("dlq", {{"original-topic", std::string("\xFF\"\0", 3)}, {"original-offset", "\xC3"}});
  mark_book book;
  book.take(read_back(make_mark(odd, action::replayed, "\xFF", 0)));
  EXPECT_TRUE(book.of(odd));
  for (const auto* text : {"", "{", "[]", "{}", R"({"action":"eaten"})", R"({"action":1})"}) {
    record junk;
    junk.key = "0/0";
    junk.value = text;
    book.take(junk);
  }
  record keyless;
  keyless.value = "{}";
  book.take(keyless);
  EXPECT_TRUE(book.of(odd));
}

TEST(ReadEnvelope, FindsThePayloadByItsFirstOrigin) {
  auto large = letter("order.placed", {{"mine", "1"}, {"traceparent", "00-aa-bb-01"}});
  large.value = std::string(100'000, 'v');
  const auto dead = buried(large, "dlq", "a");
  outgoing whole;
  whole.topic = "dlq";
  whole.key = dead.key;
  whole.value = dead.value;
  whole.headers = dead.headers;
  const auto envelope = flow::make_envelope(whole, 100);
  auto lies = letter("dlq", envelope.headers);
  lies.value = envelope.value;
  ASSERT_TRUE(is_envelope(lies));
  EXPECT_FALSE(is_envelope(dead));
  EXPECT_EQ(header_of(lies, "traceparent"), "00-aa-bb-01");
  EXPECT_FALSE(header_of(lies, "mine")) << "a user's header may be what made it too large";
  const auto read = read_envelope(lies);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->from.where.topic, "order.placed");
  EXPECT_EQ(read->from.offset, 918);
  EXPECT_EQ(read->sha256, flow::sha256_hex(*large.value));

  const auto again = unwrap(lies, large);
  EXPECT_FALSE(is_envelope(again));
  EXPECT_EQ(again.value, large.value);
  EXPECT_EQ(header_of(again, "mine"), "1");
  EXPECT_EQ(header_of(again, "original-topic"), "order.placed");
  const auto traces = std::count_if(again.headers.begin(), again.headers.end(),
                                    [](const header& h) { return h.name == "traceparent"; });
  EXPECT_EQ(traces, 1);
  for (const auto* junk : {"", "{", "[]", R"({"sha256":1})", "{}"}) {
    lies.value = junk;
    EXPECT_FALSE(read_envelope(lies)) << junk;
  }
}

} // namespace
} // namespace troupe::deadletters

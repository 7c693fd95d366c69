#include "engine/aggregate/tally.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

namespace troupe::aggregate {

namespace {

using testing::ElementsAre;

tally_spec page_views() {
  return {{{"/type", "page_view"}}, "/payload/path",        "views:{value}",
          "page-views:{minute}",    std::chrono::hours{48}, "/timestamp"};
}

std::string event(const std::string& type, const std::string& path, const std::string& time) {
  return R"({"type":")" + type + R"(","payload":{"path":")" + path + R"("},"timestamp":")" + time + R"("})";
}

std::map<std::string, std::int64_t> totals_of(const delta& d) {
  std::map<std::string, std::int64_t> out;
  for (const auto& t : d.totals)
    EXPECT_TRUE(out.emplace(t.key, t.count).second) << t.key << " twice";
  return out;
}

std::map<std::pair<std::string, std::string>, std::int64_t> minutes_of(const delta& d) {
  std::map<std::pair<std::string, std::string>, std::int64_t> out;
  for (const auto& set : d.minutes)
    for (const auto& m : set.members)
      EXPECT_TRUE(out.emplace(std::pair{set.key, m.member}, m.count).second);
  return out;
}

} // namespace

TEST(Tally, counts_totals_and_minutes) {
  tally t{page_views()};
  EXPECT_TRUE(t.empty());
  EXPECT_EQ(t.count(event("page_view", "/a", "2026-01-31T23:59:01Z"), 0), counted::yes);
  EXPECT_EQ(t.count(event("page_view", "/a", "2026-02-01T01:59:59.5+02:00"), 0), counted::yes);
  EXPECT_EQ(t.count(event("page_view", "/b", "2026-02-01T00:00:00Z"), 0), counted::yes);
  EXPECT_EQ(t.count(event("click", "/a", "2026-01-31T23:59:01Z"), 0), counted::filtered);
  EXPECT_FALSE(t.empty());
  const auto d = t.take();
  EXPECT_THAT(totals_of(d), ElementsAre(std::pair{"views:/a", 2}, std::pair{"views:/b", 1}));
  ASSERT_EQ(d.minutes.size(), 2U);
  EXPECT_EQ(d.minutes[0].key, "page-views:2026-01-31T23:59");
  ASSERT_EQ(d.minutes[0].members.size(), 1U);
  EXPECT_EQ(d.minutes[0].members[0].member, "/a");
  EXPECT_EQ(d.minutes[0].members[0].count, 2);
  EXPECT_EQ(d.minutes[0].expire_at, 1769903940 + 48 * 3600);
  EXPECT_EQ(d.minutes[1].key, "page-views:2026-02-01T00:00");
  EXPECT_TRUE(t.empty());
  EXPECT_EQ(t.take().totals.size(), 0U);
}

TEST(Tally, starts_each_flush_at_nothing) {
  tally t{page_views()};
  const auto one = event("page_view", "/a", "2026-01-31T23:59:01Z");
  (void)t.count(one, 0);
  (void)t.take();
  (void)t.count(one, 0);
  EXPECT_THAT(totals_of(t.take()), ElementsAre(std::pair{"views:/a", 1}));
  (void)t.count(one, 0);
  t.clear();
  EXPECT_TRUE(t.empty());
  EXPECT_EQ(t.distinct(), 0U);
  (void)t.count(event("page_view", "/b", "2026-01-31T23:59:01Z"), 0);
  const auto d = t.take();
  EXPECT_THAT(totals_of(d), ElementsAre(std::pair{"views:/b", 1}));
  EXPECT_THAT(minutes_of(d), ElementsAre(std::pair{std::pair{"page-views:2026-01-31T23:59", "/b"}, 1}));
}

TEST(Tally, counts_nothing_it_cannot_use) {
  tally t{page_views()};
  EXPECT_EQ(t.count("", 0), counted::unusable);
  EXPECT_EQ(t.count(event("page_view", "/a", "x").substr(1), 0), counted::unusable);
  EXPECT_EQ(t.count(R"({"type":"page_view","payload":{"path":7},"timestamp":"2026-01-31T23:59:01Z"})", 0),
            counted::unusable);
  EXPECT_EQ(t.count(R"({"type":"page_view","payload":{},"timestamp":"2026-01-31T23:59:01Z"})", 0),
            counted::unusable);
  EXPECT_EQ(t.count(R"({"type":"page_view"} )" + std::string{"x"}, 0), counted::unusable);
  EXPECT_EQ(t.count("[]", 0), counted::filtered);
  EXPECT_TRUE(t.empty());
  tally broken{tally_spec{{}, "no/pointer", "k:{value}", "", milliseconds{0}, ""}};
  EXPECT_EQ(broken.count("{}", 0), counted::unusable);
}

TEST(Tally, counts_the_total_of_an_event_without_a_time) {
  tally t{page_views()};
  EXPECT_EQ(t.count(event("page_view", "/a", "yesterday"), 5), counted::no_time);
  EXPECT_EQ(t.count(R"({"type":"page_view","payload":{"path":"/a"}})", 5), counted::no_time);
  EXPECT_EQ(t.count(R"({"type":"page_view","payload":{"path":"/a"},"timestamp":1769900000})", 5),
            counted::no_time);
  const auto d = t.take();
  EXPECT_THAT(totals_of(d), ElementsAre(std::pair{"views:/a", 3}));
  EXPECT_TRUE(d.minutes.empty());
}

TEST(Tally, tells_what_is_ahead_of_the_clock_or_too_late_and_counts_it) {
  tally t{page_views()};
  const auto at = [&](const char* time) { return t.count(event("page_view", "/a", time), 0); };
  EXPECT_EQ(at("9999-12-31T23:59:59Z"), counted::yes); // no clock was set
  t.set_now(1769903999999);                            // 2026-01-31T23:59
  EXPECT_EQ(at("2026-02-01T00:04:59Z"), counted::yes);
  EXPECT_EQ(at("2026-02-01T00:05:00Z"), counted::ahead);
  EXPECT_EQ(at("2026-01-29T23:59:00Z"), counted::yes);
  EXPECT_EQ(at("2026-01-29T23:58:59Z"), counted::late);
  const auto d = t.take();
  EXPECT_THAT(totals_of(d), ElementsAre(std::pair{"views:/a", 5}));
  EXPECT_EQ(d.minutes.size(), 5U);
}

TEST(Tally, takes_the_records_timestamp_where_no_event_time_is_named) {
  auto spec = page_views();
  spec.event_time.clear();
  tally t{spec};
  EXPECT_EQ(t.count(event("page_view", "/a", "x"), 1769903999999), counted::yes);
  EXPECT_EQ(t.count(event("page_view", "/a", "x"), -1), counted::no_time);
  EXPECT_THAT(minutes_of(t.take()),
              ElementsAre(std::pair{std::pair{"page-views:2026-01-31T23:59", "/a"}, 1}));
}

TEST(Tally, counts_many_at_once_as_it_counts_them_one_by_one) {
  for (const bool by_record : {false, true}) {
    auto spec = page_views();
    if (by_record) spec.event_time.clear();
    tally together{spec}, alone{spec};
    together.set_now(1769903999999);
    alone.set_now(1769903999999);
    const std::vector<std::string> kinds{
        event("page_view", "/a", "2026-01-31T23:59:01Z"),
        event("page_view", "/b", "2026-02-01T01:59:59.5+02:00"),
        event("page_view", "/a", "2027-01-31T23:59:01Z"),
        event("page_view", "/c", "2020-01-31T23:59:01Z"),
        event("page_view", "/a", "yesterday"),
        event("click", "/a", "2026-01-31T23:59:01Z"),
        R"({"type":"page_view","payload":{"path":7}})",
        "",
        R"({"type":"page_view","payload":{"path":"\u002fa"},"timestamp":"2026-01-31T23:58:01Z"})",
        "{\"type\":\"page_view"};
    std::mt19937 random{17};
    for (int round = 0; round < 50; ++round) {
      json::texts texts;
      std::vector<std::int64_t> times;
      outcomes expected;
      for (int i = 0; i < 200; ++i) {
        // Every other round without what cannot be scanned together with others.
        const auto& one = kinds[random() % (kinds.size() - (round % 2 == 0 ? 0 : 3))];
        times.push_back(static_cast<std::int64_t>(random() % 3) * 60'000 - 1);
        texts.add(one);
        expected.add(alone.count(one, times.back()));
      }
      const auto got = together.count_all(texts, by_record ? times : std::vector<std::int64_t>{});
      for (const auto kind : {counted::yes, counted::filtered, counted::unusable, counted::no_time,
                              counted::ahead, counted::late})
        ASSERT_EQ(got.of(kind), expected.of(kind)) << static_cast<int>(kind);
      const auto a = together.take(), b = alone.take();
      ASSERT_EQ(totals_of(a), totals_of(b));
      ASSERT_EQ(minutes_of(a), minutes_of(b));
    }
  }
}

TEST(Tally, matches_all_conditions_by_their_text) {
  tally t{
      tally_spec{{{"/n", "1.0"}, {"/ok", "true"}, {"/s", "x"}}, "/v", "k:{value}", "", milliseconds{0}, ""}};
  EXPECT_EQ(t.count(R"({"n":1.0,"ok":true,"s":"x","v":"a"})", 0), counted::yes);
  EXPECT_EQ(t.count(R"({"n":"1.0","ok":"true","s":"x","v":"a"})", 0), counted::yes);
  EXPECT_EQ(t.count(R"({"n":1,"ok":true,"s":"x","v":"a"})", 0), counted::filtered);
  EXPECT_EQ(t.count(R"({"n":1.0,"ok":false,"s":"x","v":"a"})", 0), counted::filtered);
  EXPECT_EQ(t.count(R"({"n":1.0,"ok":true,"s":null,"v":"a"})", 0), counted::filtered);
  EXPECT_EQ(t.count(R"({"n":1.0,"ok":true,"v":"a"})", 0), counted::filtered);
}

TEST(Tally, gives_each_key_once_even_without_a_placeholder) {
  tally t{tally_spec{{}, "/v", "all{minute}", "m{value}", std::chrono::hours{1}, ""}};
  (void)t.count(R"({"v":"a"})", 0);
  (void)t.count(R"({"v":"b"})", 60'000);
  const auto d = t.take();
  EXPECT_THAT(totals_of(d), ElementsAre(std::pair{"all{minute}", 2}));
  ASSERT_EQ(d.minutes.size(), 1U);
  EXPECT_EQ(d.minutes.front().key, "m{value}");
  EXPECT_EQ(d.minutes.front().expire_at, 60 + 3600);
  EXPECT_THAT(minutes_of(d), ElementsAre(std::pair{std::pair{"m{value}", "a"}, 1},
                                         std::pair{std::pair{"m{value}", "b"}, 1}));
}

TEST(Tally, agrees_with_a_naive_count_over_random_events_and_flushes) {
  std::mt19937 random{3};
  const auto pick = [&](int n) { return std::uniform_int_distribution<int>{0, n - 1}(random); };
  tally t{page_views()};
  for (int flush = 0; flush < 30; ++flush) {
    std::map<std::string, std::int64_t> totals;
    std::map<std::pair<std::string, std::string>, std::int64_t> minutes;
    // Now and then many values, so that the table of values is dropped and made anew.
    const int values = flush % 5 == 4 ? 30'000 : 50;
    for (int i = 0; i < (values > 50 ? 20'000 : 3000); ++i) {
      const auto path = "/p" + std::to_string(pick(values));
      const auto at = "2026-01-" + std::to_string(10 + pick(20)) + "T1" + std::to_string(pick(10)) + ":0" +
                      std::to_string(pick(10));
      switch (pick(6)) {
      case 0:
        EXPECT_EQ(t.count(event("click", path, at + ":00Z"), 0), counted::filtered);
        break;
      case 1:
        EXPECT_EQ(t.count(event("page_view", path, at + ":00Z").substr(0, 60), 0), counted::unusable);
        break;
      case 2:
        EXPECT_EQ(t.count(event("page_view", path, at), 0), counted::no_time);
        ++totals["views:" + path];
        break;
      default:
        EXPECT_EQ(t.count(event("page_view", path, at + ":59.25Z"), 0), counted::yes);
        ++totals["views:" + path];
        ++minutes[{"page-views:" + at, path}];
      }
    }
    EXPECT_EQ(t.distinct(), totals.size() + minutes.size());
    const auto d = t.take();
    ASSERT_EQ(totals_of(d), totals);
    ASSERT_EQ(minutes_of(d), minutes);
  }
}

} // namespace troupe::aggregate

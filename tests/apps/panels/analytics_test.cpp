#include "apps/analytics/panel.hpp"

#include "engine/aggregate/event_time.hpp"
#include "tests/apps/panels/fixture.hpp"

namespace analytics {

using nlohmann::json;
using troupe::dashboard::noon;
namespace config = troupe::config;

class LivePanelTest : public troupe::dashboard::PanelTest {
protected:
  void count(const std::string& name, std::vector<std::pair<std::string, std::string>> where, std::string by,
             std::string minute_key) {
    config::aggregate_actor a;
    a.where = std::move(where);
    a.count_by = std::move(by);
    a.per_minute = config::per_minute{std::move(minute_key)};
    settings.actors.push_back({name, a, {}, {}});
  }
  void SetUp() override {
    count("pages", {{"/type", "page_view"}}, "/payload/path", "page-views:{minute}");
    count("types", {}, "/type", "event-types:{minute}");
    count("searches", {{"/type", "search"}}, "/payload/term", "search-terms:{minute}");
    run_by("analytics.session_seen");
  }
  static std::string minute(int ago) { return troupe::aggregate::shown(noon / 60'000 - ago); }
  void add(const std::string& set, int ago, const std::string& member, int n) {
    redis({"ZINCRBY", set + ":" + minute(ago), std::to_string(n), member});
  }
  static json table_of(const json& shown, const std::string& title) {
    for (const auto& table : shown["tables"])
      if (table["title"] == title) return table;
    ADD_FAILURE() << "no table " << title;
    return {};
  }
  /// What it says of the day when it has been asked so often: each time it adds up a few hours more.
  json day_after(const troupe::dashboard::panel& panel, int readings, std::int64_t now_ms) {
    json shown;
    for (int i = 0; i < readings; ++i) {
      redis({"DEL", "tr:{app}:live:day"}); // its time is over
      shown = read(panel, now_ms);
    }
    return rows_of(shown, "Top pages, last 24 hours");
  }
};

TEST_F(LivePanelTest, applies_where_page_views_or_types_are_counted_by_the_minute) {
  const auto panel = live_panel();
  EXPECT_TRUE(panel.applies(settings));
  config::settings other;
  EXPECT_FALSE(panel.applies(other));
}

TEST_F(LivePanelTest, shows_visitors_views_and_what_is_viewed_most) {
  redis({"PFADD", "sessions:" + minute(0), "a", "b"});
  redis({"PFADD", "sessions:" + minute(4), "b", "c"});
  redis({"PFADD", "sessions:" + minute(5), "gone"});
  add("event-types", 0, "page_view", 3);
  add("event-types", 1, "page_view", 40);
  add("event-types", 1, "click", 7);
  add("event-types", 60, "page_view", 50);
  add("event-types", 719, "page_view", 100);  // a minute after midnight
  add("event-types", 721, "page_view", 1000); // yesterday
  add("page-views", 0, "/", 3);
  add("page-views", 4, "/a", 9);
  add("page-views", 20, "/b", 30);
  add("search-terms", 2, "lamp", 2);

  const auto shown = read(live_panel());
  EXPECT_EQ(value_of(shown, "Visitors, last 5 minutes"), 3);
  EXPECT_EQ(value_of(shown, "Views, last whole minute"), 40);
  EXPECT_EQ(value_of(shown, "Views today (UTC)"), 193);
  const auto& curve = shown["series"][0];
  EXPECT_EQ(curve["from"], noon - 60 * 60'000);
  ASSERT_EQ(curve["values"].size(), 60U);
  EXPECT_EQ(curve["values"][59], 40);
  EXPECT_EQ(curve["values"][0], 50);
  EXPECT_EQ(rows_of(shown, "Top pages, last 5 minutes"),
            json::parse(R"([["/a", 1.0, 9, null], ["/", 0.3333333333333333, 3, null]])"));
  EXPECT_EQ(rows_of(shown, "Top pages, last 30 minutes")[0][0], "/b");
  EXPECT_EQ(rows_of(shown, "Searches, last 60 minutes"), json::parse(R"([["lamp", 1.0, 2]])"));
  EXPECT_EQ(rows_of(shown, "Events by type, last 60 minutes")[0][0], "page_view");
}

TEST_F(LivePanelTest, what_is_not_counted_is_not_shown_and_nothing_is_no_failure) {
  settings.actors.resize(1); // pages alone
  const auto shown = read(live_panel());
  EXPECT_TRUE(value_of(shown, "Visitors, last 5 minutes").is_null());
  EXPECT_TRUE(value_of(shown, "Views today (UTC)").is_null());
  EXPECT_TRUE(shown["series"].empty());
  EXPECT_TRUE(rows_of(shown, "Top pages, last 24 hours").empty());
}

TEST_F(LivePanelTest, a_minute_without_views_is_0_and_one_before_counting_began_is_not_known) {
  auto shown = read(live_panel());
  EXPECT_EQ(shown["series"][0]["values"], json(std::vector<json>(60, nullptr)));
  EXPECT_TRUE(value_of(shown, "Views, last whole minute").is_null());
  EXPECT_TRUE(value_of(shown, "Views today (UTC)").is_null());

  add("event-types", 30, "click", 1);
  add("event-types", 10, "page_view", 4);
  const auto counted = [&] {
    shown = read(live_panel());
    const auto& values = shown["series"][0]["values"];
    EXPECT_TRUE(values[29].is_null()) << values;
    EXPECT_EQ(values[30], 0);
    EXPECT_EQ(values[50], 4);
    EXPECT_EQ(values[59], 0);
    EXPECT_EQ(value_of(shown, "Views, last whole minute"), 0);
    EXPECT_EQ(value_of(shown, "Views today (UTC)"), 4);
  };
  counted();
  redis({"DEL", "event-types:" + minute(30)}); // its time is over, and counting had begun all the same
  counted();
}

TEST_F(LivePanelTest, adds_up_a_day_hour_by_hour_and_no_event_twice) {
  std::int64_t all = 0;
  for (int ago = 0; ago < 23 * 60; ago += 7) {
    add("page-views", ago, "/", 1);
    ++all;
  }
  const auto panel = live_panel();
  EXPECT_EQ(day_after(panel, 6, noon), json::parse(R"([["/", 1.0, )" + std::to_string(all) + ", null]]"));
  EXPECT_FALSE(table_of(read(panel), "Top pages, last 24 hours").contains("note"));
}

TEST_F(LivePanelTest, says_how_much_of_the_day_it_has_looked_at) {
  EXPECT_EQ(table_of(read(live_panel()), "Top pages, last 24 hours")["note"], "of the last 5 hours so far");
}

TEST_F(LivePanelTest, compares_pages_with_the_same_length_of_time_before) {
  add("page-views", 9, "/first", 1);
  add("page-views", 1, "/up", 20);
  add("page-views", 4, "/up", 10);
  add("page-views", 6, "/up", 20);
  add("page-views", 2, "/down", 8);
  add("page-views", 9, "/down", 10);
  add("page-views", 0, "/half", 5); // half of this minute is over
  add("page-views", 5, "/half", 10);
  add("page-views", 3, "/new", 1);
  const auto shown = read(live_panel(), noon + 30'000);
  const auto table = table_of(shown, "Top pages, last 5 minutes");
  EXPECT_EQ(table["columns"][3], (json{{"label", "Change"}, {"type", "change"}}));
  std::map<std::string, json> change;
  for (const auto& row : table["rows"])
    change[row[0].get<std::string>()] = row[3];
  EXPECT_EQ(change,
            (std::map<std::string, json>{{"/up", 0.5}, {"/down", -0.2}, {"/half", 0.0}, {"/new", "new"}}));
  for (const auto& row : rows_of(shown, "Top pages, last 30 minutes"))
    EXPECT_TRUE(row[3].is_null()) << "counting began in the middle of the time before: " << row;
}

TEST_F(LivePanelTest, a_time_before_in_which_nothing_was_counted_is_not_known) {
  add("page-views", 60, "/", 5);
  add("page-views", 1, "/", 5);
  EXPECT_TRUE(rows_of(read(live_panel()), "Top pages, last 5 minutes")[0][3].is_null());
}

TEST_F(LivePanelTest, what_pages_had_before_is_read_when_their_sum_is_made_and_not_again) {
  add("page-views", 70, "/", 1);
  add("page-views", 50, "/", 10);
  add("page-views", 1, "/", 15);
  const auto panel = live_panel();
  EXPECT_EQ(rows_of(read(panel), "Top pages, last 30 minutes")[0][3], 0.5);
  add("page-views", 50, "/", 5);
  EXPECT_EQ(rows_of(read(panel), "Top pages, last 30 minutes")[0][3], 0.5);
  redis({"DEL", "tr:{app}:live:b:30m"}); // its time is over
  EXPECT_EQ(rows_of(read(panel), "Top pages, last 30 minutes")[0][3], 0.0);
}

TEST_F(LivePanelTest, compares_a_day_with_the_day_before_once_all_of_both_is_added_up) {
  constexpr auto at = noon + 20 * 60'000;
  add("page-views", 2830, "/first", 1); // before both
  for (int hour = 0; hour < 48; ++hour)
    add("page-views", 60 * hour - 10, "/", hour < 24 ? 3 : 2);
  const auto panel = live_panel();
  EXPECT_EQ(day_after(panel, 11, at), json::parse(R"([["/", 1.0, 72, null]])")) << "not yet all of it";
  EXPECT_EQ(day_after(panel, 1, at), json::parse(R"([["/", 1.0, 72, 0.5]])"));
}

TEST_F(LivePanelTest, an_hour_that_redis_keeps_no_longer_is_not_taken_for_an_empty_one) {
  std::get<config::aggregate_actor>(settings.actors[0].kind).per_minute->keep = std::chrono::hours{30};
  redis({"SET", "tr:{app}:live:first:page-views:{minute}", "0"});
  for (int hour = 0; hour < 30; ++hour)
    add("page-views", 60 * hour - 10, "/", 2);
  EXPECT_EQ(day_after(live_panel(), 13, noon + 20 * 60'000), json::parse(R"([["/", 1.0, 48, null]])"));
}

} // namespace analytics

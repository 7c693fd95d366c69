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
    a.per_minute = config::per_minute{std::move(minute_key), {}};
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
            json::parse(R"([["/a", 1.0, 9], ["/", 0.3333333333333333, 3]])"));
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

TEST_F(LivePanelTest, adds_up_a_day_hour_by_hour_and_no_event_twice) {
  std::int64_t all = 0;
  for (int ago = 0; ago < 23 * 60; ago += 7) {
    add("page-views", ago, "/", 1);
    ++all;
  }
  const auto panel = live_panel();
  json shown;
  for (int i = 0; i < 8; ++i) {
    redis({"DEL", "tr:{app}:live:day"}); // its time is over
    shown = read(panel);
  }
  EXPECT_EQ(rows_of(shown, "Top pages, last 24 hours"),
            json::parse(R"([["/", 1.0, )" + std::to_string(all) + "]]"));
  for (const auto& table : shown["tables"])
    if (table["title"] == "Top pages, last 24 hours") {
      EXPECT_FALSE(table.contains("note")) << table["note"];
    }
}

TEST_F(LivePanelTest, says_how_much_of_the_day_it_has_looked_at) {
  const auto first = read(live_panel());
  for (const auto& table : first["tables"])
    if (table["title"] == "Top pages, last 24 hours") {
      EXPECT_EQ(table["note"], "of the last 5 hours so far");
    }
}

} // namespace analytics

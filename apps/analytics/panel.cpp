#include "apps/analytics/panel.hpp"

#include "apps/analytics/minutes.hpp"
#include "apps/analytics/top.hpp"
#include "apps/dashboard/panel_parts.hpp"
#include "engine/aggregate/template_key.hpp"

#include <algorithm>
#include <chrono>

namespace analytics {
namespace {

using namespace troupe;
using nlohmann::json;

constexpr int visitor_minutes = 5, curve_minutes = 60, day_minutes = 24 * 60;

/// What the config counts by the minute, as far as it does.
struct counted {
  minute_sets pages, types, searches;
  bool sessions = false;
};

minute_sets sets_of(const config::per_minute& p) {
  return {p.into,
          [into = aggregate::template_key{p.into, "{minute}"}](minute m) {
            return into.with(aggregate::shown(m));
          },
          std::chrono::floor<std::chrono::minutes>(p.keep).count()};
}

bool asks_for(const config::aggregate_actor& a, const std::string& type) {
  return a.where == std::vector<std::pair<std::string, std::string>>{{"/type", type}};
}

counted counted_by(const config::settings& s) {
  counted all;
  all.sessions = dashboard::worker_with(s, "analytics.session_seen") != nullptr;
  for (const auto& actor : s.actors) {
    if (const auto* a = std::get_if<config::aggregate_actor>(&actor.kind); a && a->per_minute) {
      if (asks_for(*a, "page_view")) all.pages = sets_of(*a->per_minute);
      if (asks_for(*a, "search")) all.searches = sets_of(*a->per_minute);
      if (a->where.empty() && a->count_by == "/type") all.types = sets_of(*a->per_minute);
    }
  }
  return all;
}

// The views of each minute, nil where there were none. KEYS: the minutes' events by type.
constexpr const char* views = R"lua(
local all = {}
for i = 1, #KEYS do all[i] = redis.call('ZSCORE', KEYS[i], 'page_view') end
return all
)lua";

/// One reading of Redis: questions with what is to be made of their answers.
class reading {
public:
  using use = std::function<void(const redis::reply&)>;
  void ask(redis::command what, use then) {
    questions_.push_back(std::move(what));
    uses_.push_back(std::move(then));
  }
  result<void> carry_out(redis::client& redis) {
    const auto got = dashboard::ask_all(redis, std::move(questions_));
    if (!got) return got.failure();
    for (std::size_t i = 0; i < uses_.size(); ++i)
      uses_[i](got->at(i));
    return {};
  }

private:
  std::vector<redis::command> questions_;
  std::vector<use> uses_;
};

json tops(std::string title, const std::string& what, const std::vector<ranked>& all, std::string empty) {
  std::vector<dashboard::cells> rows;
  for (const auto& r : all)
    rows.push_back({r.name, static_cast<double>(r.count) / static_cast<double>(all.front().count), r.count});
  return dashboard::table(std::move(title), {{what, "text"}, {"", "bar"}, {"Events", "count"}},
                          std::move(rows), std::move(empty));
}

/// By which share it is more or less than before.
json change_of(const ranked& r) {
  if (!r.before) return nullptr;
  if (*r.before == 0) return "new";
  return (static_cast<double>(r.count) - *r.before) / *r.before;
}

json top_pages(const std::string& of, const std::vector<ranked>& all, const std::string& note = {}) {
  auto table = tops("Top pages, last " + of, "Page", all, "No page was viewed.");
  table["columns"].push_back({{"label", "Change"}, {"type", "change"}});
  for (std::size_t i = 0; i < all.size(); ++i)
    table["rows"][i].push_back(change_of(all[i]));
  if (!note.empty()) table["note"] = note;
  return table;
}

/// What is known from one reading to the next.
struct memory {
  int hours = 24; ///< in the sum of the day
  first_minutes first;
};

/// The panel while it is read: what it asks fills it in.
struct page {
  page(const config::settings& s, std::int64_t ms)
      : now_ms{ms}, now{ms / 60'000}, prefix{"tr:{" + s.app + "}:live:"}, of{counted_by(s)} {}

  std::int64_t now_ms;
  minute now;
  std::string prefix;
  counted of;
  std::optional<minute> pages_since, types_since; ///< the first minute that was counted
  std::optional<std::int64_t> visitors, last_minute, today;
  std::vector<std::optional<std::int64_t>> per_minute;
  std::map<std::string, json> tables; ///< by where they stand

  void ask_visitors(reading& all) {
    if (!of.sessions) return;
    redis::command count{"PFCOUNT"};
    for (minute ago = 0; ago < visitor_minutes; ++ago)
      count.push_back("sessions:" + aggregate::shown(now - ago));
    all.ask(std::move(count), [this](const auto& n) { visitors = n.integer; });
  }

  void ask_views(reading& all) {
    if (!of.types) return;
    const auto since_midnight = now % day_minutes + 1;
    const auto minutes = std::max<minute>(since_midnight, curve_minutes + 1);
    redis::command sum{"EVAL", views, std::to_string(minutes)};
    for (minute ago = 0; ago < minutes; ++ago)
      sum.push_back(of.types.key(now - ago));
    all.ask(std::move(sum), [this, since_midnight](const auto& list) {
      std::vector<std::optional<std::int64_t>> newest_first;
      for (const auto& n : list.items) {
        const auto at = now - static_cast<minute>(newest_first.size());
        const bool known = dashboard::number_in(n) || (types_since && *types_since <= at);
        newest_first.push_back(known ? std::optional{dashboard::count_in(n)} : std::nullopt);
      }
      if (newest_first.size() <= curve_minutes) return;
      for (minute ago = 0; ago < since_midnight; ++ago)
        if (const auto n = newest_first[static_cast<std::size_t>(ago)]) today = today.value_or(0) + *n;
      last_minute = newest_first[1]; // the one that goes on is not whole
      per_minute.assign(newest_first.begin() + 1, newest_first.begin() + 1 + curve_minutes);
      std::reverse(per_minute.begin(), per_minute.end());
    });
  }

  void ask_pages(reading& all, const std::string& place, int minutes, int kept_s) {
    if (!of.pages) return;
    all.ask(ask_top(prefix + place, kept_s, now_ms, minutes, of.pages, pages_since),
            [this, place, minutes](const auto& got) {
              tables[place] = top_pages(std::to_string(minutes) + " minutes", read_top(got));
            });
  }

  void ask_hour(reading& all, const std::string& place, const minute_sets& sets, int kept_s,
                const std::string& title, const std::string& what, const std::string& empty) {
    if (!sets) return;
    all.ask(ask_top(prefix + place, kept_s, now_ms, 60, sets, {}),
            [this, place, title, what, empty](const auto& got) {
              tables[place] = tops(title + ", last 60 minutes", what, read_top(got), empty);
            });
  }

  void show_day(const std::vector<ranked>& all, int hours) {
    tables["c:day"] = top_pages("24 hours", all,
                                hours < 24 ? "of the last " + std::to_string(hours) + " hours so far" : "");
  }

  /// `hours`: how many the sum held when it was made.
  result<void> ask_day(redis::client& redis, reading& all, int& hours) {
    const day_top day{prefix, of.pages};
    bool gone = false;
    all.ask(day.ask(), [&](const auto& got) {
      gone = got.items.empty();
      if (!gone) show_day(read_top(got), hours);
    });
    if (auto done = all.carry_out(redis); !done) return done;
    if (!gone) return {};
    auto made = day.refresh(redis, now_ms, pages_since);
    if (!made) return made.failure();
    hours = made->hours;
    show_day(made->top, hours);
    return {};
  }

  result<json> read(redis::client& redis, memory& kept) {
    const auto first_page = kept.first.of(of.pages, redis, prefix + "first:", now);
    const auto first_type = kept.first.of(of.types, redis, prefix + "first:", now);
    if (!first_page) return first_page.failure();
    if (!first_type) return first_type.failure();
    pages_since = *first_page;
    types_since = *first_type;
    reading all;
    ask_visitors(all);
    ask_views(all);
    ask_pages(all, "a:5m", 5, 1);
    ask_pages(all, "b:30m", 30, 10);
    ask_hour(all, "d:types", of.types, 5, "Events by type", "Type", "No event came.");
    ask_hour(all, "e:searches", of.searches, 10, "Searches", "Term", "Nothing was searched for.");
    if (auto done = of.pages ? ask_day(redis, all, kept.hours) : all.carry_out(redis); !done)
      return done.failure();
    json shown{{"title", "Live"}, {"tables", json::array()}, {"series", json::array()}};
    shown["tiles"] = {dashboard::tile("Visitors, last 5 minutes", "count", visitors),
                      dashboard::tile("Views, last whole minute", "count", last_minute),
                      dashboard::tile("Views today (UTC)", "count", today)};
    if (!per_minute.empty())
      shown["series"].push_back(
          dashboard::curve("Views per minute", (now - curve_minutes) * 60'000, 60'000, per_minute));
    for (auto& [place, table] : tables)
      shown["tables"].push_back(std::move(table));
    return shown;
  }
};

} // namespace

dashboard::panel live_panel() {
  return {"live",
          [](const config::settings& s) {
            const auto of = counted_by(s);
            return of.pages || of.types;
          },
          [kept = memory{}](redis::client& redis, const config::settings& s,
                            std::int64_t now_ms) mutable -> result<json> {
            auto shown = page{s, now_ms}.read(redis, kept);
            if (shown) (*shown)["at"] = now_ms;
            return shown;
          }};
}

} // namespace analytics

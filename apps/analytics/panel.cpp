#include "apps/analytics/panel.hpp"

#include "apps/analytics/top.hpp"
#include "apps/dashboard/panel_parts.hpp"
#include "engine/aggregate/event_time.hpp"
#include "engine/aggregate/template_key.hpp"

#include <algorithm>
#include <numeric>

namespace analytics {
namespace {

using nlohmann::json;
using troupe::result;
using troupe::aggregate::minute;
using troupe::redis::command;
namespace config = troupe::config;
namespace dashboard = troupe::dashboard;

constexpr int visitor_minutes = 5, curve_minutes = 60, day_minutes = 24 * 60;

/// What the config counts by the minute, as far as it does.
struct counted {
  minute_key pages, types, searches;
  bool sessions = false;
};

minute_key key_of(const config::aggregate_actor& a) {
  return [into = troupe::aggregate::template_key{a.per_minute->into, "{minute}"}](minute m) {
    return into.with(troupe::aggregate::shown(m));
  };
}

bool asks_for(const config::aggregate_actor& a, const std::string& type) {
  return a.where == std::vector<std::pair<std::string, std::string>>{{"/type", type}};
}

counted counted_by(const config::settings& s) {
  counted all;
  all.sessions = dashboard::worker_with(s, "analytics.session_seen") != nullptr;
  for (const auto& actor : s.actors) {
    if (const auto* a = std::get_if<config::aggregate_actor>(&actor.kind); a && a->per_minute) {
      if (asks_for(*a, "page_view")) all.pages = key_of(*a);
      if (asks_for(*a, "search")) all.searches = key_of(*a);
      if (a->where.empty() && a->count_by == "/type") all.types = key_of(*a);
    }
  }
  return all;
}

// The views of each minute. KEYS: the minutes' events by type.
constexpr const char* views = R"lua(
local all = {}
for i = 1, #KEYS do all[i] = redis.call('ZSCORE', KEYS[i], 'page_view') or '0' end
return all
)lua";

/// One reading of Redis: questions with what is to be made of their answers.
class reading {
public:
  using use = std::function<void(const troupe::redis::reply&)>;
  void ask(command what, use then) {
    questions_.push_back(std::move(what));
    uses_.push_back(std::move(then));
  }
  result<void> carry_out(troupe::redis::client& redis) {
    const auto got = dashboard::ask_all(redis, std::move(questions_));
    if (!got) return got.failure();
    for (std::size_t i = 0; i < uses_.size(); ++i)
      uses_[i](got->at(i));
    return {};
  }

private:
  std::vector<command> questions_;
  std::vector<use> uses_;
};

json tops(std::string title, const std::string& what,
          const std::vector<std::pair<std::string, std::int64_t>>& all, std::string empty,
          std::string note = {}) {
  std::vector<dashboard::cells> rows;
  for (const auto& [name, n] : all)
    rows.push_back({name, static_cast<double>(n) / static_cast<double>(all.front().second), n});
  return dashboard::table(std::move(title), {{what, "text"}, {"", "bar"}, {"Events", "count"}},
                          std::move(rows), std::move(empty), std::move(note));
}

/// The panel while it is read: what it asks fills it in.
struct page {
  page(const config::settings& s, std::int64_t ms)
      : now{ms / 60'000}, prefix{"tr:{" + s.app + "}:live:"}, of{counted_by(s)} {}

  minute now;
  std::string prefix;
  counted of;
  std::optional<std::int64_t> visitors, last_minute, today;
  std::vector<std::int64_t> per_minute;
  std::map<std::string, json> tables; ///< by where they stand

  void ask_visitors(reading& all) {
    if (!of.sessions) return;
    command count{"PFCOUNT"};
    for (minute ago = 0; ago < visitor_minutes; ++ago)
      count.push_back("sessions:" + troupe::aggregate::shown(now - ago));
    all.ask(std::move(count), [this](const auto& n) { visitors = n.integer; });
  }

  void ask_views(reading& all) {
    if (!of.types) return;
    const auto since_midnight = now % day_minutes + 1;
    const auto minutes = std::max<minute>(since_midnight, curve_minutes + 1);
    command sum{"EVAL", views, std::to_string(minutes)};
    for (minute ago = 0; ago < minutes; ++ago)
      sum.push_back(of.types(now - ago));
    all.ask(std::move(sum), [this, since_midnight](const auto& list) {
      std::vector<std::int64_t> newest_first;
      for (const auto& n : list.items)
        newest_first.push_back(dashboard::count_in(n));
      if (newest_first.size() <= curve_minutes) return;
      last_minute = newest_first[1]; // the one that goes on is not whole
      const auto begin = newest_first.begin();
      today = std::accumulate(begin, begin + since_midnight, std::int64_t{0});
      per_minute.assign(begin + 1, begin + 1 + curve_minutes);
      std::reverse(per_minute.begin(), per_minute.end());
    });
  }

  void ask_top_of(reading& all, const std::string& place, const minute_key& key, int minutes, int kept_s,
                  std::string title, std::string what, std::string empty) {
    if (!key) return;
    all.ask(ask_top(prefix + place, kept_s, now, minutes, key),
            [this, place, title = std::move(title), what = std::move(what), empty = std::move(empty)](
                const auto& got) { tables[place] = tops(title, what, read_top(got), empty); });
  }

  void show_day(const std::vector<std::pair<std::string, std::int64_t>>& all, int hours) {
    tables["c:day"] = tops("Top pages, last 24 hours", "Page", all, "No page was viewed.",
                           hours < 24 ? "of the last " + std::to_string(hours) + " hours so far" : "");
  }

  /// `hours`: how many the sum held when it was made.
  result<void> ask_day(troupe::redis::client& redis, reading& all, int& hours) {
    const day_top day{prefix, of.pages};
    bool gone = false;
    all.ask(day.ask(), [&](const auto& got) {
      gone = got.items.empty();
      if (!gone) show_day(read_top(got), hours);
    });
    if (auto done = all.carry_out(redis); !done) return done;
    if (!gone) return {};
    auto made = day.refresh(redis, now);
    if (!made) return made.failure();
    hours = made->hours;
    show_day(made->top, hours);
    return {};
  }

  result<json> read(troupe::redis::client& redis, int& hours) {
    reading all;
    ask_visitors(all);
    ask_views(all);
    const std::string no_page = "No page was viewed.";
    ask_top_of(all, "a:5m", of.pages, 5, 1, "Top pages, last 5 minutes", "Page", no_page);
    ask_top_of(all, "b:30m", of.pages, 30, 10, "Top pages, last 30 minutes", "Page", no_page);
    ask_top_of(all, "d:types", of.types, 60, 5, "Events by type, last 60 minutes", "Type", "No event came.");
    ask_top_of(all, "e:searches", of.searches, 60, 10, "Searches, last 60 minutes", "Term",
               "Nothing was searched for.");
    if (auto done = of.pages ? ask_day(redis, all, hours) : all.carry_out(redis); !done)
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
          [hours = 24](troupe::redis::client& redis, const config::settings& s,
                       std::int64_t now_ms) mutable -> result<json> {
            auto shown = page{s, now_ms}.read(redis, hours);
            if (shown) (*shown)["at"] = now_ms;
            return shown;
          }};
}

} // namespace analytics

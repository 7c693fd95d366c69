#include "apps/command/top.hpp"

#include "apps/command/app_state.hpp"
#include "apps/command/exit_code.hpp"
#include "apps/command/screen.hpp"
#include "apps/command/signals.hpp"
#include "apps/command/words.hpp"

#include <algorithm>
#include <cstdio>

namespace troupe {
namespace {

constexpr milliseconds refreshed_every{1000};

/// What was seen last, and since when nothing newer comes.
struct view {
  std::optional<state::overview> seen;
  std::vector<actor_row> rows;
  std::string trouble;
};

std::string heading(const config::settings& s, const view& v) {
  if (!v.seen) return s.app + "   " + v.trouble;
  double rate = 0;
  for (const auto& r : v.rows)
    if (r.seen) rate += r.seen->per_second.value_or(0);
  std::string text = s.app + "   " + std::to_string(v.seen->live) + '/' + std::to_string(v.seen->expected) +
                     " instances   " + words::rate(v.seen->live > 0 ? std::optional{rate} : std::nullopt) +
                     " ev/s   " + rfc3339(v.seen->at_ms).substr(11, 8) + " UTC";
  if (!v.trouble.empty()) text += "   as of then: " + v.trouble;
  return text;
}

std::string retries(const state::overview& o) {
  if (o.retries.empty()) return {};
  std::vector<std::vector<std::string>> cells{{"RETRY OF", "EVENT", "DUE IN", "ATTEMPT", "ERROR"}};
  for (std::size_t i = 0; i < std::min<std::size_t>(o.retries.size(), 10); ++i) {
    const auto& r = o.retries[i];
    const auto due = std::max<double>(0, static_cast<double>(r.due_ms - o.at_ms) / 1000);
    cells.push_back({r.actor, r.topic + '/' + std::to_string(r.partition) + '/' + std::to_string(r.offset),
                     words::span(due), r.attempt ? std::to_string(*r.attempt) : std::string{words::unknown},
                     words::clipped(r.error, 100)});
  }
  return '\n' + words::table(cells);
}

std::string page(const config::settings& s, const view& v) {
  auto text = heading(s, v) + "\n\n";
  if (!v.seen) return text;
  return text + shown(v.rows, *v.seen) + '\n' + shown_instances(*v.seen) + retries(*v.seen) + "\nq quits\n";
}

class watch {
public:
  watch(const config::settings& s, std::shared_ptr<redis::client> redis)
      : settings_{s}, reader_{std::move(redis), s.app}, kafka_{s} {}
  void look(view& v) {
    auto seen = reader_.read(wall_ms());
    v.trouble = seen ? "" : seen.failure().detail;
    if (!seen) return; // what was seen last stays, with its time
    v.rows = rows_of(settings_, *seen);
    fill_lag(v.rows, settings_, kafka_, seen->at_ms);
    v.seen = std::move(*seen);
  }

private:
  const config::settings& settings_;
  state::reader reader_;
  group_watch kafka_;
};

int stream(watch& from) {
  signals incoming;
  for (;;) {
    view v;
    from.look(v);
    if (!v.seen) return complain("top", {errc::unavailable, v.trouble});
    std::fputs(text_of(as_json(v.rows, *v.seen)).c_str(), stdout);
    if (std::fflush(stdout) != 0) return exit_code::done; // nobody reads any more
    if (incoming.wait(refreshed_every) == signals::event::stop) return exit_code::done;
  }
}

int full_screen(const config::settings& s, watch& from) {
  signals incoming; // so that Ctrl-C leaves the terminal as it was
  const auto on = screen::open();
  if (!on)
    return complain("top", {errc::usage, "it needs a terminal; `troupe status` or `top --json` do not"});
  view v;
  for (;;) {
    from.look(v);
    on->draw(page(s, v));
    for (const auto until = std::chrono::steady_clock::now() + refreshed_every;;) {
      const auto left = std::chrono::duration_cast<milliseconds>(until - std::chrono::steady_clock::now());
      if (left.count() <= 0) break;
      const auto got = on->wait(left);
      if (incoming.wait(milliseconds{0}) == signals::event::stop) return exit_code::done;
      if (got.what == screen::event::key && (got.key == 'q' || got.key == 'Q')) return exit_code::done;
      if (got.what == screen::event::resized) on->draw(page(s, v));
    }
  }
}

} // namespace

int top(const operation_arguments& from, const handlers& h) {
  const auto app = load_app(from, h);
  if (!app.settings) return app.exit_code;
  auto redis = open_redis(*app.settings);
  if (!redis) return complain("top", redis.failure());
  watch looking{*app.settings, *redis};
  return from.json ? stream(looking) : full_screen(*app.settings, looking);
}

} // namespace troupe

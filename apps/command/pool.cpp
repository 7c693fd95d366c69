#include "apps/command/pool.hpp"

#include "apps/command/app_state.hpp"
#include "apps/command/exit_code.hpp"
#include "apps/command/words.hpp"
#include "apps/dashboard/pool_orders.hpp"
#include "engine/core/user.hpp"
#include "engine/state/control.hpp"

#include <cstdio>
#include <thread>

namespace troupe {
namespace {

constexpr milliseconds look_every{100};

using answers = std::map<std::string, state::answer>;

/// The answers of these instances, as many as come in time.
result<answers> wait_for(redis::client& redis, const state::layout& keys, const state::order& o,
                         const std::vector<std::string>& instances) {
  for (;;) {
    auto got = state::answers_to(redis, keys, o.id);
    if (!got) return got.failure();
    if (all_answered(*got, instances) || wall_ms() >= o.deadline_ms) return got;
    std::this_thread::sleep_for(look_every);
  }
}

std::string in_words_of(const state::answer& a) {
  if (!a.runs_it) return "it runs no such pool";
  if (!a.done) return "refused: " + a.text;
  if (!a.text.empty()) return a.text;
  return a.before == a.after ? a.after + " (as before)" : a.before + " → " + a.after;
}

nlohmann::json as_json(const state::order& o, const state::given& was, const std::vector<std::string>& live,
                       const answers& got) {
  nlohmann::json j{{"schema", 1},
                   {"at", rfc3339(o.at_ms)},
                   {"id", o.id},
                   {"actor", o.actor},
                   {"action", name_of(o.what)},
                   {"by", o.by},
                   {"before", in_words(was.before)},
                   {"after", in_words(was.after)}};
  j["instances"] = nlohmann::json::array();
  for (const auto& i : live) {
    const auto at = got.find(i);
    nlohmann::json one{{"id", i}, {"answered", at != got.end()}};
    if (at != got.end()) {
      one["done"] = at->second.done;
      one["runs_it"] = at->second.runs_it;
      one["before"] = at->second.before;
      one["after"] = at->second.after;
      one["text"] = at->second.text;
    }
    j["instances"].push_back(std::move(one));
  }
  return j;
}

void show(const state::order& o, const state::given& was, const std::vector<std::string>& live,
          const answers& got) {
  std::printf("%s %s: %s → %s\n", name_of(o.what).c_str(), o.actor.c_str(), in_words(was.before).c_str(),
              in_words(was.after).c_str());
  std::vector<std::vector<std::string>> rows;
  for (const auto& i : live) {
    const auto at = got.find(i);
    rows.push_back({"  " + i, at == got.end()
                                  ? "no answer within 5s; it takes effect when the process hears of it"
                                  : in_words_of(at->second)});
  }
  std::fputs(words::table(rows).c_str(), stdout);
  if (live.empty()) std::fputs("no process is running: it takes effect when one is started\n", stderr);
}

} // namespace

int pool(const pool_arguments& from, const handlers& h) {
  const auto app = load_app(from.app, h);
  if (!app.settings) return app.exit_code;
  if (const auto why = objection(*app.settings, from.action, from.actor, from.workers))
    return complain("pool", {errc::usage, *why});
  auto redis = open_redis(*app.settings);
  if (!redis) return complain("pool", redis.failure());
  const state::layout keys{app.settings->app};
  const auto seen = state::reader{*redis, app.settings->app}.read(wall_ms());
  if (!seen) return complain("pool", seen.failure());
  const auto live = live_instances(*seen);
  const auto o = new_order(from.action, from.actor, from.workers, from.by.empty() ? this_user() : from.by);
  const auto was = state::give(**redis, keys, o);
  if (!was) return complain("pool", was.failure());
  const auto got = wait_for(**redis, keys, o, live);
  if (!got) return complain("pool", got.failure());
  if (const auto kept = state::conclude(**redis, keys, o, outcome_of(*got, live)); !kept)
    return complain("pool", kept.failure());
  if (from.app.json)
    std::fputs(text_of(as_json(o, *was, live, *got)).c_str(), stdout);
  else
    show(o, *was, live, *got);
  return done_in(*got, live) == live.size() ? exit_code::done : exit_code::check_failed;
}

} // namespace troupe

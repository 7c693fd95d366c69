#include "apps/command/pool.hpp"

#include "apps/command/app_state.hpp"
#include "apps/command/exit_code.hpp"
#include "apps/command/words.hpp"
#include "engine/core/user.hpp"
#include "engine/core/uuid.hpp"
#include "engine/state/control.hpp"

#include <algorithm>
#include <cstdio>
#include <thread>

namespace troupe {
namespace {

constexpr milliseconds patience{5000};
constexpr milliseconds look_every{100};

/// Why it cannot be done, by the file.
std::optional<std::string> objection(const pool_arguments& from, const config::settings& s) {
  const auto at =
      std::find_if(s.actors.begin(), s.actors.end(), [&](const auto& a) { return a.name == from.actor; });
  if (at == s.actors.end()) {
    std::string names;
    for (const auto& a : s.actors)
      if (std::holds_alternative<config::worker_actor>(a.kind)) names += (names.empty() ? "" : ", ") + a.name;
    return "the config has no actor '" + from.actor +
           "'; those with a pool: " + (names.empty() ? "none" : names);
  }
  const auto* w = std::get_if<config::worker_actor>(&at->kind);
  if (!w) return "'" + from.actor + "' has no pool: only actors with a handler and `consume` have one";
  if ((from.action == "resize") != from.workers.has_value())
    return from.workers ? from.action + " takes no number" : "resize needs the number of workers";
  if (from.workers && (*from.workers < 1 || *from.workers > w->pool.max_workers))
    return "'" + from.actor + "' can have 1 to " + std::to_string(w->pool.max_workers) +
           " workers; more need a higher pool.max_workers in its file";
  return std::nullopt;
}

using answers = std::map<std::string, state::answer>;

/// The answers of these instances, as many as come in time.
result<answers> wait_for(redis::client& redis, const state::layout& keys, const state::order& o,
                         const std::vector<std::string>& instances) {
  for (;;) {
    auto got = state::answers_to(redis, keys, o.id);
    if (!got) return got.failure();
    const bool all =
        std::all_of(instances.begin(), instances.end(), [&](const auto& i) { return got->contains(i); });
    if (all || wall_ms() >= o.deadline_ms) return got;
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
  if (const auto why = objection(from, *app.settings)) return complain("pool", {errc::usage, *why});
  auto redis = open_redis(*app.settings);
  if (!redis) return complain("pool", redis.failure());
  const state::layout keys{app.settings->app};
  const auto now = wall_ms();
  const auto seen = state::reader{*redis, app.settings->app}.read(now);
  if (!seen) return complain("pool", seen.failure());
  std::vector<std::string> live;
  for (const auto& i : seen->instances)
    if (i.presence == state::presence::live) live.push_back(i.id);

  const state::order o{random_uuid(),         *state::action_named(from.action),       from.actor,
                       from.workers,          from.by.empty() ? this_user() : from.by, now,
                       now + patience.count()};
  const auto was = state::give(**redis, keys, o);
  if (!was) return complain("pool", was.failure());
  const auto got = wait_for(**redis, keys, o, live);
  if (!got) return complain("pool", got.failure());
  const auto well = std::count_if(live.begin(), live.end(), [&](const auto& i) {
    const auto at = got->find(i);
    return at != got->end() && at->second.done;
  });
  const auto outcome = std::to_string(well) + " of " + std::to_string(live.size()) + " processes did it";
  if (const auto kept = state::conclude(**redis, keys, o, outcome); !kept)
    return complain("pool", kept.failure());
  if (from.app.json)
    std::fputs(text_of(as_json(o, *was, live, *got)).c_str(), stdout);
  else
    show(o, *was, live, *got);
  return well == static_cast<std::ptrdiff_t>(live.size()) ? exit_code::done : exit_code::check_failed;
}

} // namespace troupe

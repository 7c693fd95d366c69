#include "apps/command/lag.hpp"

#include "apps/command/app_state.hpp"
#include "apps/command/exit_code.hpp"
#include "apps/command/words.hpp"

#include <cstdio>

namespace troupe {
namespace {

using nlohmann::json;

struct lag_row {
  std::string actor, group;
  kafka::standing at;
  std::int64_t lag = 0;
  std::optional<double> behind_s;
  std::optional<state::blocker> blocked;
};

/// What a live process says of it; nothing where it speaks of another time.
std::optional<state::blocker> blocker_of(const std::string& group, const topic_partition& where,
                                         const std::optional<state::overview>& seen) {
  if (!seen) return std::nullopt;
  for (const auto& p : seen->partitions)
    if (p.group == group && p.topic == where.topic && p.partition == where.partition &&
        seen->at_ms - p.at_ms <= state::stale_after.count())
      return p.blocked;
  return std::nullopt;
}

std::string blocked_cell(const lag_row& r, std::int64_t now) {
  if (!r.blocked) return {};
  return std::to_string(r.blocked->offset) + " for " +
         words::span(static_cast<double>(now - r.blocked->since_ms) / 1000) + ": " +
         words::clipped(r.blocked->why, 120);
}

std::string shown(const std::vector<lag_row>& rows, std::int64_t now) {
  std::vector<std::vector<std::string>> cells{
      {"ACTOR", "GROUP", "TOPIC", "PARTITION", "COMMITTED", "END", "LAG", "BEHIND", "BLOCKED BY"}};
  for (const auto& r : rows)
    cells.push_back({r.actor, r.group, r.at.where.topic, std::to_string(r.at.where.partition),
                     words::count(r.at.committed), words::count(r.at.log.high), words::count(r.lag),
                     words::span(r.behind_s), blocked_cell(r, now)});
  return words::table(cells);
}

json as_json(const std::vector<lag_row>& rows, std::int64_t now) {
  json all{{"schema", 1}, {"at", rfc3339(now)}, {"partitions", json::array()}};
  for (const auto& r : rows) {
    json one{{"actor", r.actor},
             {"group", r.group},
             {"topic", r.at.where.topic},
             {"partition", r.at.where.partition},
             {"committed", known(r.at.committed)},
             {"start", r.at.log.low},
             {"end", r.at.log.high},
             {"lag", r.lag},
             {"behind_s", known(r.behind_s)},
             {"blocked", nullptr}};
    if (r.blocked)
      one["blocked"] = {
          {"offset", r.blocked->offset}, {"since", rfc3339(r.blocked->since_ms)}, {"why", r.blocked->why}};
    all["partitions"].push_back(std::move(one));
  }
  return all;
}

} // namespace

int lag(const operation_arguments& from, const handlers& h) {
  const auto app = load_app(from, h);
  if (!app.settings) return app.exit_code;
  group_watch kafka{*app.settings};
  const auto found = kafka.look({}, milliseconds{10'000});
  if (!found) return complain("lag", found.failure());
  const auto now = wall_ms();
  std::optional<state::overview> seen;
  if (app.settings->names_redis) {
    auto redis = open_redis(*app.settings);
    auto read =
        redis ? state::reader{*redis, app.settings->app}.read(now) : result<state::overview>{redis.failure()};
    if (read)
      seen = std::move(*read);
    else
      std::fprintf(stderr, "what blocks a partition is not known: %s\n", read.failure().detail.c_str());
  }
  std::vector<lag_row> rows;
  for (const auto& a : app.settings->actors) {
    const auto at = found->find(a.name);
    if (at == found->end()) continue;
    const auto& consume = *consume_of(a);
    for (const auto& s : at->second)
      rows.push_back({a.name, consume.group, s, lag_of(s, consume.start), behind_of(s, consume.start, now),
                      blocker_of(consume.group, s.where, seen)});
  }
  std::fputs((from.json ? text_of(as_json(rows, now)) : shown(rows, now)).c_str(), stdout);
  return exit_code::done;
}

} // namespace troupe

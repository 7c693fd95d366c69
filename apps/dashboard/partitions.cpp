#include "apps/dashboard/partitions.hpp"

#include "apps/dashboard/actor_facts.hpp"
#include "apps/dashboard/figures.hpp"
#include "apps/dashboard/group_watch.hpp"

#include <algorithm>

namespace troupe::dashboard {
namespace {

using nlohmann::json;

/// An answer of Kafka older than this says nothing of now.
constexpr std::int64_t kafka_stale_ms = 15'000;

std::string name_of(const std::string& group, const std::string& topic, std::int32_t number) {
  return group + '/' + topic + '/' + std::to_string(number);
}

partition told(const state::partition_view& p, const state::overview& o, bool kafka_up) {
  partition made{{{"at", p.at_ms}}, {}, {}};
  auto& j = made.shown;
  put(j, "committed", p.committed);
  put(j, "start", p.start);
  if (!p.source.empty()) j["source"] = p.source;
  if (kafka_up) put(j, "end", p.end);
  if (!is_fresh(p, o)) return made;
  if (p.blocked)
    j["blocked"] = {{"offset", p.blocked->offset}, {"since", p.blocked->since_ms}, {"why", p.blocked->why}};
  if (!kafka_up) return made; // where the log ends by now nobody knows
  made.lag = p.lag();
  made.behind_s = p.behind_s(o.at_ms);
  return made;
}

partition asked(const kafka::standing& s, config::start_at start, const kafka_view& kafka,
                std::int64_t now_ms) {
  partition made{{{"at", kafka.at_ms}, {"start", s.log.low}, {"end", s.log.high}}, {}, {}};
  put(made.shown, "committed", s.committed);
  made.lag = lag_of(s, start);
  made.behind_s = behind_of(s, start, now_ms);
  return made;
}

} // namespace

bool is_fresh(const state::partition_view& p, const state::overview& o) {
  return o.at_ms - p.at_ms <= state::stale_after.count();
}

partitions partitions_of(const config::settings& s, const state::overview& o, const kafka_view& kafka) {
  partitions all;
  for (const auto& p : o.partitions)
    all.emplace(name_of(p.group, p.topic, p.partition), told(p, o, kafka.up));
  if (!kafka.up || o.at_ms - kafka.at_ms > kafka_stale_ms) return all;
  for (const auto& a : s.actors) {
    const auto at = kafka.standings.find(a.name);
    if (at == kafka.standings.end()) continue;
    const auto& consume = *consume_of(a);
    for (const auto& standing : at->second) {
      auto& one = all[name_of(consume.group, standing.where.topic, standing.where.partition)];
      if (!one.lag) one = asked(standing, consume.start, kafka, o.at_ms);
    }
  }
  return all;
}

void add_lag(json& j, const config::actor& a, const state::overview& o, const kafka_view& kafka,
             const partitions& all) {
  const auto& group = consume_of(a)->group;
  std::optional<std::int64_t> lag;
  std::optional<double> behind;
  bool lag_known = true, behind_known = true;
  const auto add = [&](const std::string& topic, std::int32_t number) {
    const auto& p = all.at(name_of(group, topic, number));
    if (p.lag)
      lag = lag.value_or(0) + *p.lag;
    else
      lag_known = false;
    if (p.behind_s)
      behind = std::max(behind.value_or(0), *p.behind_s);
    else
      behind_known = false;
  };
  const auto at = kafka.standings.find(a.name);
  const bool listed = at != kafka.standings.end() && kafka.up && o.at_ms - kafka.at_ms <= kafka_stale_ms;
  if (listed)
    for (const auto& p : at->second)
      add(p.where.topic, p.where.partition);
  for (const auto& p : o.partitions) {
    if (!reads(a, p.group, p.topic)) continue;
    const bool counted =
        listed && std::any_of(at->second.begin(), at->second.end(), [&](const kafka::standing& s) {
          return s.where.topic == p.topic && s.where.partition == p.partition;
        });
    // One of long ago that Kafka does not have is none.
    if (!counted && (!listed || is_fresh(p, o))) add(p.topic, p.partition);
  }
  if (lag_known) put(j, "lag", lag);
  if (lag_known && behind_known) put(j, "behind_s", behind);
}

} // namespace troupe::dashboard

#include "apps/dashboard/group_watch.hpp"

#include "apps/dashboard/actor_facts.hpp"

#include <algorithm>

namespace troupe {
namespace {

std::int64_t first_wanted(const kafka::standing& s, config::start_at start) {
  const auto begin = s.committed.value_or(start == config::start_at::latest ? s.log.high : s.log.low);
  return std::max(begin, s.log.low);
}

} // namespace

kafka::connection connection_of(const config::settings& s) {
  return {s.kafka.brokers, s.kafka.properties, s.kafka.consumer, s.kafka.producer, false};
}

result<std::map<std::string, std::vector<kafka::standing>>>
group_watch::look(const std::vector<std::string>& actors, milliseconds timeout) {
  std::map<std::string, std::vector<kafka::standing>> all;
  if (settings_.kafka.embedded())
    return error{errc::bad_config,
                 "kafka.brokers is embedded: that broker lives in its process, and ends with it"};
  for (const auto& a : settings_.actors) {
    const auto* consume = consume_of(a);
    const bool wanted = actors.empty() || std::find(actors.begin(), actors.end(), a.name) != actors.end();
    if (!consume || !wanted) continue;
    auto& observer = observers_[consume->group];
    if (!observer) {
      auto opened = kafka::observer::open(connection_of(settings_), consume->group);
      if (!opened) return opened.failure();
      observer = std::move(opened).value();
    }
    const auto where = observer->partitions(read_topics_of(a), timeout);
    if (!where) return where.failure();
    auto standings = observer->standings(*where, consume->start == config::start_at::latest, timeout);
    if (!standings) return standings.failure();
    all[a.name] = std::move(*standings);
  }
  return all;
}

std::int64_t lag_of(const kafka::standing& s, config::start_at start) {
  return std::max<std::int64_t>(0, s.log.high - first_wanted(s, start));
}

std::optional<double> behind_of(const kafka::standing& s, config::start_at start, std::int64_t now_ms) {
  if (lag_of(s, start) == 0) return 0.0;
  if (!s.oldest_ms) return std::nullopt;
  return static_cast<double>(std::max<std::int64_t>(0, now_ms - *s.oldest_ms)) / 1000;
}

} // namespace troupe

#include "apps/dashboard/actor_facts.hpp"

#include "engine/config/values.hpp"

#include <algorithm>

namespace troupe {

std::string kind_of(const config::actor& a) {
  if (std::holds_alternative<config::worker_actor>(a.kind)) return "handler";
  if (std::holds_alternative<config::aggregate_actor>(a.kind)) return "aggregate";
  return std::holds_alternative<config::ingest_actor>(a.kind) ? "ingest" : "generate";
}

const config::consume* consume_of(const config::actor& a) {
  if (const auto* w = std::get_if<config::worker_actor>(&a.kind)) return &w->consume;
  if (const auto* c = std::get_if<config::aggregate_actor>(&a.kind)) return &c->consume;
  return nullptr;
}

std::vector<std::string> read_topics_of(const config::actor& a) {
  const auto* consume = consume_of(a);
  if (!consume) return {};
  auto all = consume->topics;
  if (std::holds_alternative<config::worker_actor>(a.kind) && !consume->is_pattern())
    for (const auto& topic : consume->topics)
      all.push_back(topic + '.' + a.name + ".replay");
  return all;
}

bool buries_in(const config::actor& a, const std::string& topic) {
  const auto* w = std::get_if<config::worker_actor>(&a.kind);
  if (!w) return false;
  return w->dlq.topic.empty() ? topic.ends_with('.' + a.name + ".dlq") : topic == w->dlq.topic;
}

bool reads(const config::actor& a, const std::string& group, const std::string& topic) {
  const auto* consume = consume_of(a);
  if (!consume || consume->group != group) return false;
  if (std::holds_alternative<config::worker_actor>(a.kind) && topic.ends_with('.' + a.name + ".replay"))
    return true;
  return std::any_of(consume->topics.begin(), consume->topics.end(), [&](const auto& t) {
    return t == topic || (t.starts_with('^') && config::pattern_matches(t, topic));
  });
}

} // namespace troupe

#include "engine/deadletters/routes.hpp"

#include "engine/config/values.hpp"
#include "engine/deadletters/letter.hpp"

#include <algorithm>

namespace troupe::deadletters {
namespace {

error refuse(std::string why) {
  return {errc::refused, std::move(why)};
}

/// <source> of <source>.<actor>.dlq.
std::optional<std::string> source_in_name(const std::string& topic, const std::string& actor) {
  const auto suffix = config::default_dlq("", actor);
  if (actor.empty() || !topic.ends_with(suffix) || topic.size() == suffix.size()) return std::nullopt;
  return topic.substr(0, topic.size() - suffix.size());
}

bool reads(const config::consume& who, const std::string& topic) {
  if (who.is_pattern()) return config::pattern_matches(who.topics.front(), topic);
  return std::find(who.topics.begin(), who.topics.end(), topic) != who.topics.end();
}

const config::consume* consume_of(const config::actor& a) {
  if (const auto* w = std::get_if<config::worker_actor>(&a.kind)) return &w->consume;
  if (const auto* c = std::get_if<config::aggregate_actor>(&a.kind)) return &c->consume;
  return nullptr;
}

result<std::string> source_of(const record& letter, const std::string& actor, const config::worker_actor& w) {
  if (w.dlq.topic.empty()) {
    if (auto source = source_in_name(*letter.topic, actor)) return *source;
    return refuse("actor '" + actor + "' of the config writes its dead letters elsewhere");
  }
  if (w.dlq.topic != *letter.topic)
    return refuse("actor '" + actor + "' of the config writes its dead letters to " + w.dlq.topic);
  if (w.consume.topics.size() == 1 && !w.consume.is_pattern()) return w.consume.topics.front();
  // The first hop's topic, which is another one if the event had been a dead letter of someone else before.
  return std::string{header_of(letter, "original-topic").value_or("")};
}

result<route> by_config(const record& letter, const std::string& actor, const config::settings& config,
                        bool alone) {
  const auto who = std::find_if(config.actors.begin(), config.actors.end(), [&](const config::actor& a) {
    return a.name == actor && std::holds_alternative<config::worker_actor>(a.kind);
  });
  if (who == config.actors.end())
    return refuse("the config has no actor '" + actor + "' with a handler, which wrote it");
  const auto& w = std::get<config::worker_actor>(who->kind);
  const auto source = source_of(letter, actor, w);
  if (!source) return source.failure();
  const route way{actor, *source};
  if (source->empty() || !reads(w.consume, *source))
    return refuse("actor '" + actor + "' does not read its source, " +
                  (source->empty() ? "which it does not tell" : *source));
  if (!alone) return way;
  const auto to = way.replay_topic();
  if (w.consume.is_pattern() && !reads(w.consume, to))
    return refuse("the pattern of actor '" + actor + "' does not match " + to +
                  ", so that nobody would read it; widen it, or use --to-source");
  for (const auto& other : config.actors)
    if (const auto* c = consume_of(other); c && other.name != actor && reads(*c, to))
      return refuse("actor '" + other.name + "' would read " + to + " as well");
  return way;
}

bool writes(const std::string& actor, const config::worker_actor& w, const std::string& topic) {
  if (!w.dlq.topic.empty()) return w.dlq.topic == topic;
  const auto source = source_in_name(topic, actor);
  return source && reads(w.consume, *source);
}

} // namespace

std::vector<std::string> writers_of(const config::settings& config, const std::string& topic) {
  std::vector<std::string> names;
  for (const auto& a : config.actors)
    if (const auto* w = std::get_if<config::worker_actor>(&a.kind); w && writes(a.name, *w, topic))
      names.push_back(a.name);
  return names;
}

result<route> routes::of(const record& letter, bool alone) const {
  const std::string actor{header_of(letter, "actor").value_or("")};
  if (actor.empty()) return refuse("it does not say which actor wrote it");
  if (config_) return by_config(letter, actor, *config_, alone);
  const auto source = source_in_name(*letter.topic, actor);
  if (!source)
    return refuse("the topic's name does not tell what actor '" + actor +
                  "' reads; name the config by --config");
  return route{actor, *source};
}

} // namespace troupe::deadletters

#include "engine/config/model.hpp"

#include <algorithm>

namespace troupe::config {
namespace {

void add(std::vector<std::string>& to, const consume& from) {
  if (!from.is_pattern()) to.insert(to.end(), from.topics.begin(), from.topics.end());
}

void add_topics(std::vector<std::string>& to, const std::string& actor, const worker_actor& w) {
  add(to, w.consume);
  if (w.publish) to.push_back(w.publish->topic);
  if (!w.dlq.topic.empty())
    to.push_back(w.dlq.topic);
  else if (!w.consume.is_pattern())
    for (const auto& topic : w.consume.topics)
      to.push_back(default_dlq(topic, actor));
}
void add_topics(std::vector<std::string>& to, const std::string&, const aggregate_actor& a) {
  add(to, a.consume);
}
void add_topics(std::vector<std::string>& to, const std::string&, const ingest_actor& i) {
  to.push_back(i.topic);
}
void add_topics(std::vector<std::string>& to, const std::string&, const generate_actor& g) {
  to.push_back(g.topic);
}

} // namespace

std::string default_dlq(const std::string& topic, const std::string& actor) {
  return topic + "." + actor + ".dlq";
}

std::vector<std::string> topics_of(const settings& s) {
  std::vector<std::string> all;
  for (const auto& a : s.actors)
    std::visit([&](const auto& kind) { add_topics(all, a.name, kind); }, a.kind);
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

} // namespace troupe::config

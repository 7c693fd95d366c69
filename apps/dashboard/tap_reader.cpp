#include "apps/dashboard/tap_reader.hpp"

#include "apps/dashboard/actor_facts.hpp"
#include "apps/dashboard/group_watch.hpp"
#include "engine/kafka/admin.hpp"

#include <algorithm>
#include <utility>

namespace troupe::dashboard {
namespace {

constexpr std::size_t most = 20;
constexpr std::size_t most_topics = 5;
constexpr std::size_t most_partitions = 20; ///< of a topic
constexpr milliseconds patience{3000};

result<std::vector<std::string>> topics_of(const config::settings& s, const config::actor& a) {
  if (const auto* i = std::get_if<config::ingest_actor>(&a.kind)) return std::vector{i->topic};
  if (const auto* g = std::get_if<config::generate_actor>(&a.kind)) return std::vector{g->topic};
  const auto* consume = consume_of(a);
  if (!consume->is_pattern()) return consume->topics;
  auto asked = kafka::admin::open(connection_of(s));
  if (!asked) return asked.failure();
  const auto known = (*asked)->topics(patience);
  if (!known) return known.failure();
  std::vector<std::string> all;
  for (const auto& [name, partitions] : *known)
    if (reads(a, consume->group, name)) all.push_back(name);
  return all;
}

/// The last few of each partition; of many partitions every so manieth.
std::vector<kafka::offset_range> ends_of(const std::map<std::int32_t, kafka::watermarks>& bounds) {
  std::vector<kafka::offset_range> all;
  const auto each =
      static_cast<std::int64_t>(std::max<std::size_t>(2, most / std::max<std::size_t>(1, bounds.size())));
  for (const auto& [number, marks] : bounds)
    if (marks.low < marks.high) all.push_back({number, std::max(marks.low, marks.high - each), marks.high});
  const auto step = (all.size() + most_partitions - 1) / most_partitions;
  std::vector<kafka::offset_range> some;
  for (std::size_t i = 0; i < all.size(); i += std::max<std::size_t>(step, 1))
    some.push_back(all[i]);
  return some;
}

} // namespace

result<std::vector<record>> tap_reader::newest(const config::settings& s, const config::actor& of) {
  if (s.kafka.embedded())
    return error{errc::refused, "kafka.brokers is embedded: that broker lives in its process alone"};
  auto topics = topics_of(s, of);
  if (!topics) return topics.failure();
  if (!reader_ || brokers_ != s.kafka.brokers) {
    auto opened = kafka::topic_reader::open(connection_of(s));
    if (!opened) return opened.failure();
    reader_ = std::move(opened).value();
    brokers_ = s.kafka.brokers;
  }
  topics->resize(std::min(topics->size(), most_topics));
  std::vector<record> found;
  for (const auto& topic : *topics) {
    const auto bounds = reader_->bounds(topic, patience);
    if (!bounds) return bounds.failure();
    const auto name = std::make_shared<const std::string>(topic);
    const auto read = reader_->read(topic, ends_of(*bounds), patience, [&](const kafka::message& m) {
      found.push_back(m.to_record(name));
      return true;
    });
    if (!read) return read.failure();
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const record& a, const record& b) { return a.timestamp_ms > b.timestamp_ms; });
  if (found.size() > most) found.erase(found.begin() + most, found.end());
  return found;
}

} // namespace troupe::dashboard

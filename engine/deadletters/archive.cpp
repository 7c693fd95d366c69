#include "engine/deadletters/archive.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace troupe::deadletters {
namespace {

constexpr milliseconds ask_timeout{10'000};
constexpr milliseconds patience{30'000};

std::vector<kafka::offset_range> whole(const std::map<std::int32_t, kafka::watermarks>& bounds) {
  std::vector<kafka::offset_range> all;
  for (const auto& [partition, marks] : bounds)
    all.push_back({partition, marks.low, marks.high});
  return all;
}

/// No more than what the filter could take.
std::vector<kafka::offset_range> worth_reading(std::vector<kafka::offset_range> all, const filter& which) {
  if (which.among.empty()) return all;
  for (auto& r : all) {
    const auto first = which.among.lower_bound({r.partition, r.begin});
    const auto beyond = which.among.lower_bound({r.partition, r.end});
    r.begin = first == beyond ? r.end : first->second;
    r.end = first == beyond ? r.end : std::prev(beyond)->second + 1;
  }
  std::erase_if(all, [](const auto& r) { return r.begin == r.end; });
  return all;
}

} // namespace

result<std::unique_ptr<archive>> archive::open(const kafka::connection& to) {
  auto reader = kafka::topic_reader::open(to);
  if (!reader) return reader.failure();
  return std::unique_ptr<archive>{new archive{std::move(reader).value()}};
}

result<std::map<std::int32_t, kafka::watermarks>> archive::bounds_of(const std::string& topic) {
  auto bounds = reader_->bounds(topic, ask_timeout);
  if (bounds && bounds->empty())
    return error{errc::usage,
                 "there is no topic " + topic + "; `troupe dlq ls` shows those with dead letters"};
  return bounds;
}

result<std::int32_t> archive::partitions_of(const std::string& topic) {
  const auto bounds = reader_->bounds(topic, ask_timeout);
  if (!bounds) return bounds.failure();
  return static_cast<std::int32_t>(bounds->size());
}

result<void> archive::read(const std::string& topic, const std::vector<kafka::offset_range>& ranges,
                           const std::function<bool(const record&)>& each) {
  const auto name = std::make_shared<const std::string>(topic);
  return reader_->read(topic, ranges, patience,
                       [&](const kafka::message& m) { return each(m.to_record(name)); });
}

result<mark_book> archive::marks_of(const std::string& topic) {
  mark_book book;
  const auto marks = marks_topic(topic);
  const auto bounds = reader_->bounds(marks, ask_timeout);
  if (!bounds) return bounds.failure();
  const auto taken = read(marks, whole(*bounds), [&](const record& event) {
    book.take(event);
    return true;
  });
  if (!taken) return taken.failure();
  return book;
}

result<void> archive::scan(const std::string& topic, const filter& which, const visitor& each) {
  const auto bounds = bounds_of(topic);
  if (!bounds) return bounds.failure();
  // After the bounds: what is marked meanwhile is known.
  const auto marks = marks_of(topic);
  if (!marks) return marks.failure();
  return read(topic, worth_reading(whole(*bounds), which),
              [&](const record& letter) { return !which.takes(letter) || each(letter, marks->of(letter)); });
}

result<contents> archive::look_into(const std::string& topic, const filter& which) {
  contents all;
  causes groups;
  const auto done = scan(topic, which, [&](const record& letter, std::optional<action> resolved) {
    if (!resolved) groups.add(letter);
    ++(!resolved ? all.open : *resolved == action::replayed ? all.replayed : all.discarded);
    return true;
  });
  if (!done) return done.failure();
  all.causes = groups.sorted();
  return all;
}

result<std::optional<record>> archive::event_at(const topic_partition& where, std::int64_t offset) {
  const auto bounds = reader_->bounds(where.topic, ask_timeout);
  if (!bounds) return bounds.failure();
  std::optional<record> event;
  const auto at = bounds->find(where.partition);
  if (at == bounds->end() || offset < at->second.low || offset >= at->second.high) return event;
  const auto done = read(where.topic, {{where.partition, offset, offset + 1}}, [&](const record& one) {
    event = one;
    return false;
  });
  if (!done) return done.failure();
  return event;
}

result<archive::found> archive::find(const std::string& topic, std::int32_t partition, std::int64_t offset) {
  const auto bounds = bounds_of(topic);
  if (!bounds) return bounds.failure();
  const auto none = [&](const std::string& why) {
    return error{errc::usage, "no dead letter at " + topic + '/' + std::to_string(partition) + '/' +
                                  std::to_string(offset) + ": " + why};
  };
  const auto at = bounds->find(partition);
  if (at == bounds->end())
    return none("the topic has " + std::to_string(bounds->size()) + " partitions, from 0 on");
  auto event = event_at({topic, partition}, offset);
  if (!event) return event.failure();
  if (!*event)
    return none("the partition holds offsets from " + std::to_string(at->second.low) + " to before " +
                std::to_string(at->second.high));
  const auto marks = marks_of(topic);
  if (!marks) return marks.failure();
  auto resolved = marks->of(**event);
  return found{std::move(**event), resolved};
}

} // namespace troupe::deadletters

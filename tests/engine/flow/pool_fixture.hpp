#pragma once

#include "engine/flow/dispatcher.hpp"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace troupe::flow {

inline record_ptr make_event(partition_index partition, std::int64_t offset, std::optional<std::string> key) {
  static const auto topic = std::make_shared<const std::string>("orders");
  auto e = std::make_shared<record>();
  e->topic = topic;
  e->partition = static_cast<std::int32_t>(partition);
  e->offset = offset;
  e->key = std::move(key);
  return e;
}

inline outgoing to(std::string topic, std::optional<std::string> key = {},
                   std::optional<std::string> value = {}) {
  outgoing o;
  o.topic = std::move(topic);
  o.key = std::move(key);
  o.value = std::move(value);
  return o;
}

/// A dispatcher with a clock that the test turns, and what it asked for.
struct Pool : testing::Test {
  Pool() {
    rules.retry = {
        .attempts = 3, .backoff = policy::backoff_kind::constant, .initial = milliseconds{100}, .jitter = 0};
    rules.breaker = {.failure_ratio = 1, .over = 1000, .open_for = milliseconds{1000}};
    rules.flood = {.ratio = 2, .run = 1'000'000};
  }

  void open(std::vector<partition_index> partitions = {0}) {
    pool.emplace(rules, 1);
    for (const auto p : partitions)
      pool->add_partition(p);
  }
  /// The offset is the slot.
  void offer(partition_index p, const std::vector<std::optional<std::string>>& keys) {
    std::vector<admitted> events;
    for (const auto& k : keys) {
      const auto o = offsets[p]++;
      events.push_back({make_event(p, o, k), static_cast<offset_ledger::slot>(o)});
    }
    pool->offer(p, std::move(events), now);
  }
  /// Starts the next call; its offset, or -1 where nothing may start.
  std::int64_t start() {
    const auto call = pool->next(now);
    if (!call) return -1;
    calls.push_back(*call);
    tasks[{static_cast<partition_index>(call->event->partition), call->event->offset}] = call->id;
    return call->event->offset;
  }
  /// Starts all that may.
  std::vector<std::int64_t> start_all() {
    std::vector<std::int64_t> all;
    for (auto o = start(); o >= 0; o = start())
      all.push_back(o);
    return all;
  }
  task_id id(std::int64_t offset, partition_index p = 0) { return tasks.at({p, offset}); }
  void answer(std::int64_t offset, outcome result, partition_index p = 0) {
    pool->called(id(offset, p), std::move(result), now, wall(), out);
  }
  void pass(milliseconds by) {
    now += by;
    pool->tick(now, out);
  }
  [[nodiscard]] std::int64_t wall() const { return 1'000'000 + (now - steady_time{}) / milliseconds{1}; }

  template <class T>
  std::vector<T> take() {
    std::vector<T> all;
    std::erase_if(out, [&](const action& a) {
      const auto* one = std::get_if<T>(&a);
      if (one) all.push_back(*one);
      return one != nullptr;
    });
    return all;
  }
  std::vector<std::int64_t> done() {
    std::vector<std::int64_t> all;
    for (const auto& d : take<event_done>())
      all.push_back(d.slot);
    return all;
  }
  std::vector<std::int64_t> buried() {
    std::vector<std::int64_t> all;
    for (const auto& d : take<write_dead_letter>()) {
      all.push_back(d.event->offset);
      tasks[{static_cast<partition_index>(d.event->partition), d.event->offset}] = d.id;
    }
    return all;
  }

  dispatch_rules rules;
  std::optional<dispatcher> pool;
  steady_time now{milliseconds{5000}};
  std::map<partition_index, std::int64_t> offsets;
  std::map<std::pair<partition_index, std::int64_t>, task_id> tasks;
  std::vector<call_handler> calls;
  std::vector<action> out;
};

using in_order = std::vector<std::int64_t>;

} // namespace troupe::flow

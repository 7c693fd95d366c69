#pragma once

#include "engine/kafka/consumer.hpp"
#include "engine/kafka/embedded.hpp"
#include "engine/kafka/handles.hpp"
#include "engine/kafka/producer.hpp"

#include <gtest/gtest.h>

#include <array>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace troupe::kafka {

using std::chrono::seconds;

/// Something that other threads change and a test waits for.
struct signalled {
  std::mutex mutex;
  std::condition_variable changed;

  template <class F>
  void change(F&& how) {
    const std::lock_guard lock{mutex};
    how();
    changed.notify_all();
  }
  template <class P>
  bool wait(P&& until, milliseconds bound = seconds{20}) {
    std::unique_lock lock{mutex};
    return changed.wait_for(lock, bound, until);
  }
};

/// A mock cluster whose answers a test can spoil.
struct rigged_broker {
  client_ptr host;
  mock_ptr cluster;

  rigged_broker() {
    conf_ptr conf{rd_kafka_conf_new()};
    rd_kafka_conf_set_log_cb(conf.get(), nullptr);
    std::array<char, 256> why{};
    host.reset(rd_kafka_new(RD_KAFKA_PRODUCER, conf.release(), why.data(), why.size()));
    cluster.reset(rd_kafka_mock_cluster_new(host.get(), 1));
  }
  [[nodiscard]] connection at() const {
    connection to;
    to.brokers = rd_kafka_mock_cluster_bootstraps(cluster.get());
    to.embedded = true;
    return to;
  }
  void create(const std::string& topic, int partitions) {
    rd_kafka_mock_topic_create(cluster.get(), topic.c_str(), partitions, 1);
  }
  void spoil(std::int16_t request, rd_kafka_resp_err_t with) {
    rd_kafka_mock_push_request_errors_array(cluster.get(), request, 1, &with);
  }
};

/// A consumer and all that it said.
struct member : signalled {
  std::vector<committed> assigned;
  int assignments = 0;
  int revocations = 0;
  std::vector<commit_report> commits;
  std::vector<error> troubles;
  bool fatal = false;
  int wakes = 0;
  std::shared_ptr<consumer> it;

  member() = default;
  member(connection to, std::string topic, std::string group = "group") {
    open(std::move(to), {std::move(topic)}, std::move(group));
  }
  member(const member&) = delete;
  member& operator=(const member&) = delete;
  ~member() { it.reset(); }

  void open(connection to, std::vector<std::string> topics, std::string group, std::size_t prefetch = 1 << 20,
            std::size_t messages = 1'000'000) {
    consumer_config config;
    config.connection = std::move(to);
    config.topics = std::move(topics);
    config.group = std::move(group);
    config.prefetch_bytes = prefetch;
    config.prefetch_messages = messages;
    consumer_events events;
    events.assigned = [this](auto list) {
      change([&] {
        assigned = std::move(list);
        ++assignments;
      });
    };
    events.revoked = [this](bool) { change([&] { ++revocations; }); };
    events.commits = [this](auto list) {
      change([&] { commits.insert(commits.end(), list.begin(), list.end()); });
    };
    events.trouble = [this](error what, bool for_good) {
      change([&] {
        troubles.push_back(std::move(what));
        fatal |= for_good;
      });
    };
    auto opened = consumer::open(std::move(config), std::move(events));
    ASSERT_TRUE(opened) << opened.failure().detail;
    it = *opened;
  }

  bool joined(int times = 1) {
    return wait([&] { return assignments >= times; });
  }
  std::function<void()> waker() {
    return [this] { change([&] { ++wakes; }); };
  }
  std::vector<topic_partition> parts() {
    std::vector<topic_partition> all;
    change([&] {
      for (const auto& one : assigned)
        all.push_back(one.where);
    });
    return all;
  }
  std::vector<position> from(std::int64_t offset) {
    std::vector<position> all;
    for (auto& where : parts())
      all.push_back({where, offset});
    return all;
  }
  /// Reads as an actor does: to the bottom, then not before a wake.
  std::vector<message> read(message_queue& queue, std::size_t count, milliseconds bound = seconds{20}) {
    std::vector<message> got;
    const auto by = std::chrono::steady_clock::now() + bound;
    for (;;) {
      int seen = 0;
      change([&] { seen = wakes; });
      while (queue.read(got, 64) == 64) {
      }
      if (got.size() >= count) return got;
      const auto left = std::chrono::duration_cast<milliseconds>(by - std::chrono::steady_clock::now());
      if (!wait([&] { return wakes > seen; }, left)) return got;
    }
  }
  /// True when it closed cleanly.
  std::optional<bool> close(milliseconds deadline) {
    auto told = std::make_shared<signalled>();
    auto outcome = std::make_shared<std::optional<bool>>();
    it->close(deadline, [told, outcome](bool clean) { told->change([&] { *outcome = clean; }); });
    told->wait([&] { return outcome->has_value(); }, deadline + seconds{10});
    return *outcome;
  }
};

/// Publishes and waits for every report.
inline void publish(const connection& to, const std::vector<outgoing>& events) {
  auto sender = producer::open({.connection = to, .trouble = {}, .log = {}});
  ASSERT_TRUE(sender) << sender.failure().detail;
  signalled told;
  std::size_t failed = 0;
  for (const auto& event : events)
    (*sender)->produce(event, [&](const auto& outcome) {
      if (!outcome) told.change([&] { ++failed; });
    });
  ASSERT_TRUE((*sender)->flush(seconds{20}));
  EXPECT_EQ(failed, 0U);
}

inline std::vector<outgoing> numbered(const std::string& topic, int count, std::int32_t partition = 0,
                                      std::size_t size = 0) {
  std::vector<outgoing> all;
  for (int i = 0; i < count; ++i) {
    outgoing event;
    event.topic = topic;
    event.value = std::to_string(i);
    if (size > event.value->size()) event.value->resize(size, '.');
    event.partition = partition;
    all.push_back(std::move(event));
  }
  return all;
}

} // namespace troupe::kafka

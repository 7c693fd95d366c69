#pragma once

#include "engine/state/reader.hpp"
#include "engine/state/recorder.hpp"
#include "tests/support/redis_server.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>

namespace troupe::state {

/// A Redis, and processes that write to it and read from it.
class StateTest : public testing::Test {
protected:
  std::shared_ptr<redis::client> client(milliseconds timeout = std::chrono::seconds{20}) const {
    return redis::client::open(*redis::parse_url(server.url()), timeout);
  }
  static identity named(std::string id, std::int64_t life = 7) {
    identity who;
    who.id = std::move(id);
    who.host = "host";
    who.version = "1";
    who.pid = 42;
    who.start_ms = life;
    return who;
  }
  recorder of(identity who, std::shared_ptr<redis::client> to) {
    return recorder{std::move(to), "shop", std::move(who), [this] { ++dropped; }};
  }
  recorder of(std::string id) { return of(named(std::move(id)), client()); }
  /// Written when it returns.
  void write(recorder& by, const snapshot& s) { by.record_last(s, std::chrono::seconds{20}); }

  static snapshot at(std::int64_t ms) {
    snapshot s;
    s.at_ms = ms;
    s.phase = "running";
    return s;
  }
  static actor_state pool(std::uint64_t ok, std::uint64_t busy) {
    actor_state a;
    a.kind = "handler";
    a.group = "g";
    a.so_far.ok = ok;
    a.pool.emplace();
    a.pool->workers = 8;
    a.pool->busy = busy;
    a.pool->queued = 10;
    a.pool->capacity = 1024;
    return a;
  }
  overview read(std::int64_t now_ms) {
    auto got = reader{client(), "shop"}.read(now_ms);
    EXPECT_TRUE(got.ok()) << (got ? "" : got.failure().detail);
    return got ? *got : overview{};
  }
  template <class F>
  static bool eventually(F&& holds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{20};
    while (!holds())
      if (std::chrono::steady_clock::now() > end)
        return false;
      else
        std::this_thread::yield();
    return true;
  }
  /// A hash as one text: fields in order.
  std::map<std::string, std::string> hash(const std::string& key) {
    std::map<std::string, std::string> all;
    const auto got = client()->ask({"HGETALL", key});
    for (std::size_t i = 0; got && i + 1 < got->items.size(); i += 2)
      all[got->items[i].text] = got->items[i + 1].text;
    return all;
  }

  support::redis_server server;
  std::atomic<int> dropped{0};
  const layout keys{"shop"};
};

constexpr std::int64_t noon = 1769860800000; ///< 2026-01-31T12:00:00Z

} // namespace troupe::state

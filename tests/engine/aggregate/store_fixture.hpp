#pragma once

#include "engine/aggregate/count_store.hpp"
#include "tests/support/redis_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

namespace troupe::aggregate {

using kind = flush_answer::kind;

/// A server, a client and a store, and its calls made waiting.
class StoreTest : public testing::Test {
protected:
  StoreTest() : client{redis::client::open(*redis::parse_url(server.url()), std::chrono::seconds{20})} {}

  static std::shared_ptr<const delta> shared(delta counts) {
    return std::make_shared<const delta>(std::move(counts));
  }
  result<flush_answer> flush(std::int64_t from, std::int64_t to, delta counts,
                             const std::string& ledger = "L") {
    return waiting<flush_answer>(
        [&](auto done) { store.flush(where, ledger, from, to, shared(std::move(counts)), std::move(done)); });
  }
  kind flushed(std::int64_t from, std::int64_t to, delta counts, const std::string& ledger = "L") {
    const auto r = flush(from, to, std::move(counts), ledger);
    EXPECT_TRUE(r.ok()) << (r ? "" : r.failure().detail);
    return r ? r->what : kind::refused;
  }
  result<stored> claim(std::int64_t offset, const std::string& ledger = "L") {
    return waiting<stored>([&](auto done) { store.claim(ledger, "D", {{where, offset}}, std::move(done)); });
  }
  result<stored> read(std::vector<topic_partition> what) {
    return waiting<stored>([&](auto done) { store.read(std::move(what), std::move(done)); });
  }
  template <class T, class F>
  result<T> waiting(F&& ask) {
    auto answer = std::make_shared<std::promise<result<T>>>();
    auto future = answer->get_future();
    ask([answer](result<T> r) { answer->set_value(std::move(r)); });
    return future.get();
  }
  redis::reply run(redis::command words) {
    auto r = client->call({std::move(words)});
    EXPECT_TRUE(r.ok()) << (r ? "" : r.failure().detail);
    return r ? (*r)[0] : redis::reply{};
  }
  std::string text(redis::command words) { return run(std::move(words)).text; }
  /// All keys with their content: what "nothing changed" is held against.
  std::string everything() {
    auto names = run({"KEYS", "*"}).items;
    std::sort(names.begin(), names.end(), [](const auto& a, const auto& b) { return a.text < b.text; });
    std::string all;
    for (const auto& n : names) {
      all += n.text + "=" + text({"DUMP", n.text}) + " " +
             std::to_string(run({"EXPIRETIME", n.text}).integer) + "\n";
    }
    return all;
  }

  support::redis_server server;
  std::shared_ptr<redis::client> client;
  topic_partition where{"user.events", 3};
  count_store store{client, "shop", "page-views"};
  const std::string key = "shop:positions:page-views";
};

} // namespace troupe::aggregate

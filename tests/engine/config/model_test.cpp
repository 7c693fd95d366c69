#include "tests/engine/config/fixture.hpp"

#include <fstream>
#include <sstream>

namespace troupe::config {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::Pair;

std::string design_example() {
  std::ifstream in{TROUPE_SOURCE_DIR "/tests/engine/config/design_example.yaml"};
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(ConfigModel, the_designs_example_is_read_as_it_is_written) {
  auto s = good(load_text(design_example()));
  ASSERT_EQ(s.actors.size(), 5U);
  EXPECT_EQ(s.app, "shop");
  EXPECT_TRUE(s.dashboard.in_run);
  EXPECT_EQ(s.dashboard.listen, "127.0.0.1:8088");
  EXPECT_FALSE(s.dashboard.asks_who);
  const auto& checkout = std::get<ingest_actor>(s.actors[0].kind);
  EXPECT_EQ(checkout.method, "POST");
  EXPECT_EQ(checkout.path, "/checkout");
  EXPECT_EQ(checkout.listen, "0.0.0.0:8080");
  EXPECT_EQ(checkout.topic, "order.placed");
  EXPECT_EQ(checkout.key_header, "X-Customer-ID");
  EXPECT_EQ(checkout.key, "");
  EXPECT_THAT(checkout.require, ElementsAre(Pair("/items", "array")));
  EXPECT_EQ(checkout.respond, 202U);
  EXPECT_EQ(checkout.limits, ingest_limits{});
  EXPECT_EQ(checkout.handler, "ecommerce.checkout");
  const auto& events = std::get<ingest_actor>(s.actors[1].kind);
  EXPECT_EQ(events.key_header, "");
  EXPECT_EQ(events.key, "/session_id");
  EXPECT_EQ(events.stamp, "/timestamp");
  EXPECT_TRUE(events.batch);
  EXPECT_EQ(events.cors, "*");
  EXPECT_EQ(events.respond, 204U);
  EXPECT_EQ(events.handler, "");
  s.actors.erase(s.actors.begin(), s.actors.begin() + 2);
  EXPECT_EQ(s.actors[0].name, "inventory");
  const auto& w = std::get<worker_actor>(s.actors[0].kind);
  EXPECT_THAT(w.consume.topics, ElementsAre("order.placed"));
  EXPECT_EQ(w.consume.group, "inventory-service");
  EXPECT_EQ(w.consume.window_bytes, 16U << 20);
  EXPECT_EQ(std::get<named_handler>(w.handler).name, "ecommerce.reserve_inventory");
  EXPECT_EQ(w.dlq.topic, "order.placed.inventory.dlq");
  ASSERT_TRUE(w.publish);
  EXPECT_EQ(w.publish->topic, "inventory.reserved");
  EXPECT_EQ(w.publish->key, "/order_id");
  const auto& a = std::get<aggregate_actor>(s.actors[1].kind);
  EXPECT_THAT(a.where, ElementsAre(Pair("/type", "page_view")));
  EXPECT_EQ(a.count_by, "/payload/path");
  EXPECT_EQ(a.into, "views:{value}");
  ASSERT_TRUE(a.per_minute);
  EXPECT_EQ(a.per_minute->into, "page-views:{minute}");
  EXPECT_EQ(a.per_minute->keep, 48h);
  EXPECT_EQ(a.event_time, "/timestamp");
  const auto& g = std::get<generate_actor>(s.actors[2].kind);
  EXPECT_EQ(g.topic, "telemetry-events");
  EXPECT_EQ(g.key, "device-101");
  EXPECT_EQ(g.value, "{\"status\":\"healthy\"}");
  EXPECT_EQ(g.every, 500ms);
}

TEST(ConfigModel, what_is_not_written_has_the_defaults_of_the_model) {
  worker_actor expected;
  expected.consume.topics = {"order.placed"};
  expected.consume.group = "inventory-service";
  expected.handler = named_handler{"ecommerce.reserve_inventory"};
  EXPECT_EQ(worker_of(load_text(head + inventory)), expected);

  aggregate_actor counting;
  counting.consume.topics = {"user.events"};
  counting.consume.group = "page-views";
  counting.count_by = "/payload/path";
  counting.into = "views:{value}";
  EXPECT_EQ(std::get<aggregate_actor>(good(load_text(head + page_views)).actors.at(0).kind), counting);

  generate_actor made;
  made.topic = "t";
  made.value = "v";
  const auto s = good(load_text(head + "actors: { load: { generate: { topic: t, value: v } } }\n"));
  EXPECT_EQ(std::get<generate_actor>(s.actors.at(0).kind), made);
  EXPECT_EQ(s.kafka, kafka{});
  EXPECT_EQ(s.admin_listen, settings{}.admin_listen);
  EXPECT_EQ(s.shutdown_deadline, settings{}.shutdown_deadline);
  EXPECT_EQ(s.shutdown_revoke, settings{}.shutdown_revoke);
  EXPECT_EQ(s.log_level, "info");
  EXPECT_EQ(s.redis_url, "redis://localhost:6379/0");
}

TEST(ConfigModel, every_value_arrives_where_it_belongs) {
  const auto w = worker_of(load_text(head + R"(
actors:
  a:
    consume: { topic: [x, y], group: g, start: latest, static: true, window: 7, window_bytes: 3KiB }
    handler: { simulate: { latency: 5ms, fail: 1%, permanent: 0.25 } }
    pool: { workers: 40, mailbox: 9, order_by: partition }
    deadline: 7s
    retry: { attempts: 6, backoff: exponential, initial: 2s, max: 3m, jitter: 10% }
    breaker: { failure_ratio: 60%, over: 30, open_for: 11s }
    dlq: { topic: dead, create: false, flood: { ratio: 0.3, run: 60 } }
    publish: { topic: out, key: /k, acks: 1, timeout: 4s }
    guarantee: at_least_once
)"));
  worker_actor expected;
  expected.consume = {{"x", "y"}, "g", start_at::latest, true, 7, 3072};
  expected.handler = simulate_handler{5ms, 0.01, 0.25};
  expected.pool = {40, 40, 9, order_by::partition};
  expected.deadline = 7s;
  expected.retry = {6, policy::backoff_kind::exponential, 2s, 3min, 0.1};
  expected.breaker = {0.6, 30, 11s};
  expected.dlq = {"dead", false, {0.3, 60}};
  expected.publish = publish{"out", "/k", acks::one, 4s};
  EXPECT_EQ(w, expected);
}

TEST(ConfigModel, max_workers_follows_workers_where_it_is_not_written) {
  EXPECT_EQ(worker_of(load_text(inventory_with("pool: { workers: 16 }"))).pool.max_workers, 32U);
  EXPECT_EQ(worker_of(load_text(inventory_with("pool: { workers: 500 }"))).pool.max_workers, 500U);
  EXPECT_EQ(worker_of(load_text(inventory_with("pool: { workers: 16, max_workers: 16 }"))).pool.max_workers,
            16U);
}

TEST(ConfigModel, sections_at_the_top_arrive) {
  const auto s = good(load_text(head + inventory + R"(
kafka: { brokers: [a:1, b:2], properties: { x: 1 }, consumer: { y: true }, producer: { z: "s" } }
redis: { url: redis://r:1/2 }
admin: { listen: "" }
shutdown: { deadline: 20s, revoke: 4s }
log: { level: debug }
)"));
  EXPECT_EQ(s.kafka.brokers, "a:1,b:2");
  EXPECT_THAT(s.kafka.properties, ElementsAre(Pair("x", "1")));
  EXPECT_THAT(s.kafka.consumer, ElementsAre(Pair("y", "true")));
  EXPECT_THAT(s.kafka.producer, ElementsAre(Pair("z", "s")));
  EXPECT_EQ(s.redis_url, "redis://r:1/2");
  EXPECT_EQ(s.admin_listen, "");
  EXPECT_EQ(s.shutdown_deadline, 20s);
  EXPECT_EQ(s.shutdown_revoke, 4s);
  EXPECT_EQ(s.log_level, "debug");
  EXPECT_TRUE(good(load_text(head + inventory + "kafka: { brokers: embedded }\n")).kafka.embedded());
}

TEST(ConfigModel, where_keeps_values_as_they_are_written_and_in_order) {
  const auto s =
      good(load_text(head + page_views + "      where: { /b: true, /a: 1.50, /c: \"null\", /d: 007 }\n"));
  EXPECT_THAT(std::get<aggregate_actor>(s.actors.at(0).kind).where,
              ElementsAre(Pair("/b", "true"), Pair("/a", "1.50"), Pair("/c", "null"), Pair("/d", "007")));
}

TEST(ConfigModel, an_actor_knows_where_it_was_written) {
  EXPECT_EQ(good(load_text(head + inventory)).actors.at(0).where, "shop.yaml:4");
}

TEST(ConfigModel, empty_sections_are_as_if_not_written) {
  EXPECT_TRUE(load_text(head + inventory + "    retry:\nkafka:\nredis:\n").config);
}

} // namespace
} // namespace troupe::config

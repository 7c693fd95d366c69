#include "apps/dashboard/live_document.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace troupe::dashboard {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::int64_t now = 1'000'000'000;

struct DashboardDocument : testing::Test {
  DashboardDocument() {
    settings.app = "shop";
    config::worker_actor w;
    w.consume.topics = {"order.placed"};
    w.consume.group = "inventory-service";
    w.handler = config::http_handler{"https://me:secret@host/path?token=secret"};
    settings.actors = {{"inventory", w, "shop.yaml:14", "text"}};
    overview.at_ms = now;
    overview.live = overview.expected = 1;
    state::instance_view one;
    one.id = "one";
    one.presence = state::presence::live;
    one.beat_ms = now - 500;
    overview.instances = {one};
    auto& a = overview.actors["inventory"];
    a.kind = "handler";
    a.group = "inventory-service";
    a.reporting = 1;
    a.workers = 8;
    a.parked = 0;
    a.per_second = 3.5;
    tell(0, 10, 15, now - 500);
    tell(1, 20, 20, now - 500);
    kafka.up = true;
    kafka.at_ms = now - 1000;
  }

  void tell(std::int32_t number, std::int64_t committed, std::int64_t end, std::int64_t at) {
    state::partition_view p;
    p.group = "inventory-service";
    p.topic = "order.placed";
    p.source = "one";
    p.partition = number;
    p.committed = committed;
    p.end = end;
    p.oldest_ms = now - 4000;
    p.at_ms = at;
    overview.partitions.push_back(p);
  }
  void asked(std::int32_t number, std::optional<std::int64_t> committed, std::int64_t low,
             std::int64_t high) {
    kafka.standings["inventory"].push_back({{"order.placed", number}, committed, {low, high}, now - 9000});
  }
  json document() { return live_document(settings, overview, kafka, {}); }
  json inventory() { return document()["actors"]["inventory"]; }

  config::settings settings;
  state::overview overview;
  kafka_view kafka;
};

TEST_F(DashboardDocument, shows_what_the_processes_tell) {
  const auto doc = document();
  const auto& a = doc["actors"]["inventory"];
  EXPECT_EQ(a["lag"], 5);
  EXPECT_EQ(a["behind_s"], 4.0);
  EXPECT_EQ(a["workers"], 8);
  EXPECT_EQ(a["per_second"], 3.5);
  EXPECT_EQ(a["file"]["place"], "shop.yaml:14");
  EXPECT_EQ(a["dlq_topics"], json::array({"order.placed.inventory.dlq"}));
  EXPECT_EQ(doc["summary"]["lag"], 5);
  EXPECT_EQ(doc["partitions"]["inventory-service/order.placed/0"]["lag"], 5);
  EXPECT_EQ(doc["instances"]["one"]["state"], "live");
  EXPECT_THAT(untold_actors(settings, overview), IsEmpty());
}

TEST_F(DashboardDocument, has_no_secrets_of_an_address) {
  EXPECT_EQ(inventory()["handler"], "https://host/path");
}

TEST_F(DashboardDocument, leaves_out_what_nobody_told_instead_of_making_it_0) {
  overview = {};
  overview.at_ms = now;
  const auto doc = document();
  const auto& a = doc["actors"]["inventory"];
  for (const auto* name :
       {"workers", "busy", "queued", "per_second", "p99_s", "lag", "behind_s", "dead_letters", "paused"})
    EXPECT_FALSE(a.contains(name)) << name;
  EXPECT_EQ(a["reporting"], 0);
  for (const auto* name :
       {"per_second", "errors_per_second", "lag", "behind_s", "retries", "dead_letters", "p99_s"})
    EXPECT_FALSE(doc["summary"].contains(name)) << name;
  EXPECT_EQ(untold_actors(settings, overview), std::vector<std::string>{"inventory"});
}

TEST_F(DashboardDocument, knows_no_lag_while_one_partition_is_told_by_nobody) {
  overview.partitions[1].at_ms = now - 7000;
  const auto doc = document();
  EXPECT_FALSE(doc["actors"]["inventory"].contains("lag"));
  EXPECT_FALSE(doc["summary"].contains("lag"));
  const auto& p = doc["partitions"]["inventory-service/order.placed/1"];
  EXPECT_EQ(p["at"], now - 7000);
  EXPECT_FALSE(p.contains("lag"));
  EXPECT_EQ(untold_actors(settings, overview), std::vector<std::string>{"inventory"});
}

TEST_F(DashboardDocument, takes_from_kafka_what_no_process_tells) {
  overview.partitions[1].at_ms = now - 7000;
  asked(0, 0, 0, 1000);
  asked(1, 20, 0, 120);
  asked(2, {}, 40, 50);
  const auto doc = document();
  const auto& a = doc["actors"]["inventory"];
  EXPECT_EQ(a["lag"], 5 + 100 + 10) << "a live process's own word counts more than an older answer";
  EXPECT_EQ(a["behind_s"], 9.0);
  const auto& p = doc["partitions"]["inventory-service/order.placed/1"];
  EXPECT_EQ(p["at"], kafka.at_ms);
  EXPECT_FALSE(p.contains("source"));
  EXPECT_FALSE(doc["partitions"]["inventory-service/order.placed/2"].contains("committed"));
}

TEST_F(DashboardDocument, knows_no_lag_while_kafka_is_away) {
  asked(0, 0, 0, 1000);
  kafka.up = false;
  kafka.trouble = "refused";
  const auto doc = document();
  EXPECT_FALSE(doc["actors"]["inventory"].contains("lag"));
  EXPECT_FALSE(doc["summary"].contains("behind_s"));
  const auto& p = doc["partitions"]["inventory-service/order.placed/0"];
  EXPECT_FALSE(p.contains("lag") || p.contains("end") || p.contains("behind_s"));
  EXPECT_EQ(p["committed"], 10);
  EXPECT_EQ(doc["kafka"], json({{"up", false}, {"trouble", "refused"}}));
  EXPECT_EQ(doc["actors"]["inventory"]["workers"], 8) << "the rest is Redis's";
}

TEST_F(DashboardDocument, does_not_take_an_answer_of_long_ago_for_now) {
  overview.partitions.clear();
  asked(0, 0, 0, 1000);
  kafka.at_ms = now - 20'000;
  EXPECT_FALSE(inventory().contains("lag"));
}

TEST_F(DashboardDocument, sums_dead_letters_by_the_topics_of_each_actor) {
  EXPECT_EQ(inventory()["dead_letters"], 0) << "counted, and none";
  overview.dead_letters = {{"order.placed.inventory.dlq", 3}, {"other.dlq", 4}};
  const auto doc = document();
  EXPECT_EQ(doc["actors"]["inventory"]["dead_letters"], 3);
  EXPECT_EQ(doc["dead_letters"]["order.placed.inventory.dlq"], json({{"open", 3}, {"actor", "inventory"}}));
  EXPECT_EQ(doc["dead_letters"]["other.dlq"], json({{"open", 4}}));
  EXPECT_EQ(doc["summary"]["dead_letters"], 7);
}

TEST_F(DashboardDocument, before_redis_answered_says_what_the_config_says_and_no_more) {
  const auto doc = first_document(settings);
  EXPECT_EQ(doc["redis"]["up"], false);
  EXPECT_FALSE(doc.contains("at"));
  EXPECT_THAT(doc["summary"], IsEmpty());
  EXPECT_EQ(doc["actors"]["inventory"]["group"], "inventory-service");
  EXPECT_FALSE(doc["actors"]["inventory"].contains("reporting"));
}

} // namespace
} // namespace troupe::dashboard

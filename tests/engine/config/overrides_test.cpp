#include "tests/engine/config/fixture.hpp"

namespace troupe::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

loaded with_set(const std::string& key, const std::string& value,
                const std::string& text = head + inventory) {
  auto from = from_text(text);
  from.set = {{key, value}};
  return load(from);
}

loaded with_variable(const std::string& name, const std::string& value,
                     const std::string& text = head + inventory) {
  auto from = from_text(text);
  from.environment = {{name, value}};
  return load(from);
}

TEST(ConfigOverrides, flag_beats_environment_beats_file_beats_default) {
  auto from = from_text(inventory_with("pool: { workers: 2 }"));
  EXPECT_EQ(worker_of(load(from)).pool.workers, 2U);
  from.environment = {{"TROUPE_ACTORS__INVENTORY__POOL__WORKERS", "3"}};
  EXPECT_EQ(worker_of(load(from)).pool.workers, 3U);
  from.set = {{"actors.inventory.pool.workers", "4"}, {"actors.inventory.pool.workers", "5"}};
  EXPECT_EQ(worker_of(load(from)).pool.workers, 5U) << "the last one counts";
}

TEST(ConfigOverrides, variables_match_whatever_their_case_and_with_hyphens_as_underscores) {
  auto text = head + inventory;
  text.replace(text.find("inventory:"), 9, "In-ven-tory");
  EXPECT_EQ(
      worker_of(with_variable("TROUPE_ACTORS__IN_VEN_TORY__POOL__MAX_WORKERS", "77", text)).pool.max_workers,
      77U);
  EXPECT_EQ(good(with_variable("TROUPE_APP", "market")).app, "market");
  EXPECT_EQ(good(with_variable("TROUPE_SHUTDOWN__DEADLINE", "5s")).shutdown_deadline,
            std::chrono::seconds{5});
}

TEST(ConfigOverrides, a_value_may_be_a_whole_section) {
  const auto w = worker_of(with_set("actors.inventory.retry", "{attempts: 3, backoff: linear}"));
  EXPECT_EQ(w.retry.attempts, 3U);
  EXPECT_EQ(w.retry.backoff, policy::backoff_kind::linear);
  EXPECT_THAT(worker_of(with_set("actors.inventory.consume.topic", "[a, b]")).consume.topics,
              ElementsAre("a", "b"));
}

TEST(ConfigOverrides, librdkafkas_names_keep_their_dots) {
  EXPECT_THAT(good(with_set("kafka.consumer.fetch.wait.max.ms", "50")).kafka.consumer,
              ElementsAre(Pair("fetch.wait.max.ms", "50")));
  EXPECT_THAT(good(with_variable("TROUPE_KAFKA__PROPERTIES__SASL_PASSWORD", "a #b: \"c")).kafka.properties,
              ElementsAre(Pair("sasl.password", "a #b: \"c")))
      << "words are taken as they are";
}

TEST(ConfigOverrides, a_handler_can_be_replaced_by_one_of_another_form) {
  EXPECT_EQ(
      std::get<http_handler>(worker_of(with_set("actors.inventory.handler.http", "http://h")).handler).url,
      "http://h");
}

TEST(ConfigOverrides, what_matches_no_key_is_an_error_that_names_its_source) {
  EXPECT_THAT(
      told(with_set("actors.inventory.pool.worker", "3")),
      ElementsAre("--set:0:0: unknown key 'worker' in actors.inventory.pool; did you mean 'workers'?"));
  EXPECT_EQ(with_set("actors.inventory.pool.worker", "3").problems.at(0).source,
            "actors.inventory.pool.worker=3");
  EXPECT_THAT(told(with_set("actors.inventroy.deadline", "3s")),
              ElementsAre("--set:0:0: there is no actor 'inventroy'; did you mean 'inventory'?"));
  EXPECT_THAT(told(with_set("kafak.brokers", "a")),
              ElementsAre("--set:0:0: unknown key 'kafak'; did you mean 'kafka'?"));
  EXPECT_THAT(told(with_set("app.name", "a")), ElementsAre("--set:0:0: app has no keys of its own"));
  EXPECT_THAT(told(with_set("actors", "{}")), ElementsAre(HasSubstr("can't be replaced as a whole")));
  EXPECT_THAT(told(with_set("actors.inventory", "{}")),
              ElementsAre(HasSubstr("can't be replaced as a whole")));
  EXPECT_FALSE(with_set("", "x").config);
  EXPECT_FALSE(with_set("actors..pool", "x").config);
  EXPECT_THAT(
      told(with_variable("TROUPE_ACTORS__INVENTORY__POOL__WORKER", "3")),
      ElementsAre("environment:0:0: unknown key 'worker' in actors.inventory.pool; did you mean 'workers'?"));
  EXPECT_THAT(told(with_variable("TROUPE_ACTORS__OTHER__DEADLINE", "3s")),
              ElementsAre("environment:0:0: there is no actor 'other'"));
  EXPECT_THAT(told(with_variable("TROUPE_KAFKA__BROKER", "a")),
              ElementsAre("environment:0:0: unknown key 'broker' in kafka; did you mean 'brokers'?"));
}

TEST(ConfigOverrides, other_variables_are_somebody_elses) {
  for (const auto* name : {"TROUPE_HOME", "TROUPE_DEMO__PORT", "TROUPE_VERSION", "TROUPE_KAFKA", "TROUPE_",
                           "TROUPEACTORS__A", "ACTORS__A"})
    EXPECT_TRUE(with_variable(name, "x").config) << name;
}

TEST(ConfigOverrides, wrong_values_are_told_at_their_source) {
  EXPECT_THAT(told(with_set("actors.inventory.deadline", "30")),
              ElementsAre("--set:0:0: '30' is not a duration; write '30s'"));
  EXPECT_THAT(told(with_set("actors.inventory.retry", "{attempts: ")), ElementsAre(HasSubstr("--set:0:0: ")));
  EXPECT_THAT(
      told(with_variable("TROUPE_ACTORS__INVENTORY__DEADLINE", "30")),
      ElementsAre("environment:0:0: the value is not a duration; write it as '500ms', '5s', '1m' or '48h'"));
  EXPECT_FALSE(with_set("actors.inventory.deadline", std::string{"5s\0", 3}).config);
  EXPECT_FALSE(with_set("actors.inventory.publish.topic", "\xff").config);
  EXPECT_THAT(told(with_set("actors.inventory.dead\xffline", "3s")), ElementsAre(HasSubstr("dead?line")));
}

TEST(ConfigOverrides, a_variable_that_means_two_actors_is_an_error) {
  const auto text =
      head +
      "actors:\n  a-b: { generate: { topic: t, value: v } }\n  a_b: { generate: { topic: t, value: v } }\n";
  EXPECT_THAT(
      told(with_variable("TROUPE_ACTORS__A_B__GENERATE__TOPIC", "x", text)),
      ElementsAre("environment:0:0: this means both actors.a-b and actors.a_b; use --set, which is exact"));
}

} // namespace
} // namespace troupe::config

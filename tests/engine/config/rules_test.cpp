#include "tests/engine/config/fixture.hpp"

namespace troupe::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

std::string worker(const std::string& name, const std::string& consume, const std::string& more = "") {
  return "  " + name + ": { consume: { " + consume + " }, handler: ecommerce.checkout" + more + " }\n";
}

std::string counter(const std::string& name, const std::string& consume, const std::string& into) {
  return "  " + name + ": { consume: { " + consume + " }, aggregate: { count_by: /a, into: '" + into +
         "' } }\n";
}

loaded cast_of(const std::string& actors) {
  return load_text(head + "actors:\n" + actors);
}

TEST(ConfigRules, dead_letters_and_publishes_must_not_come_back) {
  EXPECT_THAT(only(load_text(inventory_with("dlq: { topic: order.placed }"))),
              StartsWith("7:19+12 actors.inventory reads this topic itself"));
  EXPECT_THAT(only(load_text(inventory_with("publish: { topic: order.placed }"))),
              StartsWith("7:23+12 actors.inventory reads this topic itself"));
  EXPECT_THAT(only(cast_of(worker("a", "topic: ^order, group: g", ", publish: { topic: orders.done }"))),
              HasSubstr("reads this topic itself"));
  EXPECT_TRUE(cast_of(worker("a", "topic: ^order$, group: g", ", publish: { topic: orders.done }")).config);
}

TEST(ConfigRules, max_workers_is_never_below_workers) {
  EXPECT_THAT(only(load_text(inventory_with("pool: { workers: 16, max_workers: 8 }"))),
              StartsWith("7:39+1 max_workers is smaller than workers (16)"));
  EXPECT_THAT(only(load_text(inventory_with("pool: { max_workers: 4 }"))),
              HasSubstr("smaller than workers (8)"));
}

TEST(ConfigRules, exactly_once_publishes_with_all_acks_on_a_broker_that_has_transactions) {
  const auto with = [](const std::string& more) {
    return inventory_with("guarantee: exactly_once\n    publish: { topic: out" + more + " }");
  };
  EXPECT_EQ(worker_of(load_text(with(""))).guarantee, guarantee::exactly_once);
  EXPECT_TRUE(load_text(with(", acks: all")).config);
  EXPECT_THAT(only(load_text(with(", acks: 1"))), HasSubstr("exactly_once needs publish.acks: all"));
  EXPECT_THAT(only(load_text(with("") + "kafka: { brokers: embedded }\n")),
              StartsWith("7:16+12 the embedded broker only pretends to have transactions"));
  EXPECT_TRUE(
      load_text(inventory_with("guarantee: at_least_once") + "kafka: { brokers: embedded }\n").config);
}

TEST(ConfigRules, one_group_reads_a_topic_for_one_actor) {
  EXPECT_THAT(only(cast_of(worker("a", "topic: t, group: g") + worker("b", "topic: [s, t], group: g"))),
              StartsWith("5:41+1 actors.a (shop.yaml:4) reads 't' in this group too"));
  EXPECT_THAT(only(cast_of(worker("a", "topic: ^order, group: g") + worker("b", "topic: orders, group: g"))),
              HasSubstr("reads 'orders'"));
  EXPECT_THAT(cast_of(worker("a", "topic: t, group: g") + worker("b", "topic: t, group: h")).problems,
              IsEmpty());
}

TEST(ConfigRules, one_group_with_two_topics_is_a_warning_and_an_error_for_counts) {
  const auto l = cast_of(worker("a", "topic: t, group: g") + worker("b", "topic: s, group: g"));
  EXPECT_TRUE(l.config) << "a warning refuses nothing";
  EXPECT_THAT(told(l), ElementsAre(StartsWith(
                           "shop.yaml:5:36: warning: actors.a (shop.yaml:4) is in this group too")));
  EXPECT_THAT(only(cast_of(counter("a", "topic: t, group: g", "a:{value}") +
                           counter("b", "topic: s, group: g", "b:{value}"))),
              HasSubstr("counts in this group too"));
}

TEST(ConfigRules, two_aggregates_never_count_into_the_same_keys) {
  EXPECT_THAT(only(cast_of(counter("a", "topic: t, group: g", "n:{value}") +
                           counter("b", "topic: t, group: h", "n:{value}"))),
              StartsWith("5:74+11 actors.a (shop.yaml:4) counts into the same keys"));
}

TEST(ConfigRules, the_topics_made_from_an_actors_name_must_fit) {
  EXPECT_THAT(only(cast_of(worker("inventory", "topic: " + std::string(240, 't') + ", group: g"))),
              HasSubstr("longer than 249"));
  EXPECT_TRUE(cast_of(worker("i", "topic: " + std::string(240, 't') + ", group: g")).config);
}

TEST(ConfigRules, ingests_share_an_address_with_one_set_of_limits_and_a_route_each) {
  const auto two = [](const std::string& route, const std::string& limits) {
    return load_text(head +
                     "actors:\n"
                     "  a:\n    ingest: { route: POST /a, listen: '127.0.0.1:8081', topic: t }\n"
                     "  b:\n    ingest: { route: " +
                     route + ", listen: '127.0.0.1:8081', topic: t" + limits + " }\n");
  };
  EXPECT_TRUE(two("POST /b", "").config);
  EXPECT_TRUE(two("PUT /a", ", limits: { body: 1MiB }").config);
  EXPECT_THAT(only(two("POST /a", "")), HasSubstr("actors.a (shop.yaml:4) has this route already"));
  EXPECT_THAT(only(two("POST /b", ", limits: { body: 2MiB }")),
              HasSubstr("actors.a (shop.yaml:4) listens here with another limits.body; give both the same"));
  EXPECT_THAT(only(two("POST /b", ", limits: { idle: 1s }")), HasSubstr("another limits.idle"));
  EXPECT_THAT(only(two("POST /b", ", limits: { connections: 1 }")), HasSubstr("another limits.connections"));
}

TEST(ConfigRules, the_handler_of_an_ingest_is_the_programs_own) {
  EXPECT_THAT(only(load_text(head + "actors:\n  a:\n"
                                    "    ingest: { route: POST /a, listen: '127.0.0.1:8081', topic: t }\n"
                                    "    handler: { http: 'http://localhost/' }\n")),
              HasSubstr("the handler of an ingest is one of the program's own"));
}

TEST(ConfigRules, a_longest_wait_below_the_first_is_a_warning) {
  EXPECT_THAT(told(load_text(inventory_with("retry: { initial: 10s, max: 1s }"))),
              ElementsAre(StartsWith("shop.yaml:7:33: warning: retry.max is shorter than retry.initial")));
}

TEST(ConfigRules, properties_are_asked_of_librdkafka_with_their_section) {
  auto from = from_text(head + inventory +
                        "kafka: { properties: { a: 1 }, consumer: { b: 2 }, producer: { c: 3 } }\n");
  from.check_property = [](const std::string& section, const std::string& name, const std::string& value) {
    return std::optional{section + " " + name + " " + value};
  };
  EXPECT_THAT(told(load(from)), ElementsAre("shop.yaml:7:27: properties a 1", "shop.yaml:7:47: consumer b 2",
                                            "shop.yaml:7:67: producer c 3"));
}

} // namespace
} // namespace troupe::config

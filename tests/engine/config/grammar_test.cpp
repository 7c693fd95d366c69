#include "tests/engine/config/fixture.hpp"

#include <ostream>

namespace troupe::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

struct bad_line {
  std::string line;  ///< added to the inventory actor as line 7, behind four blanks
  std::string where; ///< column+width
  std::string says;
};

void PrintTo(const bad_line& b, std::ostream* out) {
  *out << b.line;
}

class ConfigBadLine : public testing::TestWithParam<bad_line> {};

TEST_P(ConfigBadLine, is_told_with_its_place) {
  const auto l = load_text(inventory_with(GetParam().line));
  EXPECT_FALSE(l.config);
  EXPECT_THAT(only(l), StartsWith("7:" + GetParam().where + " "));
  EXPECT_THAT(only(l), HasSubstr(GetParam().says));
  ASSERT_FALSE(l.problems.empty());
  EXPECT_EQ(l.problems[0].file, "shop.yaml");
  EXPECT_EQ(l.problems[0].source, "    " + GetParam().line);
}

INSTANTIATE_TEST_SUITE_P(
    Keys, ConfigBadLine,
    testing::Values(bad_line{"retires: { attempts: 5 }", "5+7",
                             "unknown key 'retires' in actors.inventory; did you mean 'retry'?"},
                    bad_line{"retry: { atempts: 5 }", "14+7",
                             "unknown key 'atempts' in actors.inventory.retry; did you mean 'attempts'?"},
                    bad_line{"mailbox: 5", "5+7", "did you mean 'pool.mailbox'?"},
                    bad_line{"dlq: { flood: { speed: 5 } }", "21+5",
                             "unknown key 'speed' in actors.inventory.dlq.flood; known are: ratio, run"},
                    bad_line{"\"ré\\tries\": 5", "5+10", "unknown key 'ré?ries'"},
                    bad_line{"<<: { deadline: 5s }", "5+2", "merge key"},
                    bad_line{"aggregate: { count_by: /a, into: 'a{value}' }", "5+9",
                             "has both 'handler' and 'aggregate'"},
                    bad_line{"generate: { topic: a, value: b }", "5+8", "has both 'handler' and 'generate'"},
                    bad_line{"handler: ecommerce.checkout", "5+7",
                             "'handler' stands here twice; it is already in line 6"}));

INSTANTIATE_TEST_SUITE_P(
    Numbers, ConfigBadLine,
    testing::Values(
        bad_line{"deadline: 30", "15+2", "'30' is not a duration; write '30s'"},
        bad_line{"deadline: 5 sec", "15+5", "'5 sec' is not a duration; write it as '500ms'"},
        bad_line{"deadline: 0s", "15+2", "actors.inventory.deadline must be between 1ms and 24h, not 0s"},
        bad_line{"deadline: [5s]", "15+1", "must be a single value, not a list"},
        bad_line{"deadline:", "5+8", "actors.inventory.deadline has no value"},
        bad_line{"deadline: ~", "15+1", "has no value"},
        bad_line{"pool: { workers: 0 }", "22+1",
                 "actors.inventory.pool.workers must be between 1 and 10000, not 0"},
        bad_line{"pool: { workers: -3 }", "22+2", "must be between 1 and 10000, not -3"},
        bad_line{"pool: { workers: 10001 }", "22+5", "between 1 and 10000, not 10001"},
        bad_line{"pool: { workers: eight }", "22+5", "'eight' is not a whole number"},
        bad_line{"pool: { workers: 0x10 }", "22+4", "is not a whole number"},
        bad_line{"pool: { mailbox: 1000001 }", "22+7", "between 1 and 1000000"},
        bad_line{"retry: { attempts: 1001 }", "24+4", "between 1 and 1000"},
        bad_line{"retry: { jitter: 1.5 }", "22+3",
                 "must be between 0 and 1, not 1.5; for percent write '1.5%'"},
        bad_line{"retry: { jitter: half }", "22+4", "'half' is not a ratio; write it as '0.2' or '20%'"},
        bad_line{"retry: { backoff: expontial }", "23+9", "did you mean 'exponential'?"},
        bad_line{"retry: { backoff: zzz }", "23+3", "write one of constant, linear, quadratic, exponential"},
        bad_line{"breaker: { failure_ratio: 0 }", "31+1", "must be between 0.001 and 1, not 0"},
        bad_line{"dlq: { create: yes }", "20+3", "'yes' is neither true nor false"},
        bad_line{"guarantee: twice", "16+5", "write one of at_least_once, exactly_once"}));

INSTANTIATE_TEST_SUITE_P(
    Shapes, ConfigBadLine,
    testing::Values(bad_line{"retry: 5", "12+1", "actors.inventory.retry must be a map, not a single value"},
                    bad_line{"retry: [attempts, 5]", "12+1", "must be a map, not a list"},
                    bad_line{"dlq: { topic: 'a b' }", "19+5",
                             "'a b' in actors.inventory.dlq.topic: a topic's name holds only"},
                    bad_line{"publish: { topic: out, key: id }", "33+2", "a JSON pointer starts with '/'"},
                    bad_line{"publish: { topic: out, acks: 2 }", "34+1",
                             "'2' is not a choice for actors.inventory.publish.acks; write one of all, 1"},
                    bad_line{"publish: { key: /id }", "5+7",
                             "actors.inventory.publish needs the key 'topic'"},
                    bad_line{"publish:", "5+7", "needs the key 'topic'"}));

TEST(ConfigGrammar, consume_is_checked_at_its_place) {
  const auto with = [](const std::string& consume) {
    return only(
        load_text(head + "actors:\n  a:\n    consume: " + consume + "\n    handler: ecommerce.checkout\n"));
  };
  EXPECT_THAT(with("{ topic: t }"), StartsWith("5:5+7 actors.a.consume needs the key 'group'"));
  EXPECT_THAT(with("{ group: g }"), StartsWith("5:5+7 actors.a.consume needs the key 'topic'"));
  EXPECT_THAT(with("{ topic: [], group: g }"), StartsWith("5:23+1 actors.a.consume.topic is empty"));
  EXPECT_THAT(with("{ topic: [a, a], group: g }"), StartsWith("5:27+1 this topic stands in the list twice"));
  EXPECT_THAT(with("{ topic: [a, ^b], group: g }"), StartsWith("5:27+2 a pattern stands alone"));
  EXPECT_THAT(with("{ topic: '^a(', group: g }"),
              StartsWith("5:23+5 '^a(' in actors.a.consume.topic: this is not a POSIX"));
  EXPECT_THAT(with("{ topic: " + std::string(250, 'a') + ", group: g }"),
              HasSubstr("at most 249 characters"));
  EXPECT_THAT(with("{ topic: t, group: 'g h' }"), StartsWith("5:33+5 "));
  EXPECT_THAT(with("{ topic: t, group: " + std::string(250, 'g') + " }"),
              HasSubstr("at most 249 characters"));
  EXPECT_THAT(with("{ topic: t, group: g, window: 0 }"), HasSubstr("between 1 and 1000000"));
  EXPECT_THAT(with("{ topic: t, group: g, window_bytes: 1023B }"),
              HasSubstr("between 1KiB and 64GiB, not 1023B"));
  EXPECT_THAT(with("{ topic: t, group: g, window_bytes: 16 }"), HasSubstr("'16' is not a size; write '16B'"));
  EXPECT_THAT(with("{ topic: t, group: g, start: lastest }"), HasSubstr("did you mean 'latest'?"));
}

TEST(ConfigGrammar, handlers_are_known_or_near) {
  const auto with = [](const std::string& handler) {
    return only(load_text(
        head + "actors:\n  a:\n    consume: { topic: t, group: g }\n    handler: " + handler + "\n"));
  };
  EXPECT_EQ(with("ecommerce.chekout"),
            "6:14+17 no handler 'ecommerce.chekout' is registered; did you mean 'ecommerce.checkout'?");
  EXPECT_THAT(with("video.x"), HasSubstr("known are: ecommerce.checkout, ecommerce.reserve_inventory"));
  EXPECT_THAT(with("{ http: localhost:8000 }"),
              StartsWith("6:22+14 actors.a.handler.http: the URL of a handler starts with"));
  EXPECT_THAT(with("{ http: 'http:///x' }"), HasSubstr("needs a host"));
  EXPECT_THAT(with("{ http: 'http://h', simulate: {} }"),
              StartsWith("6:34+8 actors.a.handler is either http or simulate"));
  EXPECT_THAT(with("{ htp: 'http://h' }"),
              StartsWith("6:16+3 unknown key 'htp' in actors.a.handler; did you mean 'http'?"));
  EXPECT_THAT(with("{ simulate: { latency: 5 } }"), StartsWith("6:37+1 '5' is not a duration; write '5s'"));
  EXPECT_THAT(with("[a]"), StartsWith("6:14+1 actors.a.handler must be a registered name"));
  EXPECT_THAT(with("{}"), HasSubstr("must be a registered name"));
}

TEST(ConfigGrammar, keys_that_do_not_fit_the_kind_are_errors) {
  EXPECT_THAT(only(load_text(head + page_views + "    pool: { workers: 3 }\n")),
              StartsWith("9:5+4 'pool' does not fit actors.page-views, which is made by 'aggregate'"));
  EXPECT_THAT(
      only(load_text(
          head +
          "actors:\n  load:\n    generate: { topic: t, value: v }\n    consume: { topic: t, group: g }\n")),
      StartsWith("6:5+7 'consume' does not fit actors.load, which is made by 'generate'"));
}

TEST(ConfigGrammar, an_actor_needs_a_kind_and_something_to_consume) {
  EXPECT_THAT(only(load_text(head + "actors:\n  a: { deadline: 5s }\n")),
              StartsWith("4:3+1 actors.a needs one of"));
  EXPECT_THAT(only(load_text(head + "actors:\n  a: { consume: { topic: t, group: g } }\n")),
              StartsWith("4:3+1 actors.a consumes, but has neither 'handler' nor 'aggregate'"));
  EXPECT_THAT(only(load_text(head + "actors:\n  a: { handler: ecommerce.checkout }\n")),
              StartsWith("4:3+1 actors.a needs the key 'consume'"));
  EXPECT_THAT(only(load_text(head + "actors:\n  a: 3\n")),
              StartsWith("4:6+1 actors.a must be a map of its keys, not a single value"));
  EXPECT_THAT(only(load_text(head + "actors:\n  a:\n")),
              StartsWith("4:3+1 actors.a must be a map of its keys, not nothing"));
  EXPECT_THAT(only(load_text(head + "actors:\n  a b: { generate: { topic: t, value: v } }\n")),
              StartsWith("4:3+3 an actor can't be called 'a b'"));
}

TEST(ConfigGrammar, aggregates_are_checked_at_their_place) {
  const auto with = [](const std::string& rest) {
    return only(load_text(head + "actors:\n  a:\n    consume: { topic: t, group: g }\n    aggregate: { " +
                          rest + " }\n"));
  };
  EXPECT_THAT(with("into: 'v:{value}'"), StartsWith("6:5+9 actors.a.aggregate needs the key 'count_by'"));
  EXPECT_THAT(with("count_by: /a, into: 'v'"),
              StartsWith("6:38+3 actors.a.aggregate.into must contain {value}"));
  EXPECT_THAT(with("count_by: a, into: 'v{value}'"),
              StartsWith("6:28+1 'a' in actors.a.aggregate.count_by: a JSON pointer starts"));
  EXPECT_THAT(with("count_by: /a, into: '{value}', per_minute: { into: m }"),
              HasSubstr("must contain {minute}"));
  EXPECT_THAT(with("count_by: /a, into: '{value}', per_minute: { keep: 1h }"),
              HasSubstr("per_minute needs the key 'into'"));
  EXPECT_THAT(with("count_by: /a, into: '{value}', where: { type: x }"),
              HasSubstr("'type' in actors.a.aggregate.where: a JSON pointer"));
  EXPECT_THAT(with("count_by: /a, into: '{value}', where: { /type: [x] }"),
              HasSubstr("must be a single value, not a list"));
  EXPECT_THAT(with("count_by: /a, into: '{value}', flush: { every: 0s }"), HasSubstr("between 10ms and 24h"));
}

TEST(ConfigGrammar, settings_are_free_words_for_a_handler_of_the_programs_own) {
  const auto with = [](const std::string& rest) {
    return load_text(head + "actors:\n  a:\n    consume: { topic: t, group: g }\n" + rest);
  };
  const auto s = good(
      with("    handler: ecommerce.reserve_inventory\n    settings: { gateway: 'http://x', size: 3 }\n"));
  EXPECT_THAT(std::get<worker_actor>(s.actors[0].kind).settings,
              testing::ElementsAre(testing::Pair("gateway", "http://x"), testing::Pair("size", "3")));
  EXPECT_THAT(only(with("    handler: ecommerce.reserve_inventory\n    settings: { gateway: [x] }\n")),
              HasSubstr("actors.a.settings.gateway must be a single value, not a list"));
  EXPECT_THAT(only(with("    handler: { http: 'http://x/' }\n    settings: { gateway: x }\n")),
              StartsWith("7:5+8 settings are for a handler of the program's own"));
}

TEST(ConfigGrammar, generators_are_checked_at_their_place) {
  const auto with = [](const std::string& rest) {
    return only(load_text(head + "actors:\n  a:\n    generate: { " + rest + " }\n"));
  };
  EXPECT_THAT(with("topic: t, value: v, every: 0ms"),
              StartsWith("5:44+3 actors.a.generate.every must be between 1ms"));
  EXPECT_THAT(with("topic: t, value: v, keys: 0"), HasSubstr("between 1 and 1000000"));
  EXPECT_THAT(with("value: v"), StartsWith("5:5+8 actors.a.generate needs the key 'topic'"));
}

TEST(ConfigGrammar, the_top_is_checked_at_its_place) {
  const auto with = [](const std::string& line) { return only(load_text(head + inventory + line + "\n")); };
  EXPECT_THAT(with("kafak: {}"), StartsWith("7:1+5 unknown key 'kafak'; did you mean 'kafka'?"));
  EXPECT_THAT(with("kafka: { brokers: 'a:x' }"),
              StartsWith("7:19+5 'a:x' in kafka.brokers: this is not a broker's address"));
  EXPECT_THAT(with("kafka: { brokers: [a, embedded] }"), StartsWith("7:23+8 'embedded' stands alone"));
  EXPECT_THAT(with("kafka: { properties: { a: [1] } }"),
              StartsWith("7:27+1 kafka.properties.a must be a single value"));
  EXPECT_THAT(with("admin: { listen: '9090' }"),
              StartsWith("7:18+6 '9090' in admin.listen: this is not an address to listen on"));
  EXPECT_THAT(with("shutdown: { deadline: 10 }"), StartsWith("7:23+2 '10' is not a duration; write '10s'"));
  EXPECT_THAT(with("log: { level: inof }"), HasSubstr("did you mean 'info'?"));
  EXPECT_THAT(with("defaults: { retires: 5 }"),
              StartsWith("7:13+7 unknown key 'retires' in defaults; did you mean 'retry'?"));
}

TEST(ConfigGrammar, an_ingests_own_types_are_checked) {
  EXPECT_THAT(
      told(load_text(head +
                     "actors:\n  events:\n    ingest: { route: /events, listen: '0.0.0.0:8081', topic: t,"
                     " key: id, require: { /a: arry }, respond: 404 }\n")),
      ElementsAre("shop.yaml:5:22: '/events' in actors.events.ingest.route: a route is a method and a path, "
                  "as in 'POST /events'",
                  "shop.yaml:5:70: 'id' in actors.events.ingest.key: a key is 'header:NAME' or a JSON "
                  "pointer, as in '/session_id'",
                  "shop.yaml:5:89: 'arry' is not a JSON type; did you mean 'array'?",
                  "shop.yaml:5:106: actors.events.ingest.respond must be between 200 and 299, not 404"));
}

TEST(ConfigGrammar, version_app_and_actors_are_needed) {
  EXPECT_THAT(only(load_text("app: shop\n" + inventory)),
              StartsWith("1:1+1 the key 'version' is missing; write 'version: 1'"));
  EXPECT_THAT(only(load_text("version: 2\napp: shop\n" + inventory)),
              StartsWith("1:10+1 version must be 1, not 2"));
  EXPECT_THAT(only(load_text("version: 1\n" + inventory)), StartsWith("1:1+1 the key 'app' is missing"));
  EXPECT_THAT(only(load_text("version: 1\napp: 'a b'\n" + inventory)),
              StartsWith("2:6+5 'a b' in app: a name holds only"));
  EXPECT_THAT(only(load_text(head)), HasSubstr("there are no actors"));
  EXPECT_THAT(only(load_text(head + "actors: {}\n")), StartsWith("3:1+6 there are no actors"));
  EXPECT_THAT(only(load_text(head + "actors: [a]\n")), StartsWith("3:9+1 actors must be a map, not a list"));
}

TEST(ConfigGrammar, all_problems_come_at_once_in_the_order_of_the_file) {
  const auto l =
      load_text("version: 1\napp: shop\nadmin: { listen: x }\n" + inventory +
                "    retires: 5\n    deadline: 30\n    pool: { workers: 0 }\nlog: { level: loud }\n");
  EXPECT_FALSE(l.config);
  EXPECT_THAT(told(l), ElementsAre(StartsWith("shop.yaml:3:18: "), StartsWith("shop.yaml:8:5: "),
                                   StartsWith("shop.yaml:9:15: "), StartsWith("shop.yaml:10:22: "),
                                   StartsWith("shop.yaml:11:15: ")));
}

TEST(ConfigGrammar, places_count_characters_not_bytes) {
  const auto l = load_text(inventory_with("dlq: { topic: \"grün\", creat: true }"));
  EXPECT_THAT(told(l),
              ElementsAre(StartsWith("shop.yaml:7:19: "), StartsWith("shop.yaml:7:27: unknown key 'creat'")));
  EXPECT_EQ(l.problems[0].width, 6U);
}

} // namespace
} // namespace troupe::config

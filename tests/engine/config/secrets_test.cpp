#include "tests/engine/config/fixture.hpp"

#include <filesystem>
#include <fstream>

#include <unistd.h>

namespace troupe::config {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string all_of(const loaded& l) {
  return show(l.problems, false) + testing::PrintToString(told(l));
}

loaded with(const std::string& text, std::map<std::string, std::string> environment = {}) {
  auto from = from_text(text);
  from.environment = std::move(environment);
  return load(from);
}

TEST(ConfigSecrets, variables_are_put_in_after_the_yaml_is_parsed) {
  const auto text =
      head + inventory + "kafka: { brokers: \"${B:-localhost:1}\", properties: { x: 'a${X}b$${Y}' } }\n";
  const auto s = good(with(text, {{"X", "}: [\"#"}}));
  EXPECT_EQ(s.kafka.brokers, "localhost:1");
  EXPECT_EQ(s.kafka.properties.at("x"), "a}: [\"#b${Y}");
  EXPECT_EQ(good(with(text, {{"X", ""}, {"B", "k:9"}})).kafka.brokers, "k:9");
  EXPECT_EQ(good(with(text, {{"X", ""}, {"B", ""}})).kafka.brokers, "localhost:1") << "empty is as unset";
}

TEST(ConfigSecrets, an_unset_variable_is_one_error_with_its_place) {
  EXPECT_EQ(only(with(inventory_with("deadline: ${DEADLINE}"))),
            "7:15+11 the variable DEADLINE is not set; set it, or write ${DEADLINE:-default}");
  EXPECT_THAT(only(with(inventory_with("deadline: '${DEADLINE'"))),
              HasSubstr("7:15+12 '${' is never closed"));
  EXPECT_THAT(only(with(inventory_with("deadline: '${a b}'"))), HasSubstr("this is not a variable"));
  EXPECT_THAT(only(with(inventory_with("deadline: ${D}"), {{"D", "\xff"}})), HasSubstr("is not UTF-8 text"));
}

TEST(ConfigSecrets, files_are_read_without_their_last_line_end) {
  const auto path = std::filesystem::temp_directory_path() / ("troupe-secret-" + std::to_string(::getpid()));
  std::ofstream{path} << "redis://u:p@h:1/0\n";
  EXPECT_EQ(good(with(head + inventory + "redis: { url: '${file:" + path.string() + "}' }\n")).redis_url,
            "redis://u:p@h:1/0");
  std::filesystem::remove(path);
  EXPECT_THAT(only(with(inventory_with("deadline: '${file:/nowhere/at/all}'"))),
              HasSubstr("7:15+25 the file '/nowhere/at/all' can't be read: No such file or directory"));
  EXPECT_THAT(only(with(inventory_with("deadline: '${file:relative}'"))), HasSubstr("absolute path"));
  EXPECT_THAT(only(with(inventory_with("deadline: '${file:/dev/zero}'"))), HasSubstr("is not a plain file"));
}

TEST(ConfigSecrets, what_came_from_a_variable_is_never_repeated) {
  for (const auto* line : {"deadline: ${S}", "pool: { workers: '${S}' }", "retry: { jitter: '${S}' }",
                           "dlq: { topic: ' ${S}' }", "retry: { backoff: '${S}' }", "dlq: { create: '${S}' }",
                           "publish: { topic: o, key: '${S}' }", "breaker: { over: '${S}' }"}) {
    for (const auto* secret : {"hunter2", "424242424242", "hunter2/!"}) {
      const auto l = with(inventory_with(line), {{"S", secret}});
      EXPECT_THAT(all_of(l), Not(HasSubstr(secret))) << line;
    }
  }
  const auto l = with(inventory_with("deadline: ${S}"), {{"S", "hunter2"}});
  EXPECT_EQ(only(l), "7:15+4 the value is not a duration; write it as '500ms', '5s', '1m' or '48h'");
  EXPECT_EQ(l.problems.at(0).source, "    deadline: ${S}");
}

TEST(ConfigSecrets, handlers_and_properties_from_variables_are_not_repeated_either) {
  auto from = from_text(head + "kafka: { properties: { p: '${S}' } }\nactors:\n  a: { consume: { topic: t, "
                               "group: g }, handler: '${S}' }\n");
  from.environment = {{"S", "hunter2"}};
  from.check_property = [](const std::string&, const std::string&, const std::string& value) {
    return std::optional{"no good: " + value};
  };
  const auto l = load(from);
  EXPECT_EQ(l.problems.size(), 2U);
  EXPECT_THAT(all_of(l), Not(HasSubstr("hunter2")));
}

TEST(ConfigSecrets, a_password_in_a_redis_url_is_never_shown) {
  for (const auto* line :
       {"redis: { url: 'redis://u:hunter2@h:x/0', colour: red }", "redis: { url: 'http://u:hunter2@h' }",
        "redis: { url: \"redis://u:hun/ter2@h", "redis: { urll: redis://u:hunter2@h }"}) {
    const auto l = with(head + inventory + line + "\n");
    EXPECT_FALSE(l.problems.empty());
    EXPECT_THAT(all_of(l), Not(HasSubstr("ter2"))) << line;
  }
}

TEST(ConfigSecrets, the_line_keeps_its_columns_where_a_password_is_blanked) {
  const auto l = with(head + inventory + "redis: { url: 'redis://u:pä@h:1/0', colour: red }\n");
  ASSERT_EQ(l.problems.size(), 1U);
  EXPECT_EQ(l.problems[0].source, "redis: { url: 'redis://****@h:1/0', colour: red }");
  EXPECT_EQ(l.problems[0].column, 37);
}

TEST(ConfigSecrets, properties_that_sound_like_secrets_are_blanked) {
  for (const auto* line : {"kafka: { properties: { sasl.password: hunter2, x: [1] } }",
                           "kafka: { properties: { \"sasl.password\": hunter2, y: } ",
                           "kafka: { properties: { a: tokens, ssl.key.password: [hunter2] } }"})
    EXPECT_THAT(all_of(with(head + inventory + line + "\n")), Not(HasSubstr("hunter2"))) << line;
}

TEST(ConfigSecrets, overrides_do_not_show_secrets) {
  auto from = from_text(head + inventory);
  from.set = {{"redis.url", "hunter2"},
              {"actors.inventory.handler.http", "hunter2"},
              {"kafka.properties.sasl.password.x", "[hunter2"}};
  from.environment = {{"TROUPE_REDIS__URL", "hunter2"}, {"TROUPE_ADMIN__LISTEN", "hunter2"}};
  const auto l = load(from);
  EXPECT_GE(l.problems.size(), 3U);
  EXPECT_THAT(all_of(l), Not(HasSubstr("hunter2")));
}

} // namespace
} // namespace troupe::config

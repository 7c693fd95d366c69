#include "engine/ingest/intake.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace troupe::ingest {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::int64_t now = 1'769'903'999'000'000'042; // 2026-01-31T23:59:59.000000042Z

rules user_events() {
  rules r;
  r.topic = "user.events";
  r.key = *json::pointer::parse("/session_id");
  r.require = {{*json::pointer::parse("/type"), "string"}};
  r.stamp = *json::pointer::parse("/timestamp");
  r.batch = true;
  return r;
}

std::vector<outgoing> good(intake& in, const std::string& body, std::string_view type = "application/json",
                           const std::optional<std::string>& key = {}) {
  auto got = in.events(type, key, body, now);
  if (const auto* wrong = std::get_if<problem>(&got)) {
    ADD_FAILURE() << wrong->detail;
    return {};
  }
  return std::get<std::vector<outgoing>>(got);
}

problem bad(intake& in, const std::string& body, std::string_view type = "application/json",
            const std::optional<std::string>& key = {}) {
  auto got = in.events(type, key, body, now);
  if (auto* wrong = std::get_if<problem>(&got)) return *wrong;
  ADD_FAILURE() << "taken: " << body;
  return {};
}

TEST(Intake, makes_the_event_that_the_body_is) {
  rules r;
  r.topic = "orders";
  intake in{r};
  const std::string body = R"( {"b":1.50,"a":[1, 2]} )";
  const auto made = good(in, body);
  ASSERT_EQ(made.size(), 1U);
  EXPECT_EQ(made[0].topic, "orders");
  EXPECT_EQ(made[0].value, body) << "byte for byte";
  EXPECT_EQ(made[0].key, std::nullopt);
  EXPECT_EQ(made[0].timestamp_ms, now / 1'000'000);
  EXPECT_EQ(good(in, "{}", "").size(), 1U);
  EXPECT_EQ(good(in, "{}", "Application/JSON; charset=utf-8").size(), 1U);
  EXPECT_EQ(good(in, "{}", "text/plain;charset=UTF-8").size(), 1U) << "as browsers send beacons";
  EXPECT_EQ(good(in, "{}", "application/cloudevents+json").size(), 1U);
}

TEST(Intake, takes_the_key_from_the_event_or_from_a_header) {
  intake in{user_events()};
  EXPECT_EQ(good(in, R"({"type":"click","session_id":"s-1"})")[0].key, "s-1");
  EXPECT_EQ(good(in, R"({"type":"click","session_id":12})")[0].key, "12");
  for (const char* none : {R"({"type":"click"})", R"({"type":"click","session_id":null})",
                           R"({"type":"click","session_id":""})", R"({"type":"click","session_id":{}})"})
    EXPECT_THAT(bad(in, none).detail, HasSubstr("/session_id is missing"));

  rules r;
  r.topic = "order.placed";
  r.key_header = "X-Customer-ID";
  intake checkout{r};
  EXPECT_EQ(good(checkout, "{}", "", "c-1")[0].key, "c-1");
  for (const auto& none : {std::optional<std::string>{}, std::optional<std::string>{""}})
    EXPECT_THAT(bad(checkout, "{}", "", none).detail, HasSubstr("the header X-Customer-ID is missing"));
}

TEST(Intake, stamps_the_time_over_what_the_client_says) {
  intake in{user_events()};
  const auto event = nlohmann::json::parse(
      *good(in, R"({"timestamp":"yesterday","type":"click","session_id":"s","payload":{"a":"\u00e4"}})")[0]
           .value);
  EXPECT_EQ(event["timestamp"], "2026-01-31T23:59:59.000000042Z");
  EXPECT_EQ(event["payload"]["a"], "ä");
  EXPECT_EQ(event.size(), 4U);
  auto deep = user_events();
  deep.stamp = *json::pointer::parse("/meta/at");
  intake nested{deep};
  EXPECT_THAT(*good(nested, R"({"type":"x","session_id":"s"})")[0].value,
              HasSubstr(R"("meta":{"at":"2026-01-31T23:59:59.000000042Z"})"));
  EXPECT_THAT(bad(nested, R"({"type":"x","session_id":"s","meta":7})").detail,
              HasSubstr("/meta/at cannot be set"));
}

TEST(Intake, leaves_all_but_the_stamp_byte_for_byte) {
  rules r;
  r.topic = "events";
  r.stamp = *json::pointer::parse("/a\"t");
  intake in{r};
  const std::string stamp = R"("a\"t":"2026-01-31T23:59:59.000000042Z"})";
  EXPECT_EQ(good(in, "{}")[0].value, "{" + stamp);
  EXPECT_EQ(good(in, "{ }\n")[0].value, "{ " + stamp + "\n");
  EXPECT_EQ(good(in, R"({ "n": 1.50e2, "big": 123456789012345678901234567890, "s": "{" })")[0].value,
            R"({ "n": 1.50e2, "big": 123456789012345678901234567890, "s": "{" ,)" + stamp);
  EXPECT_EQ(good(in, R"({"o":{} })")[0].value, R"({"o":{} ,)" + stamp);
  EXPECT_EQ(good(in, R"({"x":1,"\u0061\"t":{}})")[0].value, R"({"x":1,)" + stamp) << "the same name, escaped";
}

TEST(Intake, names_what_is_wrong) {
  intake in{user_events()};
  EXPECT_THAT(bad(in, "").detail, HasSubstr("empty"));
  EXPECT_THAT(bad(in, " \r\n").detail, HasSubstr("empty"));
  EXPECT_THAT(bad(in, "{").detail, HasSubstr("no JSON"));
  EXPECT_THAT(bad(in, R"({"type":"x","session_id":"s"}x)").detail, HasSubstr("no JSON"));
  EXPECT_THAT(bad(in, "7").detail, HasSubstr("not a number"));
  EXPECT_THAT(bad(in, R"({"session_id":"s"})").detail,
              HasSubstr("/type is missing; it must be of type string"));
  EXPECT_THAT(bad(in, R"({"session_id":"s","type":7})").detail,
              HasSubstr("must be of type string, not number"));
  EXPECT_THAT(bad(in, std::string(2'000, '[') + std::string(2'000, ']')).detail, HasSubstr("nested"));
  EXPECT_EQ(bad(in, "{}", "application/xml").status, 415);
  EXPECT_EQ(bad(in, "type=x", "application/x-www-form-urlencoded").status, 400);
  auto single = user_events();
  single.batch = false;
  intake one{single};
  EXPECT_THAT(bad(one, "[]").detail, HasSubstr("arrays are not taken here"));
  EXPECT_EQ(bad(one, "{}", "application/x-ndjson").status, 415);
}

TEST(Intake, checks_each_of_the_types) {
  for (const auto& [type, value, other] :
       std::vector<std::array<const char*, 3>>{{"string", "\"x\"", "1"},
                                               {"number", "1.5", "\"1\""},
                                               {"integer", "7", "7.5"},
                                               {"boolean", "true", "0"},
                                               {"object", "{}", "[]"},
                                               {"array", "[]", "{}"},
                                               {"null", "null", "false"}}) {
    rules r;
    r.require = {{*json::pointer::parse("/a"), type}};
    intake in{r};
    EXPECT_EQ(good(in, std::string{R"({"a":)"} + value + "}").size(), 1U) << type;
    EXPECT_THAT(bad(in, std::string{R"({"a":)"} + other + "}").detail, HasSubstr(type));
  }
}

TEST(Intake, takes_arrays_and_lines_as_a_whole_or_not_at_all) {
  intake in{user_events()};
  const std::string a = R"({"type":"a","session_id":"1"})", b = R"({"type":"b","session_id":"2"})";
  const auto keys = [](const std::vector<outgoing>& all) {
    std::vector<std::string> k;
    for (const auto& e : all)
      k.push_back(*e.key);
    return k;
  };
  EXPECT_THAT(keys(good(in, " [" + a + ", " + b + "]")), ElementsAre("1", "2"));
  EXPECT_THAT(keys(good(in, a + "\n\n" + b + "\r\n", "application/x-ndjson")), ElementsAre("1", "2"));
  EXPECT_THAT(keys(good(in, a)), ElementsAre("1"));
  const auto second = bad(in, "[" + a + R"(,{"type":7,"session_id":"2"}])");
  EXPECT_EQ(second.event, 1U);
  EXPECT_THAT(second.detail, HasSubstr("/type"));
  EXPECT_EQ(bad(in, a + "\nnonsense", "application/x-ndjson").event, 1U);
  EXPECT_THAT(bad(in, "[]").detail, HasSubstr("empty"));
  EXPECT_THAT(bad(in, "[" + a + ",]").detail, HasSubstr("no JSON"));
  EXPECT_THAT(bad(in, "[[]," + a + "]").detail, HasSubstr("object"));
}

TEST(Intake, completes_what_a_handler_made) {
  rules r;
  r.topic = "order.placed";
  r.key_header = "X-Customer-ID";
  r.require = {{*json::pointer::parse("/items"), "array"}};
  intake in{r};
  EXPECT_FALSE(in.check("", "c-1", "")) << "an empty body is for the handler";
  EXPECT_TRUE(in.check("", std::nullopt, ""));
  EXPECT_THAT(in.check("", "c-1", R"({"items":{}})")->detail, HasSubstr("/items"));
  outgoing event;
  event.value = "{}";
  EXPECT_FALSE(in.complete(event, "c-1", now));
  EXPECT_EQ(event.topic, "order.placed");
  EXPECT_EQ(event.key, "c-1");
  outgoing own;
  own.topic = "other";
  own.key = "k";
  own.value = "no JSON";
  EXPECT_FALSE(in.complete(own, "c-1", now));
  EXPECT_EQ(own.topic, "other");
  EXPECT_EQ(own.key, "k");
}

TEST(IntakeProblem, is_a_problem_of_rfc_9457) {
  const auto body = nlohmann::json::parse(problem_json({400, "a \"quoted\" \xff thing", 3}));
  EXPECT_EQ(body["type"], "about:blank");
  EXPECT_EQ(body["title"], "Bad Request");
  EXPECT_EQ(body["status"], 400);
  EXPECT_EQ(body["event"], 3);
  EXPECT_THAT(body["detail"].get<std::string>(), HasSubstr("a \"quoted\""));
}

} // namespace
} // namespace troupe::ingest

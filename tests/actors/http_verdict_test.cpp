#include "actors/http_call.hpp"
#include "tests/actors/stage.hpp"

#include <map>

// The design's table for HTTP handlers (section 4), and the call as it goes out.
namespace troupe::actors {
namespace {

outcome judged(int status, std::string body = {}, bool publishes = false,
               std::optional<milliseconds> retry_after = {}) {
  return judge_answer(http::answer{status, retry_after, std::move(body)}, publishes);
}

std::vector<std::string> values(const outcome& o) {
  std::vector<std::string> all;
  for (const auto& e : o.events) {
    EXPECT_TRUE(e.topic.empty()); // the config's `publish` names it
    all.push_back(e.value.value_or("(null)"));
  }
  return all;
}

TEST(HttpVerdict, EverySuccessStatusSucceeds) {
  for (const int status : {200, 201, 202, 204, 206, 299})
    EXPECT_EQ(judged(status).kind, verdict::success) << status;
}

TEST(HttpVerdict, WithoutPublishTheBodyOfASuccessIsNotLookedAt) {
  for (const auto* body : {"", "no JSON at all", "{\"a\":1}"}) {
    const auto o = judged(200, body);
    EXPECT_EQ(o.kind, verdict::success) << body;
    EXPECT_TRUE(o.events.empty()) << body;
  }
}

TEST(HttpVerdict, WithPublishAnObjectIsTheEvent) {
  const auto o = judged(200, R"({"order_id": "o-1","n":1})", true);
  EXPECT_EQ(o.kind, verdict::success);
  ASSERT_EQ(o.events.size(), 1U);
  EXPECT_EQ(values(o)[0], R"({"order_id": "o-1","n":1})");
}

TEST(HttpVerdict, WithPublishAnArrayIsItsEvents) {
  const auto o = judged(201, R"([{"n":1},{"n":2}])", true);
  EXPECT_EQ(o.kind, verdict::success);
  EXPECT_EQ(values(o), (std::vector<std::string>{R"({"n":1})", R"({"n":2})"}));
}

TEST(HttpVerdict, WithPublishAnEmptyBodyOrArrayIsNoEvent) {
  for (const auto* body : {"", " \r\n\t", "[]"}) {
    const auto o = judged(200, body, true);
    EXPECT_EQ(o.kind, verdict::success) << body;
    EXPECT_TRUE(o.events.empty()) << body;
  }
}

TEST(HttpVerdict, WithPublishWhatIsNoEventIsPermanent) {
  for (const auto* body : {"thanks", "{\"a\":", "42", "\"text\""}) {
    const auto o = judged(200, body, true);
    EXPECT_EQ(o.kind, verdict::permanent) << body;
    EXPECT_EQ(o.error_class, "bad_answer") << body;
  }
}

TEST(HttpVerdict, ABusyServiceIsUnavailableAndItsRetryAfterIsHeard) {
  for (const int status : {429, 503}) {
    EXPECT_EQ(judged(status).kind, verdict::unavailable) << status;
    EXPECT_FALSE(judged(status).retry_after) << status;
    EXPECT_EQ(judged(status, "", false, 7s).retry_after, milliseconds{7000}) << status;
    EXPECT_EQ(judged(status).error_class, "http_" + std::to_string(status));
  }
}

TEST(HttpVerdict, TimeoutsTooEarlyAndOtherServerErrorsAreTransient) {
  for (const int status : {408, 425, 500, 501, 502, 504, 505, 599}) {
    EXPECT_EQ(judged(status).kind, verdict::transient) << status;
    EXPECT_EQ(judged(status).error_class, "http_" + std::to_string(status));
    EXPECT_EQ(judged(status, "", false, 2s).retry_after, milliseconds{2000}) << status;
  }
}

TEST(HttpVerdict, OtherClientErrorsAndRedirectsArePermanent) {
  for (const int status :
       {300, 301, 302, 304, 307, 308, 400, 401, 403, 404, 409, 410, 413, 418, 422, 451, 499})
    EXPECT_EQ(judged(status).kind, verdict::permanent) << status;
}

TEST(HttpVerdict, AReasonIsTheStatusAndWhatTheAnswerSaysOfIt) {
  const std::map<std::string, std::string> table{
      {"", "HTTP 402"},
      {R"({"detail":"card declined","title":"Payment"})", "HTTP 402: card declined"},
      {R"({"title":"Payment","status":402})", "HTTP 402: Payment"},
      {R"({"message":"no funds\nat all"})", "HTTP 402: no funds"},
      {R"({"error":"card declined"})", "HTTP 402: card declined"},
      {R"({"error":{"message":"card\u0007declined"}})", "HTTP 402: card declined"},
      {R"({"error":{"code":7}})", "HTTP 402"},
      {R"({"detail":)", "HTTP 402"},
      {R"(["a","b"])", "HTTP 402"},
      {" card declined\r\nat the bank\n", "HTTP 402: card declined"},
      {"<!doctype html><title>402</title>", "HTTP 402"},
      {std::string(300, 'x'), "HTTP 402: " + std::string(200, 'x')},
      // Cut between characters of two bytes.
      {"x" + std::string(100, 'y') + "\xC3\xA9\xC3\xA9" + std::string(94, 'z') + "\xC3\xA9",
       "HTTP 402: x" + std::string(100, 'y') + "\xC3\xA9\xC3\xA9" + std::string(94, 'z')}};
  for (const auto& [body, reason] : table)
    EXPECT_EQ(judged(402, body).reason, reason) << body;
  for (const int status : {404, 429, 500})
    EXPECT_EQ(judged(status, "so it is").reason, "HTTP " + std::to_string(status) + ": so it is");
}

TEST(HttpVerdict, ErrorBodiesAreNeverPublished) {
  for (const int status : {302, 404, 429, 500})
    EXPECT_TRUE(judged(status, R"({"n":1})", true).events.empty()) << status;
}

TEST(HttpVerdict, EveryBrokenCallHasItsVerdict) {
  const std::map<http::failure, verdict> table{
      {http::failure::no_connection, verdict::unavailable}, {http::failure::reset, verdict::transient},
      {http::failure::deadline, verdict::transient},        {http::failure::cancelled, verdict::transient},
      {http::failure::too_large, verdict::transient},       {http::failure::malformed, verdict::transient}};
  for (const auto& [kind, expected] : table) {
    const auto o = judge_answer(http::broken_call{kind, "why it broke"}, true);
    EXPECT_EQ(o.kind, expected) << static_cast<int>(kind);
    EXPECT_EQ(o.reason, "why it broke");
    EXPECT_FALSE(o.error_class.empty());
  }
}

using header_list = std::vector<std::pair<std::string, std::string>>;

TEST(HttpCall, CarriesTheEventByteForByteUnderTheDocumentedHeaders) {
  const auto to = http::parse_url("http://svc:8080/in").value();
  const auto what = call_of("customer-1", std::string{"{\"a\":\0}", 7}, 3);
  const auto out = make_http_call(to, *what, 1234ms);
  EXPECT_EQ(out.to.host, "svc");
  EXPECT_EQ(out.to.target, "/in");
  EXPECT_EQ(out.body, (std::string{"{\"a\":\0}", 7}));
  EXPECT_EQ(out.headers, (header_list{{"Content-Type", "application/json"},
                                      {"Idempotency-Key", "orders/3/17"},
                                      {"X-Troupe-Topic", "orders"},
                                      {"X-Troupe-Partition", "3"},
                                      {"X-Troupe-Offset", "17"},
                                      {"X-Troupe-Attempt", "3"},
                                      {"X-Troupe-Actor", "billing"},
                                      {"X-Troupe-Deadline", "1234"},
                                      {"X-Troupe-Key", "customer-1"}}));
}

std::shared_ptr<call> with(std::shared_ptr<call> what, std::optional<std::string> key,
                           std::vector<header> headers) {
  auto event = std::make_shared<record>(*what->event);
  event->key = std::move(key);
  event->headers = std::move(headers);
  what->event = std::move(event);
  return what;
}

std::optional<std::string> sent(const http::call& c, const std::string& name) {
  for (const auto& [n, v] : c.headers)
    if (n == name) return v;
  return std::nullopt;
}

TEST(HttpCall, PassesOnTraceAndContentTypeWhateverTheirCase) {
  const auto what = with(
      call_of("k", "x"), "k",
      {{"CONTENT-TYPE", "text/csv"}, {"TraceParent", "00-ab-cd-01"}, {"tracestate", "v=1"}, {"other", "no"}});
  const auto out = make_http_call({}, *what, 1ms);
  EXPECT_EQ(sent(out, "Content-Type"), "text/csv");
  EXPECT_EQ(sent(out, "traceparent"), "00-ab-cd-01");
  EXPECT_EQ(sent(out, "tracestate"), "v=1");
  EXPECT_FALSE(sent(out, "other"));
}

TEST(HttpCall, ANullContentTypeFallsBackAndANullKeyIsNoHeader) {
  const auto what = with(call_of("k", std::nullopt), std::nullopt, {{"content-type", std::nullopt}});
  const auto out = make_http_call({}, *what, 1ms);
  EXPECT_EQ(sent(out, "Content-Type"), "application/json");
  EXPECT_FALSE(sent(out, "X-Troupe-Key"));
  EXPECT_EQ(out.body, "");
}

TEST(HttpCall, ABinaryKeyCannotEndTheHeaderAndCanBeReadBack) {
  const auto what = with(call_of("k", "x"), std::string{"a\r\nX-Evil: 1\0\x7f%\xc3\xa9 z", 19}, {});
  EXPECT_EQ(sent(make_http_call({}, *what, 1ms), "X-Troupe-Key"), "a%0D%0AX-Evil: 1%00%7F%25\xc3\xa9 z");
}

TEST(HttpCall, AForeignHeaderCannotEndTheLineEither) {
  const auto what =
      with(call_of("k", "x"), "k", {{"traceparent", "1\r\nHost: evil"}, {"content-type", "a\nb"}});
  const auto out = make_http_call({}, *what, 1ms);
  EXPECT_EQ(sent(out, "traceparent"), "1%0D%0AHost: evil");
  EXPECT_EQ(sent(out, "Content-Type"), "a%0Ab");
}

} // namespace
} // namespace troupe::actors

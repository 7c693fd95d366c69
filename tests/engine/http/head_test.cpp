#include "engine/http/head.hpp"

#include <gtest/gtest.h>

namespace troupe::http {
namespace {

using namespace std::chrono_literals;
constexpr std::int64_t now = 1'769'860'800'000; // Sat, 31 Jan 2026 12:00:00 GMT

TEST(RetryAfter, may_be_seconds) {
  EXPECT_EQ(parse_retry_after("0", now), 0s);
  EXPECT_EQ(parse_retry_after("120", now), 120s);
  EXPECT_EQ(parse_retry_after(" 7\t", now), 7s);
  EXPECT_EQ(parse_retry_after("99999999999999999999999999", now), std::chrono::hours{24 * 365});
}

TEST(RetryAfter, may_be_a_date) {
  EXPECT_EQ(parse_retry_after("Sat, 31 Jan 2026 12:00:30 GMT", now), 30s);
  EXPECT_EQ(parse_retry_after("Sat, 31 Jan 2026 12:00:30 GMT", now + 250), 29'750ms);
  EXPECT_EQ(parse_retry_after("Sun, 01 Feb 2026 12:00:00 GMT", now), 24h);
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", now), 0s) << "the past means now";
  EXPECT_EQ(parse_retry_after("Fri, 31 Dec 9999 23:59:59 GMT", now), std::chrono::hours{24 * 365});
}

TEST(RetryAfter, nonsense_is_no_wish) {
  for (const char* text :
       {"", " ", "-1", "1.5", "soon", "12 s", "Sat, 31 Jan 2026 12:00:30", "Sat, 31 Foo 2026 12:00:30 GMT",
        "Sat, 31 Feb 2026 12:00:30 GMT", "Sat, 31 Jan 2026 25:00:30 GMT", "Sat, 31 Jan 2026 12:00:30 CET",
        "Saturday, 31-Jan-26 12:00:30 GMT", "Sat Jan 31 12:00:30 2026", "Sat, +1 Jan 2026 12:00:30 GMT"})
    EXPECT_FALSE(parse_retry_after(text, now)) << text;
}

call to(const std::string& url) {
  return {.to = parse_url(url).value(), .headers = {}, .body = "body"};
}

TEST(RequestHead, names_the_host_as_its_scheme_wants_it) {
  const auto host = [](const std::string& url) {
    const auto head = request_head(to(url)).value();
    const auto at = head.find("Host: ") + 6;
    return head.substr(at, head.find('\r', at) - at);
  };
  EXPECT_EQ(host("http://pay/"), "pay");
  EXPECT_EQ(host("http://pay:8080/"), "pay:8080");
  EXPECT_EQ(host("https://pay/"), "pay");
  EXPECT_EQ(host("https://pay:80/"), "pay:80");
  EXPECT_EQ(host("http://[::1]:81/"), "[::1]:81");
}

TEST(RequestHead, what_frames_the_message_is_not_up_to_the_caller) {
  auto c = to("http://pay/x");
  for (const char* name :
       {"Content-Length", "content-LENGTH", "Transfer-Encoding", "Connection", "Host", "Expect"})
    c.headers.emplace_back(name, "evil");
  c.headers.emplace_back("X-Mine", "kept");
  EXPECT_EQ(
      request_head(c).value(),
      "POST /x HTTP/1.1\r\nHost: pay\r\nUser-Agent: troupe\r\nContent-Length: 4\r\nX-Mine: kept\r\n\r\n");
}

TEST(RequestHead, a_value_cannot_smuggle_in_a_header_or_a_request) {
  for (const std::string value : {"a\r\nX-Evil: 1", "a\nb", "a\rb", "a\x7f"}) {
    auto c = to("http://pay/");
    c.headers.emplace_back("X-Troupe-Key", value);
    const auto head = request_head(c);
    ASSERT_FALSE(head) << value;
    EXPECT_NE(head.failure().detail.find("X-Troupe-Key"), std::string::npos);
  }
  auto zero = to("http://pay/");
  zero.headers.emplace_back("X", std::string{"a\0b", 3});
  EXPECT_FALSE(request_head(zero));
  for (const char* name : {"", "a b", "a:", "a\r\n", "\xC3\xA9"}) {
    auto c = to("http://pay/");
    c.headers.emplace_back(name, "v");
    EXPECT_FALSE(request_head(c)) << name;
  }
  for (const char* target : {"", "x", "/a b", "/a\r\nX: y", "/\x01"}) {
    auto c = to("http://pay/");
    c.to.target = target;
    EXPECT_FALSE(request_head(c)) << target;
  }
  for (const char* port : {"", "x", "0", "65536", "8 0"}) {
    auto c = to("http://pay/");
    c.to.port = port;
    EXPECT_FALSE(request_head(c)) << port;
  }
}

} // namespace
} // namespace troupe::http

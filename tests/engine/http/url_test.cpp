#include "engine/http/client.hpp"

#include <gtest/gtest.h>

namespace troupe::http {
namespace {

struct good_url {
  const char* text;
  bool tls;
  const char *host, *port, *target;
};

TEST(Url, is_taken_apart) {
  for (const auto& [text, tls, host, port, target] : {
           good_url{"http://pay", false, "pay", "80", "/"},
           good_url{"https://pay/", true, "pay", "443", "/"},
           good_url{"HTTP://Pay.Example:8080/Charge?x=1&y=/", false, "pay.example", "8080",
                    "/Charge?x=1&y=/"},
           good_url{"http://pay?x=1", false, "pay", "80", "/?x=1"},
           good_url{"http://10.0.0.1:1/a:b@c", false, "10.0.0.1", "1", "/a:b@c"},
           good_url{"https://[::1]/x", true, "::1", "443", "/x"},
           good_url{"http://[FE80::1]:65535", false, "fe80::1", "65535", "/"},
           good_url{"http://a_b-c.d:0080/", false, "a_b-c.d", "80", "/"},
       }) {
    const auto read = parse_url(text);
    ASSERT_TRUE(read) << text << ": " << read.failure().detail;
    EXPECT_EQ(read->tls, tls) << text;
    EXPECT_EQ(read->host, host) << text;
    EXPECT_EQ(read->port, port) << text;
    EXPECT_EQ(read->target, target) << text;
  }
}

TEST(Url, what_cannot_be_called_is_refused) {
  for (const std::string text : {"",
                                 "pay",
                                 "pay:80/x",
                                 "ftp://pay",
                                 "http:/pay",
                                 "http://",
                                 "http:///x",
                                 "http://:80",
                                 "http://pay:",
                                 "http://pay:0",
                                 "http://pay:65536",
                                 "http://pay:8o",
                                 "http://pay:-1",
                                 "http://pay:+1",
                                 "http://::1/",
                                 "http://[::1",
                                 "http://[::1]x",
                                 "http://[pay]/",
                                 "http://[]/",
                                 "http://[fe80::1%eth0]/",
                                 "http://pa y/",
                                 "http://pay/a b",
                                 "http://pay/\r\nX: y",
                                 "http://pay/\x7f",
                                 "http://pay/\xC3\xA9",
                                 "http://p\xC3\xA4y/",
                                 "http://pay/#top",
                                 "http://pay/a\tb",
                                 "http://a..b/",
                                 "http://.a/",
                                 "http://a,b/",
                                 "http://a\\b/"}) {
    const auto read = parse_url(text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.failure().code, errc::bad_config) << text;
    EXPECT_FALSE(read.failure().detail.empty()) << text;
  }
  EXPECT_FALSE(parse_url(std::string{"http://pay/\0x", 13}));
}

TEST(Url, credentials_are_refused_with_advice_and_not_repeated) {
  for (const char* text : {"http://me:hunter2@pay/", "https://hunter2@pay", "http://pay:hunter2@other/"}) {
    const auto read = parse_url(text);
    ASSERT_FALSE(read) << text;
    EXPECT_NE(read.failure().detail.find("Authorization"), std::string::npos);
    EXPECT_EQ(read.failure().detail.find("hunter2"), std::string::npos);
  }
}

} // namespace
} // namespace troupe::http

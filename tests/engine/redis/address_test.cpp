#include "engine/redis/client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace troupe::redis {

namespace {

address parsed(const std::string& url) {
  const auto got = parse_url(url);
  EXPECT_TRUE(got.ok()) << url << ": " << (got ? "" : got.failure().detail);
  return got ? *got : address{};
}

} // namespace

TEST(RedisUrl, takes_every_part) {
  const auto a = parsed("rediss://us%40er:p%3a%2F%25@cache.example_1:7000/12");
  EXPECT_TRUE(a.tls);
  EXPECT_EQ(a.user, "us@er");
  EXPECT_EQ(a.password, "p:/%");
  EXPECT_EQ(a.host, "cache.example_1");
  EXPECT_EQ(a.port, 7000);
  EXPECT_EQ(a.database, 12);
}

TEST(RedisUrl, fills_in_what_is_left_out) {
  const auto a = parsed("redis://localhost");
  EXPECT_FALSE(a.tls);
  EXPECT_EQ(a.port, 6379);
  EXPECT_EQ(a.database, 0);
  EXPECT_EQ(a.user + a.password + a.unix_path, "");
  EXPECT_EQ(parsed("REDIS://h/").database, 0);
  EXPECT_EQ(parsed("redis://:secret@h").password, "secret");
  EXPECT_EQ(parsed("redis://:a:b@h").password, "a:b");
}

TEST(RedisUrl, takes_ipv6_and_unix_sockets) {
  EXPECT_EQ(parsed("redis://[::1]:7000/1").host, "::1");
  EXPECT_EQ(parsed("redis://[::1]").port, 6379);
  EXPECT_EQ(parsed("redis://[::1]:7000/1").shown(), "redis://[::1]:7000/1");
  EXPECT_EQ(parsed("unix:///run/re%20dis.sock?db=3").unix_path, "/run/re dis.sock");
  EXPECT_EQ(parsed("unix:///run/redis.sock?db=3").database, 3);
  EXPECT_EQ(parsed("unix://:pw@/run/redis.sock").password, "pw");
}

TEST(RedisUrl, is_shown_without_the_password) {
  EXPECT_EQ(parsed("redis://me:hidden@h:1/2").shown(), "redis://me@h:1/2");
  EXPECT_EQ(parsed("rediss://:hidden@h").shown(), "rediss://h:6379/0");
  EXPECT_EQ(parsed("unix://me:hidden@/s?db=1").shown(), "unix://me@/s?db=1");
}

TEST(RedisUrl, says_what_is_wrong_and_never_the_password) {
  const std::vector<std::pair<std::string, std::string>> wrong{
      {"", "empty"},
      {"localhost:6379", "begin with"},
      {"http://:hidden@h", "begin with"},
      {"redis://", "host is missing"},
      {"redis:///0", "host is missing"},
      {"redis://:hidden@", "host is missing"},
      {"redis://:hidden@:1", "host is missing"},
      {"redis://hidden@h", ":password"},
      {"redis://:@h", "password before the @ is empty"},
      {"redis://:hid%zzden@h", "hexadecimal"},
      {"redis://:hidden%@h", "hexadecimal"},
      {"redis://:hidden%4@h", "hexadecimal"},
      {"redis://:hid/den@h", "/ before the @"},
      {"redis://:hid?den@h", "? or #"},
      {"redis://:hidden", "host is missing"},
      {"redis://user:hidden", "port"},
      {"redis://:hidden@h:0", "port"},
      {"redis://:hidden@h:65536", "port"},
      {"redis://:hidden@h:", "port"},
      {"redis://:hidden@h:-1", "port"},
      {"redis://:hidden@h:1x", "port"},
      {"redis://:hidden@::1", "[ ]"},
      {"redis://:hidden@[::1", "not closed"},
      {"redis://:hidden@[h]", "not an IPv6"},
      {"redis://:hidden@[::1]x", "after the ]"},
      {"redis://:hidden@h!h", "host name"},
      {"redis://:hidden@h/x", "database"},
      {"redis://:hidden@h/-1", "database"},
      {"redis://:hidden@h/0/1", "database"},
      {"redis://:hidden@h/99999999999", "database"},
      {"redis://:hidden@h?db=1", "? or #"},
      {"redis://:hid den@h", "space"},
      {"unix://", "path"},
      {"unix:///", "path"},
      {"unix://hidden/path", "not absolute"},
      {"unix:///s?hidden=1", "db="},
      {"unix:///s?db=x", "db="},
      {"unix:///" + std::string(200, 'x'), "107"},
  };
  for (const auto& [url, why] : wrong) {
    const auto got = parse_url(url);
    ASSERT_FALSE(got.ok()) << url;
    EXPECT_EQ(got.failure().code, errc::bad_config);
    EXPECT_THAT(got.failure().detail, testing::HasSubstr(why)) << url;
    EXPECT_THAT(got.failure().detail, testing::Not(testing::HasSubstr("hid"))) << url;
  }
}

} // namespace troupe::redis

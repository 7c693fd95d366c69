#include "apps/dashboard/access.hpp"

#include <gtest/gtest.h>

namespace troupe::dashboard {
namespace {

access at(const std::string& listen, std::vector<std::string> hosts = {}, bool asks_who = false) {
  config::dashboard d;
  d.listen = listen;
  d.hosts = std::move(hosts);
  d.asks_who = asks_who;
  return access{d, "alice"};
}

TEST(DashboardAccess, on_loopback_whoever_comes_may_act_under_the_name_of_the_local_user) {
  for (const auto* listen : {"127.0.0.1:8088", "localhost:8088", "[::1]:8088", "127.8.9.1:1"}) {
    const auto who = at(listen).without_login(false);
    EXPECT_TRUE(who.operates && who.reads_payloads) << listen;
    EXPECT_EQ(who.user, "alice");
    EXPECT_FALSE(at(listen).banner(who));
  }
}

TEST(DashboardAccess, elsewhere_nobody_may_act_or_read_payloads_without_a_login) {
  for (const auto* listen :
       {"0.0.0.0:8088", "[::]:8088", "10.0.0.5:8088", "troupe.example.com:8088", "128.0.0.1:1"}) {
    const auto who = at(listen).without_login(false);
    EXPECT_FALSE(who.operates || who.reads_payloads) << listen;
    EXPECT_TRUE(at(listen).banner(who)) << listen;
    EXPECT_FALSE(at(listen, {}, true).banner(who)) << listen;
  }
}

TEST(DashboardAccess, whoever_comes_by_a_proxy_may_be_anybody) {
  for (const auto& who : {at("127.0.0.1:8088").without_login(true),
                          at("127.0.0.1:8088", {"troupe.example.com"}).without_login(false)}) {
    EXPECT_FALSE(who.operates || who.reads_payloads);
    EXPECT_TRUE(at("127.0.0.1:8088").banner(who));
  }
}

TEST(DashboardAccess, answers_to_its_own_names_only) {
  const auto local = at("127.0.0.1:8088");
  for (const auto* host :
       {"127.0.0.1:8088", "localhost:8088", "LOCALHOST", "localhost:9000", "[::1]:8088", "127.0.0.1"})
    EXPECT_TRUE(local.answers_to(host)) << host;
  for (const auto* host : {"", "evil.example", "evil.example:8088", "localhost.evil.example", "10.0.0.5:8088",
                           "127.0.0.1.evil.example", ":8088", "["})
    EXPECT_FALSE(local.answers_to(host)) << host;
  EXPECT_TRUE(at("10.0.0.5:80").answers_to("10.0.0.5"));
  EXPECT_FALSE(at("10.0.0.5:80").answers_to("10.0.0.6"));
}

TEST(DashboardAccess, on_any_address_takes_addresses_but_no_names) {
  const auto open = at("0.0.0.0:8088", {"troupe.example.com"});
  EXPECT_TRUE(open.answers_to("10.1.2.3:8088"));
  EXPECT_TRUE(open.answers_to("[2001:db8::1]:8088"));
  EXPECT_TRUE(open.answers_to("Troupe.Example.com"));
  EXPECT_FALSE(open.answers_to("evil.example:8088"));
}

TEST(DashboardAccess, a_page_is_our_own_by_the_same_host_and_port) {
  const auto local = at("127.0.0.1:8088", {"troupe.example.com", "t.example.com:8443"});
  EXPECT_TRUE(local.is_own_page("http://localhost:8088", "localhost:8088"));
  EXPECT_TRUE(local.is_own_page("http://LOCALHOST:8088", "localhost:8088"));
  EXPECT_TRUE(local.is_own_page("http://localhost:9000", "localhost:9000")) << "a forwarded port";
  EXPECT_FALSE(local.is_own_page("http://localhost:3000", "localhost:8088"))
      << "another program of this host";
  EXPECT_FALSE(local.is_own_page("http://evil.example", "localhost:8088"));
  EXPECT_FALSE(local.is_own_page("null", "localhost:8088"));
  EXPECT_FALSE(local.is_own_page("", "localhost:8088"));
  EXPECT_FALSE(local.is_own_page("", ""));
  EXPECT_FALSE(local.is_own_page("http://", ""));
}

TEST(DashboardAccess, behind_a_proxy_a_page_has_the_proxys_name) {
  const auto local = at("127.0.0.1:8088", {"troupe.example.com", "t.example.com:8443"});
  EXPECT_TRUE(local.is_own_page("https://troupe.example.com", "127.0.0.1:8088"));
  EXPECT_TRUE(local.is_own_page("https://t.example.com:8443", "127.0.0.1:8088"));
  EXPECT_FALSE(local.is_own_page("https://t.example.com", "127.0.0.1:8088"));
  EXPECT_FALSE(local.is_own_page("https://troupe.example.com:8443", "127.0.0.1:8088"));
}

} // namespace
} // namespace troupe::dashboard

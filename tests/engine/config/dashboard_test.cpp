#include "tests/engine/config/fixture.hpp"

namespace troupe::config {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;
using testing::StartsWith;

const std::string redis = "redis: {}\n";
const std::string hash = "$argon2id$v=19$m=65536,t=3,p=1$c29tZXNhbHRzb21lc2FsdA$aGFzaGhhc2hoYXNo";

loaded with(const std::string& line) {
  return load_text(head + inventory + redis + line + "\n");
}

TEST(ConfigDashboard, is_not_in_run_where_its_address_is_not_written) {
  EXPECT_FALSE(good(load_text(head + inventory)).dashboard.in_run);
  EXPECT_FALSE(good(with("dashboard: { interval: 2s }")).dashboard.in_run);
  EXPECT_FALSE(good(with("dashboard: { listen: '' }")).dashboard.in_run);
  EXPECT_EQ(good(load_text(head + inventory)).dashboard.listen, "127.0.0.1:8088");
  EXPECT_TRUE(good(with("dashboard: { listen: '0.0.0.0:80' }")).dashboard.in_run);
}

TEST(ConfigDashboard, has_names_of_its_own_and_people_who_log_in) {
  const auto d =
      good(with("dashboard: { interval: 250ms, hosts: [t.example.com, 't.example.com:8443'], auth: { "
                "operators: { alice: '" +
                hash + "' }, viewers: { bob@example.com: '" + hash + "' } } }"))
          .dashboard;
  EXPECT_EQ(d.interval, 250ms);
  EXPECT_THAT(d.hosts, ElementsAre("t.example.com", "t.example.com:8443"));
  EXPECT_TRUE(d.asks_who);
  EXPECT_THAT(d.operators, ElementsAre(Pair("alice", hash)));
  EXPECT_THAT(d.viewers, ElementsAre(Pair("bob@example.com", hash)));
}

TEST(ConfigDashboard, needs_redis) {
  EXPECT_THAT(only(load_text(head + inventory + "dashboard: { listen: '127.0.0.1:0' }\n")),
              StartsWith("7:1+9 the dashboard shows what processes tell in Redis"));
}

TEST(ConfigDashboard, is_held_against_its_bounds) {
  EXPECT_THAT(only(with("dashboard: { listen: x }")), HasSubstr("this is not an address"));
  EXPECT_THAT(only(with("dashboard: { interval: 100ms }")), HasSubstr("must be between 250ms and 1m"));
  EXPECT_THAT(only(with("dashboard: { hosts: 'https://t.example.com' }")), HasSubstr("this is not a host"));
}

TEST(ConfigDashboard, lets_nobody_in_by_mistake) {
  EXPECT_THAT(only(with("dashboard: { auth: {} }")), HasSubstr("names nobody"));
  EXPECT_THAT(
      only(with("dashboard: { auth: { operators: { a: '" + hash + "' }, viewers: { a: '" + hash + "' } } }")),
      HasSubstr("'a' is among the operators and the viewers"));
  EXPECT_THAT(only(with("dashboard: { auth: { operators: { 'a b': '" + hash + "' } } }")),
              HasSubstr("a name has 1 to 100 characters"));
}

TEST(ConfigDashboard, never_repeats_a_password_that_is_no_hash) {
  const auto l = with("dashboard: { auth: { operators: { alice: hunter2 } } }");
  EXPECT_THAT(only(l), HasSubstr("dashboard.auth.operators.alice: this is not the hash of a password"));
  EXPECT_THAT(only(l), Not(HasSubstr("hunter2")));
  auto from = from_text(head + inventory + redis);
  from.set = {{"dashboard.auth.operators.alice", "hunter2"}};
  EXPECT_THAT(show(load(from).problems, false), Not(HasSubstr("hunter2")));
  from.set = {{"dashboard.auth.operators.alice", hash}};
  EXPECT_THAT(good(load(from)).dashboard.operators, ElementsAre(Pair("alice", hash)));
}

TEST(ConfigDashboard, an_actor_remembers_its_lines_without_passwords) {
  const auto s = good(load_text(head +
                                "actors:\n  one:   # the first\n    consume: { topic: t, group: g }\n\n"
                                "    handler:\n      http: http://me:hunter2@host/\n\n"
                                "  two:\n    consume: { topic: t2, group: g2 }\n    handler: "
                                "ecommerce.checkout\n    settings: { password: hunter2 }\n" +
                                redis));
  EXPECT_EQ(s.actors[0].text,
            "one:   # the first\n  consume: { topic: t, group: g }\n\n  handler:\n    http: "
            "http://**********@host/\n");
  EXPECT_THAT(s.actors[1].text, StartsWith("two:\n  consume: { topic: t2, group: g2 }\n"));
  EXPECT_THAT(s.actors[1].text, Not(HasSubstr("hunter2")));
}

} // namespace
} // namespace troupe::config

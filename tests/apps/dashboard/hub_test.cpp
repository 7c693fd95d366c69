#include "apps/dashboard/hub.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

namespace troupe::dashboard {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const steady_time start{std::chrono::hours{1000}};

/// Who follows, without a server in between.
struct reader : http::stream {
  bool write(std::string_view bytes) override {
    if (gone) return false;
    text += bytes;
    return true;
  }
  void end() override { ended = true; }
  std::string taken() { return std::exchange(text, {}); }
  std::string text;
  bool gone = false, ended = false;
};

struct DashboardHub : testing::Test {
  std::shared_ptr<reader> follow(
      std::optional<std::int64_t> last = {}, std::function<bool()> may = [] { return true; }) {
    auto made = std::make_shared<reader>();
    all.follow(http::reply{[this](http::response r) { refused = r.status; },
                           [made](http::response head, std::size_t) {
                             EXPECT_EQ(head.content_type, "text/event-stream");
                             return made;
                           }},
               last, std::move(may));
    return made;
  }

  int refused = 0;
  hub all{100};
};

TEST_F(DashboardHub, gives_the_whole_first_and_then_what_changes) {
  all.publish({{"at", 1}, {"a", 1}}, start);
  const auto one = follow();
  EXPECT_EQ(one->taken(), "retry: 2000\n\nid: 101\nevent: snapshot\ndata: {\"a\":1,\"at\":1}\n\n");
  all.publish({{"at", 2}, {"a", 1}}, start + 1s);
  EXPECT_EQ(one->taken(), "id: 102\nevent: patch\ndata: {\"at\":2}\n\n");
  all.publish({{"at", 2}, {"a", 1}}, start + 2s);
  EXPECT_EQ(one->taken(), "") << "nothing changed";
  EXPECT_EQ(*all.snapshot(), R"({"a":1,"at":2})");
}

TEST_F(DashboardHub, gives_who_was_away_for_a_moment_what_was_missed) {
  for (int i = 1; i <= 5; ++i)
    all.publish({{"at", i}}, start + i * 1s);
  EXPECT_EQ(follow(103)->taken(), "retry: 2000\n\nid: 104\nevent: patch\ndata: {\"at\":4}\n\n"
                                  "id: 105\nevent: patch\ndata: {\"at\":5}\n\n");
  EXPECT_EQ(follow(105)->taken(), "retry: 2000\n\n");
  EXPECT_THAT(follow(100)->taken(), HasSubstr("id: 101\nevent: patch"));
  EXPECT_THAT(follow(99)->taken(), HasSubstr("id: 105\nevent: snapshot")) << "of a former life";
  EXPECT_THAT(follow(106)->taken(), HasSubstr("id: 105\nevent: snapshot")) << "not ours";
}

TEST_F(DashboardHub, keeps_a_minute_of_it) {
  all.publish({{"at", 1}}, start);
  all.publish({{"at", 2}}, start + 30s);
  all.publish({{"at", 3}}, start + 61s);
  EXPECT_THAT(follow(100)->taken(), HasSubstr("event: snapshot"));
  EXPECT_THAT(follow(101)->taken(), Not(HasSubstr("event: snapshot")));
}

TEST_F(DashboardHub, drops_who_does_not_read_and_who_may_not) {
  all.publish({{"at", 1}}, start);
  const auto slow = follow();
  bool may = true;
  const auto expiring = follow({}, [&] { return may; });
  EXPECT_EQ(all.followers(), 2U);
  slow->gone = true;
  all.publish({{"at", 2}}, start + 1s);
  EXPECT_EQ(all.followers(), 1U);
  may = false;
  all.keep_alive(start + 2s);
  EXPECT_EQ(all.followers(), 0U);
}

TEST_F(DashboardHub, says_something_when_it_has_been_silent) {
  all.publish({{"at", 1}}, start);
  const auto one = follow();
  one->taken();
  all.keep_alive(start + 9s);
  EXPECT_EQ(one->taken(), "");
  all.keep_alive(start + 10s);
  EXPECT_EQ(one->taken(), ":\n\n");
  all.keep_alive(start + 11s);
  EXPECT_EQ(one->taken(), "");
}

TEST_F(DashboardHub, has_an_end_to_how_many_follow) {
  std::vector<std::shared_ptr<reader>> some;
  for (int i = 0; i < 100; ++i)
    some.push_back(follow());
  EXPECT_EQ(refused, 0);
  follow();
  EXPECT_EQ(refused, 503);
}

TEST_F(DashboardHub, takes_nobody_once_it_is_closed) {
  all.close();
  follow();
  EXPECT_EQ(refused, 503);
}

} // namespace
} // namespace troupe::dashboard

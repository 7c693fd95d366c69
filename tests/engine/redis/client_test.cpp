#include "engine/redis/client.hpp"
#include "engine/redis/protocol.hpp"
#include "tests/support/redis_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

namespace troupe::redis {

namespace {

using namespace std::chrono_literals;
using support::redis_server;
using testing::HasSubstr;

std::shared_ptr<client> to(const std::string& url, milliseconds timeout = 10s) {
  return client::open(*parse_url(url), timeout);
}

} // namespace

TEST(WireCommand, is_written_as_hiredis_would) {
  const std::vector<std::string> words{
      "SET", "", std::string("a\0b\r\n", 5), std::string(100'000, 'x'), "7", "-9223372036854775808"};
  wire_command written{words.size()};
  for (std::size_t i = 0; i + 2 < words.size(); ++i)
    written.add(words[i]);
  written.add(std::int64_t{7});
  EXPECT_FALSE(written.whole());
  written.add(std::numeric_limits<std::int64_t>::min());
  EXPECT_TRUE(written.whole());
  std::string expected;
  ASSERT_TRUE(append(expected, words));
  EXPECT_EQ(std::move(written).take(), expected);
}

TEST(WireCommand, with_other_words_than_were_said_is_not_sent) {
  const redis_server server;
  const auto c = to(server.url());
  for (const auto n : {2U, 4U}) {
    wire_command wrong{n};
    for (const auto* word : {"SET", "k", "v"})
      wrong.add(std::string_view{word});
    std::promise<result<client::replies>> answer;
    c->send(std::move(wrong), [&](auto r) { answer.set_value(std::move(r)); });
    const auto got = answer.get_future().get();
    ASSERT_FALSE(got.ok()) << n;
    EXPECT_EQ(got.failure().code, errc::usage);
  }
  EXPECT_EQ(c->ask({"EXISTS", "k"})->integer, 0);
}

TEST(RedisClient, answers_each_command_of_a_batch_in_order) {
  const redis_server server;
  const auto c = to(server.url());
  EXPECT_FALSE(c->up());
  const auto got = c->call({{"SET", "k", std::string("a\0b\r\n", 5)},
                            {"GET", "k"},
                            {"GET", "none"},
                            {"INCR", "k"},
                            {"INCR", "n"},
                            {"EVAL", "return {1,{'x',{2,{}}},false}", "0"}});
  ASSERT_TRUE(got.ok()) << got.failure().detail;
  const auto& r = *got;
  ASSERT_EQ(r.size(), 6U);
  EXPECT_EQ(r[0].text, "OK");
  EXPECT_EQ(r[1].text, std::string("a\0b\r\n", 5));
  EXPECT_EQ(r[2].kind, reply::type::nil);
  EXPECT_EQ(r[3].kind, reply::type::failure);
  EXPECT_THAT(r[3].text, HasSubstr("not an integer"));
  EXPECT_EQ(r[4].kind, reply::type::integer);
  EXPECT_EQ(r[4].integer, 1);
  ASSERT_EQ(r[5].items.size(), 3U);
  EXPECT_EQ(r[5].items[1].items[0].text, "x");
  EXPECT_EQ(r[5].items[1].items[1].items[0].integer, 2);
  EXPECT_EQ(r[5].items[1].items[1].items[1].kind, reply::type::list);
  EXPECT_TRUE(c->up());
}

TEST(RedisClient, carries_commands_and_replies_of_many_megabytes) {
  const redis_server server;
  const auto c = to(server.url(), 60s);
  const std::string big(std::size_t{20} << 20, 'x');
  const auto got = c->call({{"SET", "big", big}, {"GET", "big"}, {"GET", "big"}});
  ASSERT_TRUE(got.ok()) << got.failure().detail;
  EXPECT_EQ((*got)[1].text, big);
  EXPECT_EQ((*got)[2].text, big);
  std::vector<command> many(50'000, {"INCR", "n"});
  const auto counted = c->call(std::move(many));
  ASSERT_TRUE(counted.ok());
  ASSERT_EQ(counted->size(), 50'000U);
  EXPECT_EQ(counted->back().integer, 50'000);
}

TEST(RedisClient, gives_every_thread_its_own_answers) {
  const redis_server server;
  const auto c = to(server.url(), 60s);
  constexpr int threads = 4, each = 2000;
  std::atomic<int> wrong{0}, answered{0};
  std::vector<std::thread> senders;
  for (int t = 0; t < threads; ++t)
    senders.emplace_back([&, t] {
      for (int i = 0; i < each; ++i) {
        const auto name = std::to_string(t) + ":" + std::to_string(i);
        c->send({{"ECHO", name}, {"RPUSH", "list:" + std::to_string(t), name}}, [&, name, i](const auto& r) {
          if (!r || r->size() != 2 || (*r)[0].text != name || (*r)[1].integer != i + 1) ++wrong;
          ++answered;
        });
        if (i % 100 == 0 && !c->call({{"PING"}})) ++wrong;
      }
    });
  for (auto& s : senders)
    s.join();
  ASSERT_TRUE(c->call({{"PING"}}).ok());
  EXPECT_EQ(answered, threads * each);
  EXPECT_EQ(wrong, 0);
}

TEST(RedisClient, connects_over_a_unix_socket_to_the_chosen_database) {
  const redis_server server;
  ASSERT_TRUE(to("unix://" + server.unix_socket() + "?db=3")->call({{"SET", "k", "three"}}).ok());
  EXPECT_EQ((*to(server.url() + "/3")->call({{"GET", "k"}}))[0].text, "three");
  EXPECT_EQ((*to(server.url() + "/2")->call({{"GET", "k"}}))[0].kind, reply::type::nil);
  const auto got = to(server.url() + "/4711")->call({{"PING"}});
  ASSERT_FALSE(got.ok());
  EXPECT_THAT(got.failure().detail, HasSubstr("SELECT"));
}

TEST(RedisClient, signs_in_and_says_when_it_is_refused) {
  const redis_server server{{"--requirepass", "right"}};
  const auto at = "127.0.0.1:" + std::to_string(server.port());
  ASSERT_TRUE(to("redis://:right@" + at)
                  ->call({{"ACL", "SETUSER", "me", "on", ">my:p@ss", "~*", "+get", "+set", "+select"}})
                  .ok());
  EXPECT_TRUE(to("redis://me:my%3Ap%40ss@" + at + "/1")->call({{"SET", "k", "v"}}).ok());
  for (const auto& [url, why] :
       std::vector<std::pair<std::string, std::string>>{{"redis://:wr0ng@" + at, "WRONGPASS"},
                                                        {"redis://me:wr0ng@" + at, "WRONGPASS"},
                                                        {"redis://" + at, "NOAUTH"}}) {
    const auto c = to(url);
    const auto got = c->call({{"SET", "k", "v"}});
    ASSERT_FALSE(got.ok());
    EXPECT_EQ(got.failure().code, errc::unavailable);
    EXPECT_THAT(got.failure().detail, HasSubstr(why));
    EXPECT_THAT(got.failure().detail, HasSubstr("redis.url"));
    EXPECT_THAT(got.failure().detail, testing::Not(HasSubstr("wr0ng")));
    EXPECT_FALSE(c->up());
  }
}

TEST(RedisClient, refuses_what_would_never_be_answered) {
  const redis_server server;
  const auto c = to(server.url());
  const auto empty_command = c->call({{"SET", "k", "v"}, {}});
  ASSERT_FALSE(empty_command.ok());
  EXPECT_EQ(empty_command.failure().code, errc::usage);
  const auto nothing = c->call({});
  ASSERT_TRUE(nothing.ok());
  EXPECT_TRUE(nothing->empty());
  EXPECT_EQ((*c->call({{"EXISTS", "k"}}))[0].integer, 0);
}

TEST(RedisClient, may_be_used_and_let_go_inside_a_callback) {
  const redis_server server;
  std::promise<std::string> second;
  std::promise<errc> waiting;
  auto c = to(server.url());
  auto* bare = c.get();
  std::weak_ptr<client> watch = c;
  bare->send({{"PING"}}, [&, c = std::move(c)](const auto&) mutable {
    const auto got = c->call({{"PING"}});
    waiting.set_value(got ? errc::broken : got.failure().code);
    c->send({{"ECHO", "again"}},
            [&, last = c](const auto& r) { second.set_value(r ? (*r)[0].text : "failed"); });
    c.reset();
  });
  EXPECT_EQ(waiting.get_future().get(), errc::usage);
  EXPECT_EQ(second.get_future().get(), "again");
}

} // namespace troupe::redis

#include "engine/redis/client.hpp"
#include "tests/support/redis_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <thread>

namespace troupe::redis {

namespace {

using namespace std::chrono_literals;
using support::redis_server;
using testing::HasSubstr;

std::shared_ptr<client> to(const std::string& url, milliseconds timeout) {
  return client::open(*parse_url(url), timeout);
}

using outcome = std::future<result<client::replies>>;

outcome sent(client& c, std::vector<command> commands) {
  auto answer = std::make_shared<std::promise<result<client::replies>>>();
  auto future = answer->get_future();
  c.send(std::move(commands), [answer](auto r) { answer->set_value(std::move(r)); });
  return future;
}

errc failure_of(outcome&& o) {
  const auto r = o.get();
  EXPECT_FALSE(r.ok());
  return r ? errc::broken : r.failure().code;
}

/// The client tries again by itself, with every call, once its backoff has passed.
::testing::AssertionResult recovers(client& c) {
  const auto until = std::chrono::steady_clock::now() + 30s;
  std::string last;
  while (std::chrono::steady_clock::now() < until) {
    const auto r = c.call({{"PING"}});
    if (r) return c.up() ? ::testing::AssertionSuccess() : ::testing::AssertionFailure() << "not up";
    last = r.failure().detail;
    std::this_thread::sleep_for(5ms);
  }
  return ::testing::AssertionFailure() << last;
}

/// Waits until the server reports a client that runs this command: it has been read.
void wait_for_running(const redis_server& server, const std::string& key) {
  const auto until = std::chrono::steady_clock::now() + 30s;
  while (server.raw({"EXISTS", key}) != ":1\r\n")
    ASSERT_LT(std::chrono::steady_clock::now(), until);
}

} // namespace

TEST(RedisFaults, a_server_that_dies_leaves_the_effect_unknown_and_is_found_again) {
  redis_server server;
  const auto c = to(server.url(), 20s);
  ASSERT_TRUE(c->call({{"PING"}}).ok());
  auto lost = sent(*c, {{"SET", "seen", "1"}, {"BLPOP", "nothing", "0"}});
  wait_for_running(server, "seen");
  auto queued = sent(*c, {{"SET", "other", "1"}});
  server.kill();
  EXPECT_EQ(failure_of(std::move(lost)), errc::timeout);
  EXPECT_EQ(failure_of(std::move(queued)), errc::unavailable);
  EXPECT_FALSE(c->up());
  const auto away = c->call({{"PING"}});
  ASSERT_FALSE(away.ok());
  EXPECT_EQ(away.failure().code, errc::unavailable);
  EXPECT_THAT(away.failure().detail, HasSubstr(std::to_string(server.port())));
  server.restart();
  EXPECT_TRUE(recovers(*c));
}

TEST(RedisFaults, a_server_that_stands_still_holds_nobody_but_the_clients_own_thread) {
  redis_server server;
  const auto c = to(server.url(), 300ms);
  ASSERT_TRUE(recovers(*c));
  server.freeze();
  auto first = sent(*c, {{"PING"}});
  std::vector<outcome> others;
  std::vector<std::thread> senders;
  std::mutex mutex;
  for (int t = 0; t < 4; ++t)
    senders.emplace_back([&] {
      for (int i = 0; i < 100; ++i) {
        auto o = sent(*c, {{"INCR", "n"}});
        const std::lock_guard lock{mutex};
        others.push_back(std::move(o));
      }
    });
  for (auto& s : senders)
    s.join(); // ends although the server answers nothing
  EXPECT_EQ(failure_of(std::move(first)), errc::timeout);
  for (auto& o : others) {
    const auto code = failure_of(std::move(o));
    EXPECT_TRUE(code == errc::timeout || code == errc::unavailable);
  }
  server.thaw();
  EXPECT_TRUE(recovers(*c));
}

TEST(RedisFaults, tells_what_was_written_from_what_was_not) {
  redis_server server;
  // Of a batch beyond what the kernel takes, the next one is not begun: in the same exchange over a unix
  // socket, whose buffers are small, and in the one after it over TCP.
  for (const auto& [url, size] : {std::pair{"unix://" + server.unix_socket(), std::size_t{900} << 10},
                                  std::pair{server.url(), std::size_t{64} << 20}}) {
    const auto c = to(url, 500ms);
    std::promise<std::vector<outcome>> made;
    c->send({{"PING"}}, [&, bytes = size](const auto&) {
      server.freeze();
      std::vector<outcome> list; // all queued before the client's thread takes any
      list.push_back(sent(*c, {{"SET", "a", "1"}}));
      list.push_back(sent(*c, {{"SET", "b", std::string(bytes, 'x')}}));
      list.push_back(sent(*c, {{"SET", "c", "1"}}));
      made.set_value(std::move(list));
    });
    auto list = made.get_future().get();
    EXPECT_EQ(failure_of(std::move(list[0])), errc::timeout);
    EXPECT_EQ(failure_of(std::move(list[1])), errc::timeout);
    EXPECT_EQ(failure_of(std::move(list[2])), errc::unavailable);
    server.thaw();
    ASSERT_TRUE(recovers(*c));
    EXPECT_EQ(server.raw({"EXISTS", "c"}), ":0\r\n");
  }
}

TEST(RedisFaults, nothing_listening_is_unavailable_at_once_and_again) {
  const auto c = to("redis://127.0.0.1:" + std::to_string(support::free_port()), 60s);
  for (int i = 0; i < 50; ++i)
    EXPECT_EQ(failure_of(sent(*c, {{"PING"}})), errc::unavailable);
  const auto d = to("redis://no-such-host.invalid", 60s);
  const auto r = d->call({{"PING"}});
  ASSERT_FALSE(r.ok());
  EXPECT_EQ(r.failure().code, errc::unavailable);
  EXPECT_THAT(r.failure().detail, HasSubstr("no-such-host.invalid"));
}

TEST(RedisFaults, a_connection_cut_while_idle_costs_no_batch) {
  const redis_server server;
  const auto c = to(server.url(), 20s);
  for (int i = 0; i < 20; ++i) {
    const auto id = c->call({{"CLIENT", "ID"}});
    ASSERT_TRUE(id.ok()) << id.failure().detail;
    ASSERT_EQ(server.raw({"CLIENT", "KILL", "ID", std::to_string((*id)[0].integer)}), ":1\r\n");
  }
}

TEST(RedisFaults, the_queue_is_bounded_and_everybody_hears_once) {
  redis_server server;
  const auto c = to(server.url(), 500ms);
  ASSERT_TRUE(recovers(*c));
  server.freeze();
  std::atomic<int> answers{0}, full{0};
  constexpr int batches = 25'000;
  for (int i = 0; i < batches; ++i)
    c->send({{"PING"}}, [&](const auto& r) {
      ++answers;
      if (!r && r.failure().detail.find("wait already") != std::string::npos) ++full;
    });
  server.thaw();
  const auto until = std::chrono::steady_clock::now() + 30s;
  while (answers < batches && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(5ms);
  EXPECT_EQ(answers, batches);
  EXPECT_GT(full, 0);
  EXPECT_TRUE(recovers(*c));
  EXPECT_EQ(answers, batches);
}

TEST(RedisFaults, closing_answers_all_that_is_outstanding) {
  redis_server server;
  auto c = to(server.url(), 500ms);
  ASSERT_TRUE(recovers(*c));
  server.freeze();
  std::vector<outcome> list;
  for (int i = 0; i < 100; ++i)
    list.push_back(sent(*c, {{"PING"}}));
  c.reset();
  for (auto& o : list) {
    ASSERT_EQ(o.wait_for(0s), std::future_status::ready);
    const auto code = failure_of(std::move(o));
    EXPECT_TRUE(code == errc::timeout || code == errc::unavailable);
  }
}

TEST(RedisFaults, says_why_a_full_or_loading_server_turns_it_away) {
  const redis_server server{{"--maxclients", "1"}};
  const auto first = to(server.url(), 20s);
  ASSERT_TRUE(recovers(*first));
  const auto second = to(server.url(), 20s);
  const auto r = second->call({{"PING"}});
  ASSERT_FALSE(r.ok());
  EXPECT_EQ(r.failure().code, errc::unavailable);
  EXPECT_THAT(r.failure().detail, HasSubstr("max number of clients"));
}

TEST(RedisFaults, something_else_on_the_port_is_named) {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof a;
  ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&a), size), 0);
  ASSERT_EQ(::listen(listener, 1), 0);
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&a), &size);
  std::thread peer{[&] {
    const int fd = ::accept(listener, nullptr, nullptr);
    char buffer[64];
    (void)!::read(fd, buffer, sizeof buffer);
    const std::string text = "HTTP/1.1 400 Bad Request\r\n\r\n";
    (void)!::write(fd, text.data(), text.size());
    ::close(fd);
  }};
  const auto c = to("redis://127.0.0.1:" + std::to_string(ntohs(a.sin_port)), 20s);
  const auto r = c->call({{"PING"}});
  peer.join();
  ::close(listener);
  ASSERT_FALSE(r.ok());
  EXPECT_EQ(r.failure().code, errc::unavailable);
  EXPECT_THAT(r.failure().detail, HasSubstr("not the protocol of Redis"));
}

} // namespace troupe::redis

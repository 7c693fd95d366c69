#include "engine/http/server.hpp"
#include "tests/engine/http/calls.hpp"
#include "tests/engine/http/raw_sockets.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

#include <sys/resource.h>
#include <unistd.h>

namespace troupe::http {
namespace {

using namespace testing;

struct HttpServer : ::testing::Test {
  void SetUp() override {
    auto started = server::start("127.0.0.1:0", {}, at_once([](const request& r) -> response {
                                   if (r.path == "/throw") throw std::runtime_error{"secret"};
                                   if (r.path == "/big")
                                     return {.body = std::string(std::size_t{4} << 20, 'x')};
                                   if (r.path == "/nothing") return {.status = 204, .body = {}};
                                   if (r.path == "/mad") return {.status = 7000, .body = {}};
                                   return {.body = r.method + "|" + r.path + "|" + r.query + "|" + r.body};
                                 }));
    ASSERT_TRUE(started) << started.failure().detail;
    ours = std::move(started).value();
  }

  /// Sends these bytes on a fresh connection and reads until the server closes it.
  std::string exchange(const std::string& bytes) {
    raw_connection c{raw_connection::connect(ours->port())};
    c.send(bytes);
    return c.read_to_end();
  }
  static std::string body_of(const std::string& message) {
    return message.substr(message.find("\r\n\r\n") + 4);
  }
  static std::string get(const std::string& path, const std::string& more = "") {
    return "GET " + path + " HTTP/1.1\r\nHost: x\r\n" + more + "\r\n";
  }

  std::unique_ptr<server> ours;
};

TEST_F(HttpServer, answers_with_status_type_and_length) {
  raw_connection c{raw_connection::connect(ours->port())};
  c.send(get("/metrics?a=1&b=%20"));
  const auto message = c.read_message();
  EXPECT_TRUE(message.starts_with("HTTP/1.1 200 OK\r\n")) << message;
  EXPECT_NE(message.find("Content-Type: text/plain; charset=utf-8\r\n"), std::string::npos);
  EXPECT_EQ(body_of(message), "GET|/metrics|a=1&b=%20|");
}

TEST_F(HttpServer, keeps_the_connection_and_answers_pipelined_requests_in_order) {
  raw_connection c{raw_connection::connect(ours->port())};
  c.send(get("/1") + get("/2") + "POST /3 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc" + get("/4"));
  for (const char* expected : {"GET|/1||", "GET|/2||", "POST|/3||abc", "GET|/4||"})
    EXPECT_EQ(body_of(c.read_message()), expected);
  c.send(get("/5"));
  EXPECT_EQ(body_of(c.read_message()), "GET|/5||");
}

TEST_F(HttpServer, closes_when_asked_to) {
  EXPECT_EQ(body_of(exchange(get("/x", "Connection: close\r\n"))), "GET|/x||");
  EXPECT_EQ(body_of(exchange("GET /x HTTP/1.0\r\n\r\n")), "GET|/x||");
}

TEST_F(HttpServer, head_is_get_without_the_body) {
  const auto message = exchange("HEAD /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_NE(message.find("Content-Length: 8\r\n"), std::string::npos) << message;
  EXPECT_TRUE(message.ends_with("\r\n\r\n"));
}

TEST_F(HttpServer, understands_chunks_and_expectations) {
  raw_connection c{raw_connection::connect(ours->port())};
  c.send("POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
  EXPECT_EQ(body_of(c.read_message()), "POST|/c||abc");
  c.send("POST /e HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(c.read_message(), "HTTP/1.1 100 Continue\r\n\r\n");
  c.send("hi");
  EXPECT_EQ(body_of(c.read_message()), "POST|/e||hi");
}

TEST_F(HttpServer, takes_no_trailer_for_a_header) {
  const auto names = [](const request& asked) {
    response answer;
    for (const auto& [name, value] : asked.headers)
      answer.body += name + '|';
    return answer;
  };
  const auto server = server::start("127.0.0.1:0", {}, at_once(names));
  ASSERT_TRUE(server);
  raw_connection c{raw_connection::connect((*server)->port())};
  for (const std::string trailer : {"", "X-Key: b\r\n", "X-Key: b\r\n c: d\r\n", "Host: b\r\n"}) {
    c.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n" + trailer +
           "\r\n");
    EXPECT_EQ(body_of(c.read_message()), "Host|Transfer-Encoding|") << trailer;
  }
}

TEST_F(HttpServer, no_content_has_none) {
  const auto message = exchange(get("/nothing", "Connection: close\r\n"));
  EXPECT_TRUE(message.starts_with("HTTP/1.1 204")) << message;
  EXPECT_TRUE(message.ends_with("\r\n\r\n"));
  EXPECT_EQ(message.find("Content-Length"), std::string::npos);
}

TEST_F(HttpServer, a_large_answer_arrives_whole) {
  EXPECT_EQ(body_of(exchange(get("/big", "Connection: close\r\n"))).size(), std::size_t{4} << 20);
}

TEST_F(HttpServer, what_is_no_http_gets_400_and_the_connection_closes) {
  for (const std::string bytes : {
           "nonsense\r\n\r\n",
           "GET /\r\n\r\n",
           "GET / HTTP/x.y\r\n\r\n",
           "GET / HTTP/1.1\r\n\r\n",                        // no Host
           "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",  // two
           "GET x HTTP/1.1\r\nHost: a\r\n\r\n",             // no path
           "GET / HTTP/1.1\nHost: a\n\n",                   // bare line feeds
           "GET / HTTP/1.1\r\nHost : a\r\n\r\n",            // blank before the colon
           "GET / HTTP/1.1\r\nHost: a\r\nX: a\x01\r\n\r\n", // control character
           "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
           "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nab",
           "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2, 2\r\n\r\nab",
           "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
           "chunked\r\n\r\n0\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a\r\nX: folded\r\n line\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a\r\n\tX: folded\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a\r\nX: b\n\r\n",
       }) {
    const auto message = exchange(bytes);
    EXPECT_TRUE(message.starts_with("HTTP/1.1 400 ")) << bytes << " -> " << message;
    EXPECT_EQ(message.find("HTTP/1.1 4", 1), std::string::npos) << "one answer and no more: " << message;
  }
}

TEST_F(HttpServer, headers_and_bodies_over_the_limits_are_refused) {
  EXPECT_TRUE(exchange(get("/", "X: " + std::string(9000, 'x') + "\r\n")).starts_with("HTTP/1.1 431 "));
  std::string many;
  for (int i = 0; i < 10'000; ++i)
    many += "X: y\r\n";
  EXPECT_TRUE(exchange(get("/", many)).starts_with("HTTP/1.1 431 "));
  EXPECT_TRUE(
      exchange("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\n").starts_with("HTTP/1.1 413 "));
  EXPECT_TRUE(
      exchange("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\n\r\n" + std::string(500'000, 'x'))
          .starts_with("HTTP/1.1 413 "));
  EXPECT_TRUE(exchange("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n11000\r\n" +
                       std::string(0x11000, 'x') + "\r\n0\r\n\r\n")
                  .starts_with("HTTP/1.1 413 "));
  EXPECT_TRUE(exchange("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;x=" +
                       std::string(200'000, 'x'))
                  .starts_with("HTTP/1.1 413 "));
  const auto fits =
      exchange("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 65536\r\n\r\n" +
               std::string(65536, 'x'));
  EXPECT_TRUE(fits.starts_with("HTTP/1.1 200 ")) << fits.substr(0, 200);
}

TEST_F(HttpServer, a_handler_that_throws_or_answers_nonsense_is_a_500_that_tells_no_secrets) {
  for (const char* path : {"/throw", "/mad"}) {
    const auto message = exchange(get(path, "Connection: close\r\n"));
    EXPECT_TRUE(message.starts_with("HTTP/1.1 500 ")) << message;
    EXPECT_EQ(message.find("secret"), std::string::npos);
  }
  EXPECT_EQ(body_of(exchange(get("/still", "Connection: close\r\n"))), "GET|/still||");
}

TEST(HttpServerReplies, come_later_from_any_thread_and_a_lost_one_is_a_503) {
  std::mutex lock;
  std::vector<std::pair<std::string, reply>> waiting;
  auto started = server::start("127.0.0.1:0", {}, [&](request asked, reply to) {
    if (asked.path == "/lost") return; // dies with its reply
    const std::lock_guard hold{lock};
    waiting.emplace_back(*asked.header("x-NAME"), std::move(to));
  });
  ASSERT_TRUE(started);
  auto ours = std::move(started).value();
  raw_connection lost{raw_connection::connect(ours->port())};
  lost.send("GET /lost HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto answer = lost.read_message();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 503 ")) << answer;
  EXPECT_NE(answer.find("Retry-After: 1\r\n"), std::string::npos);

  raw_connection one{raw_connection::connect(ours->port())}, two{raw_connection::connect(ours->port())};
  const auto asked = [&](raw_connection& c, const std::string& name) {
    c.send("GET / HTTP/1.1\r\nHost: x\r\nX-Name: " + name + "\r\n\r\n");
    const auto by = std::chrono::steady_clock::now() + std::chrono::seconds{20};
    for (std::ptrdiff_t n = 0; n == 0 && std::chrono::steady_clock::now() < by;) {
      const std::lock_guard hold{lock};
      n = std::count_if(waiting.begin(), waiting.end(), [&](const auto& w) { return w.first == name; });
    }
  };
  asked(one, "one");
  asked(two, "two");
  std::thread other{[&] {
    const std::lock_guard hold{lock};
    for (auto i = waiting.rbegin(); i != waiting.rend(); ++i)
      i->second({.status = 202, .body = i->first, .headers = {{"X-Further", "yes"}}});
    waiting.clear();
  }};
  other.join();
  EXPECT_TRUE(one.read_message().ends_with("\r\n\r\none"));
  const auto second = two.read_message();
  EXPECT_TRUE(second.ends_with("\r\n\r\ntwo"));
  EXPECT_NE(second.find("X-Further: yes\r\n"), std::string::npos);

  // A stop answers what is under way and then closes; replies may outlive the server.
  asked(one, "last");
  asked(two, "never");
  ours->stop();
  {
    const std::lock_guard hold{lock};
    waiting.front().second({.body = "goodbye"});
  }
  const auto last = one.read_to_end();
  EXPECT_NE(last.find("Connection: close\r\n"), std::string::npos) << last;
  EXPECT_TRUE(last.ends_with("goodbye"));
  ours.reset();
  waiting.clear();
  EXPECT_TRUE(two.ended());
}

TEST_F(HttpServer, half_sent_requests_and_unread_answers_hold_up_nobody) {
  std::vector<std::unique_ptr<raw_connection>> stuck;
  for (int i = 0; i < 50; ++i) {
    stuck.push_back(std::make_unique<raw_connection>(raw_connection::connect(ours->port())));
    const std::string half = i % 2 == 0 ? "GET /slow HTTP/1.1\r\nHos" : get("/big");
    stuck.back()->send(half);
  }
  EXPECT_EQ(body_of(exchange(get("/x", "Connection: close\r\n"))), "GET|/x||");
}

TEST_F(HttpServer, a_flood_of_connections_does_not_lock_out_the_next_and_their_number_is_bounded) {
  std::vector<std::unique_ptr<raw_connection>> idle;
  for (int i = 0; i < 300; ++i)
    idle.push_back(std::make_unique<raw_connection>(raw_connection::connect(ours->port())));
  EXPECT_EQ(body_of(exchange(get("/x", "Connection: close\r\n"))), "GET|/x||");
  EXPECT_TRUE(idle.front()->ended()) << "the longest idle one made room";
  idle.back()->send(get("/still-there"));
  EXPECT_EQ(body_of(idle.back()->read_message()), "GET|/still-there||");
}

TEST(HttpServerRoom, is_never_passed_while_all_wait_for_an_answer) {
  std::mutex lock;
  std::vector<reply> waiting;
  const auto asked = [&] {
    const std::lock_guard hold{lock};
    return waiting.size();
  };
  auto started =
      server::start("127.0.0.1:0", {.connections = 2, .refusal = {}}, [&](const request&, reply to) {
        const std::lock_guard hold{lock};
        waiting.push_back(std::move(to));
      });
  ASSERT_TRUE(started);
  auto ours = std::move(started).value();
  const std::string get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  raw_connection one{raw_connection::connect(ours->port())}, two{raw_connection::connect(ours->port())};
  one.send(get);
  two.send(get);
  ASSERT_TRUE(eventually([&] { return asked() == 2; }));
  for (int i = 0; i < 3; ++i) {
    raw_connection third{raw_connection::connect(ours->port())};
    EXPECT_TRUE(third.ended()) << "there is no room, and nobody to make it";
  }
  {
    const std::lock_guard hold{lock};
    waiting.front()({.body = "done"});
  }
  EXPECT_TRUE(one.read_message().ends_with("done"));
  raw_connection next{raw_connection::connect(ours->port())};
  next.send(get);
  EXPECT_TRUE(eventually([&] { return asked() == 3; }));
  EXPECT_TRUE(one.ended()) << "the quiet one made room";
  ours.reset();
  waiting.clear();
}

/// Only so many more files can be opened.
class few_files {
public:
  explicit few_files(rlim_t more) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const int next = ::dup(0);
    ::close(next);
    const rlimit few{static_cast<rlim_t>(next) + more, before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &few);
  }
  ~few_files() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  few_files(const few_files&) = delete;

private:
  rlimit before_{};
};

TEST_F(HttpServer, out_of_open_files_the_longest_idle_connection_makes_room) {
  const few_files limit{21}; // ten connections with both of their ends, and the near end of one
  std::vector<std::unique_ptr<raw_connection>> idle;
  for (int i = 0; i < 10; ++i) {
    idle.push_back(std::make_unique<raw_connection>(raw_connection::connect(ours->port())));
    idle.back()->send(get("/x"));
    EXPECT_EQ(body_of(idle.back()->read_message()), "GET|/x||");
  }
  raw_connection next{raw_connection::connect(ours->port())};
  next.send(get("/next"));
  EXPECT_EQ(body_of(next.read_message()), "GET|/next||");
  EXPECT_TRUE(idle.front()->ended());
  idle.back()->send(get("/still-there"));
  EXPECT_EQ(body_of(idle.back()->read_message()), "GET|/still-there||");
}

TEST_F(HttpServer, connections_that_come_and_go_do_no_harm) {
  for (int i = 0; i < 500; ++i) {
    raw_connection c{raw_connection::connect(ours->port())};
    if (i % 3 == 0) c.send("GET / HT");
    if (i % 3 == 1) c.send(get("/big"));
    if (i % 2 == 0) c.reset();
  }
  EXPECT_EQ(body_of(exchange(get("/x", "Connection: close\r\n"))), "GET|/x||");
}

TEST_F(HttpServer, its_end_closes_open_connections_and_frees_the_port) {
  raw_connection c{raw_connection::connect(ours->port())};
  c.send(get("/x"));
  (void)c.read_message();
  raw_connection half{raw_connection::connect(ours->port())};
  half.send("GET");
  const auto port = ours->port();
  ours.reset();
  EXPECT_TRUE(c.ended());
  EXPECT_TRUE(half.ended());
  const auto again = server::start("127.0.0.1:" + std::to_string(port), {},
                                   at_once([](const request&) { return response{}; }));
  EXPECT_TRUE(again.ok()) << again.failure().detail;
}

TEST_F(HttpServer, a_taken_port_is_said_with_its_address) {
  const auto where = "127.0.0.1:" + std::to_string(ours->port());
  const auto second = server::start(where, {}, at_once([](const request&) { return response{}; }));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.failure().code, errc::unavailable);
  EXPECT_NE(second.failure().detail.find(where), std::string::npos);
  EXPECT_NE(second.failure().detail.find("in use"), std::string::npos) << second.failure().detail;
}

TEST(HttpServerAddress, must_be_a_host_and_a_port) {
  for (const char* bad : {"", "9090", ":9090", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536",
                          "::1:9090", "[]:9090", "127.0.0.1:-1"}) {
    const auto started = server::start(bad, {}, at_once([](const request&) { return response{}; }));
    ASSERT_FALSE(started) << bad;
    EXPECT_EQ(started.failure().code, errc::bad_config) << bad;
  }
  const auto nowhere =
      server::start("no-such-host.invalid:0", {}, at_once([](const request&) { return response{}; }));
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.failure().code, errc::unavailable);
  const auto named = server::start("localhost:0", {}, at_once([](const request&) { return response{}; }));
  ASSERT_TRUE(named);
  EXPECT_NE(named.value()->port(), 0);
}

} // namespace
} // namespace troupe::http

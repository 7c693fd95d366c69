#include "engine/http/server.hpp"
#include "tests/engine/http/calls.hpp"
#include "tests/engine/http/raw_sockets.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <future>
#include <list>
#include <memory>
#include <optional>
#include <semaphore>
#include <string>
#include <thread>

namespace troupe::http {
namespace {

using namespace testing;
using namespace std::chrono_literals;

std::string get(const std::string& path) {
  return "GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n";
}
bool is_last_answer(const std::string& message, const std::string& status) {
  return message.starts_with("HTTP/1.1 " + status + " ") &&
         message.find("Connection: close\r\n") != std::string::npos;
}

/// What a server does with what has arrived, and arrives, when it stops. Its thread can be held in that
/// moment.
struct HttpServerStop : ::testing::Test {
  void start(milliseconds grace, milliseconds last_look, milliseconds linger = 1h) {
    server_options options;
    options.grace = grace;
    options.last_look = last_look;
    options.linger = linger;
    auto started = server::start("127.0.0.1:0", std::move(options), [this](const request& asked, reply to) {
      if (asked.path == "/stop") {
        is_held.set_value();
        may_stop.get_future().wait();
        ours->stop();
        begun.set_value();
        may_go_on.get_future().wait();
      }
      if (asked.path == "/hold") {
        holds.release();
        go_on.acquire();
      }
      to({.body = asked.path});
    });
    ASSERT_TRUE(started) << started.failure().detail;
    ours = std::move(started).value();
  }

  /// From here on the server looks at nothing until `let_stop`.
  void hold() {
    stopper.emplace(raw_connection::connect(ours->port()));
    stopper->send(get("/stop"));
    is_held.get_future().wait();
  }
  void let_stop() {
    may_go_on.set_value();
    may_stop.set_value();
    begun.get_future().wait();
    EXPECT_TRUE(is_last_answer(stopper->read_message(), "200"));
    stopper.reset();
  }

  raw_connection& connect() { return open.emplace_back(raw_connection::connect(ours->port())); }
  /// One that has had an answer.
  raw_connection& connect_and_ask() {
    auto& c = connect();
    c.send(get("/before"));
    EXPECT_TRUE(c.read_message().ends_with("/before"));
    // Its next request is awaited once the server's thread has gone on to another.
    raw_connection other{raw_connection::connect(ours->port())};
    other.send("GET /other HTTP/1.0\r\n\r\n");
    EXPECT_TRUE(other.read_to_end().ends_with("/other"));
    return c;
  }

  std::promise<void> is_held, may_stop, begun, may_go_on;
  std::counting_semaphore<> holds{0}, go_on{0};
  std::list<raw_connection> open;
  std::optional<raw_connection> stopper;
  std::unique_ptr<server> ours;
};

TEST_F(HttpServerStop, answers_those_who_wait_in_the_backlog) {
  start(0ms, 0ms);
  hold();
  for (int i = 0; i < 20; ++i)
    connect().send(get("/waits"));
  let_stop();
  for (auto& c : open)
    EXPECT_TRUE(is_last_answer(c.read_to_end(), "200"));
}

TEST_F(HttpServerStop, answers_a_request_that_arrives_on_a_kept_connection_in_that_moment) {
  start(0ms, 0ms);
  auto& kept = connect_and_ask();
  hold();
  kept.send(get("/with-the-stop"));
  let_stop();
  EXPECT_TRUE(is_last_answer(kept.read_message(), "200"));
  EXPECT_TRUE(kept.ended_in_order());
}

TEST_F(HttpServerStop, looks_a_last_time_before_it_says_goodbye) {
  start(0ms, 0ms);
  auto &kept = connect_and_ask(), &first = connect_and_ask(), &second = connect_and_ask();
  hold();
  may_stop.set_value();
  begun.get_future().wait();
  // The listener's time is over while the server is held, and so is the last look's: each time it finds first
  // the request that holds it again, then that it may go on. The kept connection's request is there since it
  // looked.
  first.send(get("/hold"));
  std::this_thread::sleep_for(20ms);
  may_go_on.set_value();
  holds.acquire();
  second.send(get("/hold"));
  go_on.release();
  holds.acquire();
  kept.send(get("/just-in-time"));
  go_on.release();
  EXPECT_TRUE(is_last_answer(kept.read_message(), "200"));
}

TEST_F(HttpServerStop, answers_what_is_asked_on_a_kept_connection_during_the_last_look) {
  start(0ms, 1h);
  auto &kept = connect_and_ask(), &one = connect_and_ask(), &other = connect_and_ask();
  ours->stop();
  ours->wait_closed();
  for (auto* c : {&one, &other}) { // so that the server has gone on
    c->send(get("/first"));
    EXPECT_TRUE(is_last_answer(c->read_message(), "200"));
  }
  kept.send(get("/after-the-stop"));
  EXPECT_TRUE(is_last_answer(kept.read_message(), "200"));
  EXPECT_TRUE(kept.ended_in_order());
}

TEST_F(HttpServerStop, gives_a_new_connection_time_to_ask_that_one_with_an_answer_does_not_get) {
  start(1h, 0ms);
  auto& fresh = connect();
  auto& kept = connect_and_ask(); // the server looks at it later than at the other
  ours->stop();
  EXPECT_TRUE(kept.ended_in_order());
  fresh.send(get("/at-last"));
  EXPECT_TRUE(is_last_answer(fresh.read_message(), "200"));
}

TEST_F(HttpServerStop, gives_a_request_that_is_arriving_the_same_time) {
  start(1h, 0ms);
  auto& arriving = connect_and_ask();
  arriving.send("GET /slow HTTP/1.1\r\nHos");
  auto& kept = connect_and_ask();
  ours->stop();
  EXPECT_TRUE(kept.ended_in_order());
  arriving.send("t: x\r\n\r\n");
  EXPECT_TRUE(is_last_answer(arriving.read_message(), "200"));
}

TEST_F(HttpServerStop, ends_in_order_a_connection_that_asks_nothing_within_the_grace) {
  start(20ms, 0ms, 0ms);
  auto& early = connect();
  hold();
  auto& in_the_backlog = connect();
  let_stop();
  EXPECT_TRUE(early.ended_in_order());
  EXPECT_TRUE(in_the_backlog.ended_in_order());
  EXPECT_TRUE(eventually([&] { return ours->stopped(); }));
}

TEST_F(HttpServerStop, answers_503_where_only_a_part_has_arrived_within_the_grace) {
  start(20ms, 0ms);
  hold();
  connect().send("GET /half HTTP/1.1\r\nHos");
  connect().send("POST /half HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf");
  connect().send("POST /half HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  let_stop();
  for (auto& c : open) {
    const auto message = c.read_to_end();
    EXPECT_TRUE(is_last_answer(message, "503")) << message;
    EXPECT_NE(message.find("Retry-After: 1\r\n"), std::string::npos) << message;
  }
}

TEST_F(HttpServerStop, waits_neither_for_those_who_drip_nor_for_those_who_hold_on) {
  start(20ms, 0ms, 20ms);
  auto& drips = connect();
  drips.send("GET /slow HTTP/1.1\r\nX: ");
  for (int i = 0; i < 20; ++i)
    connect_and_ask();
  ours->stop();
  EXPECT_TRUE(eventually([&] {
    drips.send("x");
    return ours->stopped();
  }));
}

TEST_F(HttpServerStop, does_not_wait_for_the_grace_where_all_are_idle_or_gone) {
  start(1h, 0ms, 20ms);
  for (int i = 0; i < 20; ++i)
    connect_and_ask();
  connect().close();
  ours->stop();
  EXPECT_TRUE(eventually([&] { return ours->stopped(); }));
  open.pop_back();
  for (auto& c : open)
    EXPECT_TRUE(c.ended_in_order());
}

TEST_F(HttpServerStop, waits_for_nothing_where_nobody_is_connected) {
  start(1h, 1h);
  ours->stop();
  EXPECT_TRUE(eventually([&] { return ours->stopped(); }));
}

TEST_F(HttpServerStop, discards_a_request_that_crosses_its_goodbye_without_a_reset) {
  start(0ms, 0ms);
  auto& kept = connect_and_ask();
  ours->stop();
  ASSERT_TRUE(kept.ended_in_order());
  kept.send(get("/crossed"));
  kept.finish();
  EXPECT_TRUE(eventually([&] { return ours->stopped(); })) << "it heard our end";
  EXPECT_TRUE(kept.ended_in_order());
}

TEST_F(HttpServerStop, refuses_who_comes_while_it_takes_the_last_ones) {
  start(0ms, 0ms);
  hold();
  may_stop.set_value();
  begun.get_future().wait();
  raw_connection late{raw_connection::begin_to_connect(ours->port())};
  may_go_on.set_value();
  EXPECT_EQ(late.connected(), ECONNREFUSED);
}

} // namespace
} // namespace troupe::http

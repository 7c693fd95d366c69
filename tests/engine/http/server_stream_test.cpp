#include "engine/http/server.hpp"
#include "tests/engine/http/calls.hpp"
#include "tests/engine/http/raw_sockets.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace troupe::http {
namespace {

using namespace testing;
using namespace std::chrono_literals;

/// A server that opens a stream for whoever asks, and keeps it.
struct HttpStream : ::testing::Test {
  void SetUp() override {
    auto started = server::start("127.0.0.1:0", {}, [this](const request& asked, reply to) {
      if (asked.path == "/plain") return to({.body = "plain\n"});
      auto made =
          to.open({.content_type = "text/event-stream", .body = {}, .headers = {{"X-Kind", "events"}}}, most);
      made->write("first\n");
      const std::lock_guard hold{lock};
      open.push_back(std::move(made));
    });
    ASSERT_TRUE(started) << started.failure().detail;
    ours = std::move(started).value();
  }

  std::shared_ptr<stream> opened(std::size_t n = 1) {
    std::shared_ptr<stream> found;
    EXPECT_TRUE(eventually([&] {
      const std::lock_guard hold{lock};
      if (open.size() < n) return false;
      found = open[n - 1];
      return true;
    }));
    return found;
  }
  static std::string get(const std::string& path) { return "GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n"; }

  std::size_t most = std::size_t{1} << 20;
  std::mutex lock;
  std::vector<std::shared_ptr<stream>> open;
  std::unique_ptr<server> ours;
};

TEST_F(HttpStream, writes_the_head_and_then_all_pieces_until_it_ends) {
  raw_connection c{raw_connection::connect(ours->port())};
  c.send(get("/"));
  const auto made = opened();
  EXPECT_TRUE(made->write("second\n"));
  EXPECT_TRUE(made->write("third\n"));
  made->end();
  EXPECT_FALSE(made->write("too late\n"));
  const auto all = c.read_to_end();
  EXPECT_TRUE(all.starts_with("HTTP/1.1 200 OK\r\n")) << all;
  EXPECT_NE(all.find("Content-Type: text/event-stream\r\n"), std::string::npos);
  EXPECT_NE(all.find("X-Kind: events\r\n"), std::string::npos);
  EXPECT_EQ(all.find("Content-Length"), std::string::npos);
  EXPECT_TRUE(all.ends_with("\r\n\r\nfirst\nsecond\nthird\n")) << all;
}

TEST_F(HttpStream, ends_when_the_last_holder_lets_it_go) {
  raw_connection c{raw_connection::connect(ours->port())};
  c.send(get("/"));
  (void)opened();
  {
    const std::lock_guard hold{lock};
    open.clear();
  }
  EXPECT_TRUE(c.read_to_end().ends_with("first\n"));
}

TEST_F(HttpStream, notices_that_its_reader_is_gone) {
  {
    raw_connection c{raw_connection::connect(ours->port())};
    c.send(get("/"));
    (void)opened();
  }
  EXPECT_TRUE(eventually([made = opened()] { return !made->write(":\n"); }));
}

TEST_F(HttpStream, does_not_mind_what_its_reader_says_meanwhile) {
  raw_connection c{raw_connection::connect(ours->port())};
  c.send(get("/") + get("/plain"));
  const auto made = opened();
  c.send(get("/plain"));
  EXPECT_TRUE(made->write("still here\n"));
  made->end();
  EXPECT_TRUE(c.read_to_end().ends_with("\r\n\r\nfirst\nstill here\n"));
}

TEST_F(HttpStream, drops_a_reader_that_does_not_read) {
  raw_connection c{raw_connection::connect(ours->port())};
  c.send(get("/"));
  const auto made = opened();
  const std::string piece(std::size_t{64} << 10, 'x');
  std::size_t taken = 0;
  while (made->write(piece) && taken < (std::size_t{1} << 30))
    taken += piece.size();
  EXPECT_LT(taken, std::size_t{1} << 30) << "what nobody reads is kept without bound";
  EXPECT_TRUE(eventually([&] {
    raw_connection other{raw_connection::connect(ours->port())};
    other.send(get("/plain"));
    return other.read_message().ends_with("plain\n");
  }));
}

TEST_F(HttpStream, of_a_head_request_is_the_head_alone) {
  raw_connection c{raw_connection::connect(ours->port())};
  c.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(c.read_to_end().ends_with("Content-Type: text/event-stream\r\n\r\n"));
}

TEST_F(HttpStream, ends_in_order_when_the_server_stops) {
  raw_connection c{raw_connection::connect(ours->port())};
  c.send(get("/"));
  const auto made = opened();
  EXPECT_TRUE(made->write("last words\n"));
  ours->stop();
  EXPECT_TRUE(c.read_to_end().ends_with("first\nlast words\n"));
  EXPECT_TRUE(eventually([&] { return !made->write("no\n"); }));
  c.close();
  EXPECT_TRUE(eventually([&] { return ours->stopped(); }));
}

TEST_F(HttpStream, may_outlive_its_server) {
  raw_connection c{raw_connection::connect(ours->port())};
  c.send(get("/"));
  const auto made = opened();
  ours.reset();
  EXPECT_FALSE(made->write("nobody\n"));
  EXPECT_TRUE(c.ended());
}

} // namespace
} // namespace troupe::http

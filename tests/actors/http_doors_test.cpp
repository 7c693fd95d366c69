#include "actors/http_doors.hpp"
#include "tests/engine/http/calls.hpp"
#include "tests/engine/http/raw_sockets.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace troupe::actors {
namespace {

using namespace std::chrono_literals;
using http::testing::eventually;
using http::testing::raw_connection;

const std::string get = "GET /x HTTP/1.1\r\nHost: x\r\n\r\n";

/// A port that nobody listens on.
std::uint16_t free_port() {
  return http::server::start("127.0.0.1:0", {}, nullptr).value()->port();
}

struct HttpDoors : ::testing::Test {
  result<void> open(const std::string& answer) {
    http::server_options options;
    options.last_look = 1h;
    return doors.open(listen, options,
                      {"GET", "/x", {}, {}, http::at_once([answer](const http::request&) -> http::response {
                         return {.body = answer};
                       })});
  }
  std::string ask(raw_connection& on) {
    on.send(get);
    return on.read_message();
  }

  const std::uint16_t port = free_port();
  const std::string listen = "127.0.0.1:" + std::to_string(port);
  http_doors doors;
};

TEST_F(HttpDoors, an_address_that_was_left_is_opened_again_at_once_and_its_old_clients_are_told) {
  ASSERT_TRUE(open("old"));
  raw_connection old{raw_connection::connect(port)};
  EXPECT_TRUE(ask(old).ends_with("old"));
  doors.leave(listen, "GET", "/x");
  const auto again = open("new");
  ASSERT_TRUE(again) << again.failure().detail;
  raw_connection fresh{raw_connection::connect(port)};
  EXPECT_TRUE(ask(fresh).ends_with("new"));
  const auto refused = ask(old);
  EXPECT_TRUE(refused.starts_with("HTTP/1.1 503 ")) << refused;
  EXPECT_NE(refused.find("Retry-After: 1\r\n"), std::string::npos);
}

TEST_F(HttpDoors, that_stop_are_used_until_those_who_came_are_answered) {
  ASSERT_TRUE(open("still"));
  EXPECT_FALSE(doors.is_used(listen)) << "nobody waits for one that goes on";
  raw_connection client{raw_connection::connect(port)};
  EXPECT_TRUE(ask(client).ends_with("still"));
  doors.stop();
  EXPECT_TRUE(doors.is_used(listen));
  const auto last = ask(client);
  EXPECT_TRUE(last.ends_with("still")) << last;
  EXPECT_NE(last.find("Connection: close\r\n"), std::string::npos);
  client.close();
  EXPECT_TRUE(eventually([&] { return !doors.is_used(listen); }));
}

} // namespace
} // namespace troupe::actors

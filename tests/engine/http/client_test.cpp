#include "engine/http/client.hpp"
#include "engine/http/server.hpp"
#include "tests/engine/http/calls.hpp"
#include "tests/engine/http/raw_sockets.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <set>

namespace troupe::http {
namespace {

using namespace std::chrono_literals;
using namespace testing;

const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

/// Answers every request of a connection with the same bytes.
raw_server::script always(std::string bytes) {
  return [bytes = std::move(bytes)](raw_connection& c, int) {
    while (!c.read_message().empty())
      c.send(bytes);
  };
}
/// Answers one request with these bytes, then closes.
raw_server::script once(std::string bytes) {
  return [bytes = std::move(bytes)](raw_connection& c, int) {
    if (!c.read_message().empty()) c.send(bytes);
  };
}

TEST(HttpClient, posts_the_body_byte_for_byte_and_brings_the_answer_back) {
  const std::string body{"a\0b\r\n\xFF", 6};
  std::promise<std::string> seen;
  raw_server server{[&](raw_connection& c, int) {
    seen.set_value(c.read_message());
    c.send("HTTP/1.1 429 Slow down\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nlate");
  }};
  client http;
  auto request = to_port(server.port(), body, "/charge?x=1");
  request.headers = {{"Idempotency-Key", "t/1/2"}, {"X-Troupe-Attempt", "3"}};
  const auto got = std::get<answer>(post(http, std::move(request)));
  EXPECT_EQ(got.status, 429);
  EXPECT_EQ(got.body, "late");
  EXPECT_EQ(got.retry_after, 7s);
  EXPECT_EQ(seen.get_future().get(),
            "POST /charge?x=1 HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(server.port()) +
                "\r\nUser-Agent: troupe\r\nContent-Length: 6\r\nIdempotency-Key: t/1/2\r\n"
                "X-Troupe-Attempt: 3\r\n\r\n" +
                body);
}

TEST(HttpClient, keeps_its_connection_for_the_next_call) {
  raw_server server{always(ok)};
  client http;
  for (int i = 0; i < 50; ++i)
    ASSERT_EQ(brief(post(http, to_port(server.port()))), "200 hi");
  EXPECT_EQ(server.connections(), 1);
}

TEST(HttpClient, understands_chunks_no_content_answers_until_the_end_and_interim_ones) {
  client http;
  raw_server chunked{
      once("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n")};
  EXPECT_EQ(brief(post(http, to_port(chunked.port()))), "200 abcde");
  raw_server empty{once("HTTP/1.1 204 No Content\r\n\r\n")};
  EXPECT_EQ(brief(post(http, to_port(empty.port()))), "204 ");
  raw_server until_end{once("HTTP/1.0 200 OK\r\n\r\nall there is")};
  EXPECT_EQ(brief(post(http, to_port(until_end.port()))), "200 all there is");
  raw_server interim{once("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok)};
  EXPECT_EQ(brief(post(http, to_port(interim.port()))), "200 hi");
  raw_server endless{[](raw_connection& c, int) {
    (void)c.read_message();
    while (c.send("HTTP/1.1 100 Continue\r\n\r\n")) {
    }
  }};
  EXPECT_EQ(brief(post(http, to_port(endless.port()))), broken(failure::malformed));
}

TEST(HttpClient, an_answer_in_single_bytes_is_put_together) {
  raw_server server{[](raw_connection& c, int) {
    (void)c.read_message();
    for (const char byte : ok)
      c.send({&byte, 1});
  }};
  client http;
  EXPECT_EQ(brief(post(http, to_port(server.port()))), "200 hi");
}

TEST(HttpClient, a_connection_that_the_server_means_to_close_is_not_used_again) {
  raw_server server{[](raw_connection& c, int) {
    (void)c.read_message();
    c.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi");
    EXPECT_TRUE(c.ended());
  }};
  client http;
  for (int i = 1; i <= 3; ++i) {
    EXPECT_EQ(brief(post(http, to_port(server.port()))), "200 hi");
    EXPECT_EQ(server.connections(), i);
  }
}

TEST(HttpClient, bytes_behind_an_answer_never_become_the_next_answer) {
  std::atomic<int> requests{0};
  raw_server server{[&](raw_connection& c, int) {
    while (!c.read_message().empty()) {
      ++requests;
      c.send(ok + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
    }
  }};
  client http;
  for (int i = 0; i < 20; ++i)
    ASSERT_EQ(brief(post(http, to_port(server.port()))), "200 hi");
  EXPECT_EQ(requests, 20);
}

TEST(HttpClient, a_kept_connection_that_was_closed_meanwhile_is_tried_once_more_on_a_new_one) {
  // It answers one request per connection and closes on seeing the next, without a byte.
  raw_server server{[](raw_connection& c, int) {
    (void)c.read_message();
    c.send(ok);
    (void)c.read_message();
  }};
  client http;
  for (int i = 0; i < 20; ++i)
    ASSERT_EQ(brief(post(http, to_port(server.port()))), "200 hi") << i;
  EXPECT_EQ(server.connections(), 20);
}

TEST(HttpClient, it_is_tried_only_once_more) {
  std::atomic<int> requests{0};
  raw_server server{[&](raw_connection& c, int number) {
    if (!c.read_message().empty()) ++requests;
    if (number == 1) {
      c.send(ok);
      if (!c.read_message().empty()) ++requests;
    }
  }};
  client http;
  EXPECT_EQ(brief(post(http, to_port(server.port()))), "200 hi");
  EXPECT_EQ(brief(post(http, to_port(server.port()))), broken(failure::reset));
  EXPECT_EQ(requests, 3);
}

TEST(HttpClient, a_kept_connection_that_breaks_amid_the_answer_is_not_tried_again) {
  std::atomic<int> requests{0};
  raw_server server{[&](raw_connection& c, int) {
    (void)c.read_message();
    ++requests;
    c.send(ok);
    (void)c.read_message();
    ++requests;
    c.send("HTTP/1.1 2");
  }};
  client http;
  EXPECT_EQ(brief(post(http, to_port(server.port()))), "200 hi");
  EXPECT_EQ(brief(post(http, to_port(server.port()))), broken(failure::reset));
  EXPECT_EQ(requests, 2);
}

TEST(HttpClient, a_fresh_connection_that_breaks_is_a_reset_and_not_repeated) {
  std::atomic<int> requests{0};
  const auto count = [&](raw_connection& c) {
    if (!c.read_message().empty()) ++requests;
  };
  client http;
  raw_server closing{[&](raw_connection& c, int) { count(c); }};
  EXPECT_EQ(brief(post(http, to_port(closing.port()))), broken(failure::reset));
  raw_server resetting{[&](raw_connection& c, int) {
    count(c);
    c.reset();
  }};
  EXPECT_EQ(brief(post(http, to_port(resetting.port()))), broken(failure::reset));
  raw_server cutting{[&](raw_connection& c, int) {
    count(c);
    c.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this");
  }};
  EXPECT_EQ(brief(post(http, to_port(cutting.port()))), broken(failure::reset));
  EXPECT_EQ(requests, 3);
}

TEST(HttpClient, no_listener_is_no_connection) {
  std::uint16_t port = 0;
  {
    raw_server gone{once(ok)};
    port = gone.port();
  }
  client http;
  const auto got = post(http, to_port(port));
  ASSERT_EQ(brief(got), broken(failure::no_connection));
  EXPECT_NE(std::get<broken_call>(got).detail.find(std::to_string(port)), std::string::npos);
}

TEST(HttpClient, a_name_is_resolved_and_one_that_does_not_exist_is_no_connection) {
  raw_server server{always(ok)};
  client http;
  auto named = to_port(server.port());
  named.to.host = "localhost";
  EXPECT_EQ(brief(post(http, named)), "200 hi");
  auto unknown = to_port(server.port());
  unknown.to.host = "no-such-host.invalid";
  EXPECT_EQ(brief(post(http, unknown)), broken(failure::no_connection));
}

TEST(HttpClient, garbage_is_malformed) {
  client http;
  for (const char* bytes :
       {"SSH-2.0-OpenSSH_9.2\r\n\r\n", "HTTP/1.1 abc\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 0\n\n\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
        "HTTP/1.1 200 OK\r\nbad header\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"}) {
    raw_server server{once(bytes)};
    EXPECT_EQ(brief(post(http, to_port(server.port()))), broken(failure::malformed)) << bytes;
  }
}

TEST(HttpClient, an_answer_over_the_limit_is_cut_off_however_it_is_framed) {
  client http;
  const std::string much(5000, 'x');
  for (const auto& bytes :
       {"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + much,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1388\r\n" + much + "\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\n\r\n" + much}) {
    raw_server server{once(bytes)};
    EXPECT_EQ(brief(post(http, to_port(server.port()), 20s, 4999)), broken(failure::too_large));
    raw_server again{once(bytes)};
    EXPECT_EQ(brief(post(http, to_port(again.port()), 20s, 5000)), "200 " + much);
  }
  raw_server endless_head{[](raw_connection& c, int) {
    (void)c.read_message();
    c.send("HTTP/1.1 200 OK\r\n");
    while (c.send("X-More: and more and more and more\r\n")) {
    }
  }};
  EXPECT_EQ(brief(post(http, to_port(endless_head.port()))), broken(failure::too_large));
  raw_server endless_body{[](raw_connection& c, int) {
    (void)c.read_message();
    c.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    while (c.send("5\r\nhello\r\n")) {
    }
  }};
  EXPECT_EQ(brief(post(http, to_port(endless_body.port()))), broken(failure::too_large));
}

TEST(HttpClient, the_deadline_holds_over_the_whole_call_and_closes_the_connection) {
  client http;
  std::promise<bool> closed;
  raw_server silent{[&](raw_connection& c, int) {
    (void)c.read_message();
    closed.set_value(c.ended());
  }};
  EXPECT_EQ(brief(post(http, to_port(silent.port()), 50ms)), broken(failure::deadline));
  EXPECT_TRUE(closed.get_future().get());

  // Progress does not extend it.
  raw_server dripping{[](raw_connection& c, int) {
    (void)c.read_message();
    c.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
    while (c.send("x"))
      std::this_thread::sleep_for(1ms);
  }};
  EXPECT_EQ(brief(post(http, to_port(dripping.port()), 100ms)), broken(failure::deadline));

  // A server that never reads: the request itself does not get through.
  std::promise<void> over;
  auto until_over = over.get_future().share();
  raw_server deaf{[until_over](raw_connection&, int) { until_over.wait(); }};
  EXPECT_EQ(brief(post(http, to_port(deaf.port(), std::string(std::size_t{32} << 20, 'x')), 100ms)),
            broken(failure::deadline));
  over.set_value();
}

TEST(HttpClient, a_deadline_that_has_passed_fails_like_any_other) {
  raw_server silent{[](raw_connection& c, int) { EXPECT_TRUE(c.ended()); }};
  client http;
  for (const auto deadline : {0ms, -5ms, milliseconds::min()}) {
    const auto got = brief(post(http, to_port(silent.port()), deadline));
    EXPECT_TRUE(got == broken(failure::deadline) || got == broken(failure::no_connection)) << got;
  }
  raw_server answering{always(ok)};
  EXPECT_EQ(brief(post(http, to_port(answering.port()), milliseconds::max())), "200 hi");
}

TEST(HttpClient, an_answer_given_before_the_request_was_read_is_heard) {
  raw_server server{[](raw_connection& c, int) {
    c.send("HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig");
    (void)c.read_message();
  }};
  client http;
  EXPECT_EQ(brief(post(http, to_port(server.port(), std::string(std::size_t{8} << 20, 'x')))), "413 big");
}

TEST(HttpClient, what_cannot_be_sent_is_refused_without_a_connection) {
  raw_server server{always(ok)};
  client http;
  auto request = to_port(server.port());
  request.headers.emplace_back("X-Troupe-Key", "a\r\nX-Evil: 1");
  const auto got = post(http, std::move(request));
  ASSERT_EQ(brief(got), broken(failure::malformed));
  EXPECT_NE(std::get<broken_call>(got).detail.find("X-Troupe-Key"), std::string::npos);
  EXPECT_EQ(server.connections(), 0);
}

TEST(HttpClient, a_call_can_be_cancelled_and_only_that_one) {
  std::promise<void> go;
  auto gone = go.get_future().share();
  raw_server server{[gone](raw_connection& c, int) {
    (void)c.read_message();
    gone.wait();
    c.send(ok);
  }};
  client http;
  std::uint64_t first = 0, second = 0;
  auto one = begin(http, to_port(server.port()), 20s, &first);
  auto other = begin(http, to_port(server.port()), 20s, &second);
  EXPECT_NE(first, second);
  ASSERT_TRUE(eventually([&] { return server.connections() == 2; }));
  http.cancel(first);
  EXPECT_EQ(brief(wait(one)), broken(failure::cancelled));
  http.cancel(first);
  http.cancel(999'999);
  go.set_value();
  EXPECT_EQ(brief(wait(other)), "200 hi");
}

TEST(HttpClient, five_hundred_calls_are_under_way_at_once) {
  constexpr int many = 500;
  std::atomic<int> arrived{0};
  raw_server server{[&](raw_connection& c, int) {
    while (!c.read_message().empty()) {
      // Nobody is answered before all have asked.
      if (++arrived <= many) (void)eventually([&] { return arrived >= many; });
      c.send(ok);
    }
  }};
  client http;
  std::vector<std::future<outcome>> calls;
  for (int i = 0; i < many; ++i)
    calls.push_back(begin(http, to_port(server.port())));
  for (auto& c : calls)
    EXPECT_EQ(brief(wait(c)), "200 hi");
  EXPECT_EQ(server.connections(), many);
  EXPECT_EQ(brief(post(http, to_port(server.port()))), "200 hi");
  EXPECT_EQ(server.connections(), many) << "they are kept";
}

TEST(HttpClient, many_threads_may_call_and_cancel) {
  raw_server server{always(ok)};
  client http;
  std::atomic<int> answered{0}, cancelled{0}, other{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        std::uint64_t id = 0;
        auto call = begin(http, to_port(server.port()), 20s, &id);
        if (i % 3 == 0) http.cancel(id);
        const auto got = brief(wait(call));
        ++(got == "200 hi" ? answered : got == broken(failure::cancelled) ? cancelled : other);
      }
    });
  for (auto& t : threads)
    t.join();
  EXPECT_EQ(answered + cancelled, 2000);
  EXPECT_EQ(other, 0);
  EXPECT_GE(answered, 1332);
}

TEST(HttpClient, its_end_cancels_what_is_under_way) {
  raw_server server{[](raw_connection& c, int) { EXPECT_TRUE(c.ended()); }};
  std::vector<std::future<outcome>> calls;
  {
    client http;
    for (int i = 0; i < 20; ++i)
      calls.push_back(begin(http, to_port(server.port())));
    auto unresolved = to_port(server.port());
    unresolved.to.host = "no-such-host.invalid";
    calls.push_back(begin(http, unresolved));
    EXPECT_TRUE(eventually([&] { return server.connections() >= 10; }));
  }
  for (std::size_t i = 0; i < 20; ++i) {
    ASSERT_EQ(calls[i].wait_for(0s), std::future_status::ready) << "no callback comes after the end";
    EXPECT_EQ(brief(calls[i].get()), broken(failure::cancelled));
  }
  EXPECT_EQ(calls.back().wait_for(0s), std::future_status::ready);
}

TEST(HttpClient, a_callback_may_call_again_and_may_end_the_client) {
  raw_server server{always(ok)};
  std::promise<std::string> second;
  auto http = std::make_unique<client>();
  http->send(to_port(server.port()), 20s, [&](const outcome&) {
    http->send(to_port(server.port()), 20s, [&](const outcome& o) {
      http.reset();
      second.set_value(brief(o));
    });
  });
  EXPECT_EQ(second.get_future().get(), "200 hi");
}

TEST(HttpClient, speaks_with_our_own_server) {
  auto started = server::start(
      "127.0.0.1:0", {}, at_once([](const request& r) {
        return response{.status = 201, .body = r.method + " " + r.path + " " + r.query + " " + r.body};
      }));
  ASSERT_TRUE(started) << started.failure().detail;
  client http;
  for (int i = 0; i < 10; ++i)
    EXPECT_EQ(brief(post(http, to_port(started.value()->port(), "body", "/pool?n=4"))),
              "201 POST /pool n=4 body");
  EXPECT_EQ(brief(post(http, to_port(started.value()->port(), std::string(100'000, 'x')))),
            "413 the body is over 64 KiB\n");
}

} // namespace
} // namespace troupe::http

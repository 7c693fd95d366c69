#pragma once

#include "engine/http/client.hpp"

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>

namespace troupe::http::testing {

using outcome = std::variant<answer, broken_call>;

inline call to_port(std::uint16_t port, std::string body = "x", std::string target = "/") {
  call c;
  c.to = {.tls = false, .host = "127.0.0.1", .port = std::to_string(port), .target = std::move(target)};
  c.body = std::move(body);
  return c;
}

/// The outcome of a call, when it comes; a second callback would throw in the client's thread.
inline std::future<outcome> begin(client& c, call request, milliseconds deadline = std::chrono::seconds{20},
                                  std::uint64_t* id = nullptr,
                                  std::size_t max_answer = std::size_t{1} << 20) {
  auto promise = std::make_shared<std::promise<outcome>>();
  auto later = promise->get_future();
  const auto given = c.send(
      std::move(request), deadline, [promise](outcome o) { promise->set_value(std::move(o)); }, max_answer);
  if (id != nullptr) *id = given;
  return later;
}

/// Waits for it, 30 s at most.
inline outcome wait(std::future<outcome>& later) {
  if (later.wait_for(std::chrono::seconds{30}) != std::future_status::ready)
    return broken_call{failure::malformed, "the test waited in vain"};
  return later.get();
}
inline outcome post(client& c, call request, milliseconds deadline = std::chrono::seconds{20},
                    std::size_t max_answer = std::size_t{1} << 20) {
  auto later = begin(c, std::move(request), deadline, nullptr, max_answer);
  return wait(later);
}

/// "200 body" or "broken 3".
inline std::string brief(const outcome& o) {
  if (const auto* a = std::get_if<answer>(&o)) return std::to_string(a->status) + " " + a->body;
  return "broken " + std::to_string(static_cast<int>(std::get<broken_call>(o).kind));
}
inline std::string broken(failure kind) {
  return "broken " + std::to_string(static_cast<int>(kind));
}

template <class Condition>
bool eventually(Condition holds) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{20};
  while (!holds()) {
    if (std::chrono::steady_clock::now() >= until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
  return true;
}

} // namespace troupe::http::testing

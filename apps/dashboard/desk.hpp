#pragma once

#include "engine/http/server.hpp"

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace troupe::dashboard {

/// A thread for what waits: for Redis, for Kafka, for a hash. A few requests queue there, further ones are
/// answered 503; at the end those that still do are, too.
class desk {
public:
  using work = std::function<void(http::reply&)>;
  explicit desk(std::size_t most_waiting);
  ~desk();
  desk(const desk&) = delete;
  desk& operator=(const desk&) = delete;

  void hand_in(http::reply to, work what);

private:
  struct task {
    http::reply to;
    work what;
  };
  void run();

  const std::size_t most_;
  std::mutex lock_;
  std::condition_variable come_;
  std::deque<task> tasks_;
  bool over_ = false;
  std::thread thread_;
};

} // namespace troupe::dashboard

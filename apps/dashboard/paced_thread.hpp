#pragma once

#include "engine/core/time.hpp"

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace troupe::dashboard {

/// Does the same again and again, so far apart from beginning to beginning, until it is destroyed.
class paced_thread {
public:
  paced_thread(milliseconds every, std::function<void()> what);
  ~paced_thread();
  paced_thread(const paced_thread&) = delete;
  paced_thread& operator=(const paced_thread&) = delete;

private:
  void run(milliseconds every, const std::function<void()>& what);

  std::mutex lock_;
  std::condition_variable ended_;
  bool over_ = false;
  std::thread thread_;
};

} // namespace troupe::dashboard

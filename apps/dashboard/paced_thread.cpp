#include "apps/dashboard/paced_thread.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <utility>

#include <pthread.h>

namespace troupe::dashboard {

paced_thread::paced_thread(milliseconds every, std::function<void()> what)
    : thread_{[this, every, what = std::move(what)] { run(every, what); }} {}

paced_thread::~paced_thread() {
  {
    const std::lock_guard hold{lock_};
    over_ = true;
  }
  ended_.notify_all();
  thread_.join();
}

void paced_thread::run(milliseconds every, const std::function<void()>& what) {
  sigset_t all;
  sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr); // signals are for the threads that wait for them
  auto next = std::chrono::steady_clock::now();
  for (;;) {
    what();
    next = std::max(next + every, std::chrono::steady_clock::now());
    std::unique_lock hold{lock_};
    if (ended_.wait_until(hold, next, [&] { return over_; })) return;
  }
}

} // namespace troupe::dashboard

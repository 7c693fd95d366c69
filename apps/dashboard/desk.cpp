#include "apps/dashboard/desk.hpp"

#include "apps/dashboard/answers.hpp"

#include <csignal>
#include <exception>
#include <optional>
#include <utility>

#include <pthread.h>

namespace troupe::dashboard {

desk::desk(std::size_t most_waiting) : most_{most_waiting}, thread_{[this] { run(); }} {}

desk::~desk() {
  {
    const std::lock_guard hold{lock_};
    over_ = true;
  }
  come_.notify_all();
  thread_.join();
}

void desk::hand_in(http::reply to, work what) {
  {
    const std::lock_guard hold{lock_};
    if (!over_ && tasks_.size() < most_) {
      tasks_.push_back({std::move(to), std::move(what)});
      come_.notify_one();
      return;
    }
  }
  to(problem(503, "too many wait for this already; ask again in a moment"));
}

void desk::run() {
  sigset_t all;
  sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr); // signals are for the threads that wait for them
  for (;;) {
    std::optional<task> next;
    {
      std::unique_lock hold{lock_};
      come_.wait(hold, [&] { return over_ || !tasks_.empty(); });
      if (over_) return;
      next.emplace(std::move(tasks_.front()));
      tasks_.pop_front();
    }
    try {
      next->what(next->to);
    } catch (const std::exception&) {
      next->to(problem(500, "this could not be answered: a bug"));
    }
  }
}

} // namespace troupe::dashboard

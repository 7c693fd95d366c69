#include "engine/handler/executor.hpp"

#include <pthread.h>

#include <chrono>
#include <system_error>
#include <thread>

namespace troupe {

struct executor::shared {
  mutable std::mutex lock;
  std::condition_variable wake, ended;
  std::deque<std::function<void()>> jobs;
  std::size_t most = 0, threads = 0, busy = 0;
  bool stopping = false;

  static void grow(const std::shared_ptr<shared>& s);
};

executor::executor(std::size_t most) : shared_{std::make_shared<shared>()} {
  shared_->most = most;
}

executor::~executor() {
  std::unique_lock hold{shared_->lock};
  shared_->stopping = true;
  shared_->jobs.clear();
  shared_->wake.notify_all();
  shared_->ended.wait_for(hold, std::chrono::milliseconds{500}, [&] { return shared_->threads == 0; });
}

void executor::work(const std::shared_ptr<shared>& s) {
  std::unique_lock hold{s->lock};
  for (;;) {
    s->wake.wait(hold, [&] { return s->stopping || !s->jobs.empty() || s->threads > s->most; });
    if (s->stopping || s->threads > s->most) break;
    auto job = std::move(s->jobs.front());
    s->jobs.pop_front();
    ++s->busy;
    hold.unlock();
    job();
    job = nullptr;
    hold.lock();
    --s->busy;
  }
  --s->threads;
  s->ended.notify_all();
}

// A thread for each job that would wait, as long as there may be more.
void executor::shared::grow(const std::shared_ptr<shared>& s) {
  while (s->busy + s->jobs.size() > s->threads && s->threads < s->most) {
    std::thread{[s] {
      pthread_setname_np(pthread_self(), "handler");
      work(s);
    }}.detach();
    ++s->threads; // after it: where no thread can be had, none is counted
  }
}

void executor::run(std::function<void()> job) {
  const std::lock_guard hold{shared_->lock};
  if (shared_->stopping) return;
  shared_->jobs.push_back(std::move(job));
  shared_->wake.notify_one();
  try {
    shared::grow(shared_);
  } catch (const std::system_error&) {
    if (shared_->threads > 0) return; // the system has no more threads: the job waits for one of ours
    shared_->jobs.pop_back();
    throw;
  }
}

void executor::change(std::size_t most) {
  const std::lock_guard hold{shared_->lock};
  shared_->most = most;
  shared_->wake.notify_all();
  try {
    shared::grow(shared_); // jobs may be waiting for what is allowed now
  } catch (const std::system_error&) {
    // They go on waiting, for a thread of ours that comes free.
  }
}

std::size_t executor::busy() const {
  const std::lock_guard hold{shared_->lock};
  return shared_->busy + shared_->jobs.size();
}

} // namespace troupe

#pragma once

#include <caf/policy/unprofiled.hpp>
#include <caf/resumable.hpp>

#include <condition_variable>
#include <deque>
#include <mutex>

namespace troupe::actors {

/// How CAF's threads share the actors that have something to do: one queue for all of them. Like CAF's own
/// policy "sharing" it never polls, so that an idle process costs nothing. Unlike it, a thread is woken only
/// where one sleeps, and not while the queue is locked, where it would run into the lock at once: at 50,000
/// wake-ups a second that was a tenth of all work.
class work_queue : public caf::policy::unprofiled {
public:
  struct coordinator_data {
    explicit coordinator_data(caf::scheduler::abstract_coordinator*) {}
    std::mutex lock;
    std::condition_variable filled;
    std::deque<caf::resumable*> jobs;
    unsigned sleeping = 0;
  };
  struct worker_data {
    explicit worker_data(caf::scheduler::abstract_coordinator*) {}
  };

  template <class Coordinator>
  void central_enqueue(Coordinator* self, caf::resumable* job) {
    auto& shared = d(self);
    bool wake = false;
    {
      const std::lock_guard hold{shared.lock};
      shared.jobs.push_back(job);
      wake = shared.sleeping > 0;
    }
    if (wake) shared.filled.notify_one();
  }
  template <class Worker>
  void external_enqueue(Worker* self, caf::resumable* job) {
    central_enqueue(self->parent(), job);
  }
  template <class Worker>
  void internal_enqueue(Worker* self, caf::resumable* job) {
    central_enqueue(self->parent(), job);
  }
  /// To the end, so that others get their turn.
  template <class Worker>
  void resume_job_later(Worker* self, caf::resumable* job) {
    central_enqueue(self->parent(), job);
  }

  template <class Worker>
  caf::resumable* dequeue(Worker* self) {
    auto& shared = d(self->parent());
    std::unique_lock hold{shared.lock};
    while (shared.jobs.empty()) {
      ++shared.sleeping;
      shared.filled.wait(hold);
      --shared.sleeping;
    }
    auto* const job = shared.jobs.front();
    shared.jobs.pop_front();
    return job;
  }

  // At the end, when the threads are gone.
  template <class Worker, class F>
  void foreach_resumable(Worker*, F) {}
  template <class Coordinator, class F>
  void foreach_central_resumable(Coordinator* self, F what) {
    auto& shared = d(self);
    const std::lock_guard hold{shared.lock};
    for (; !shared.jobs.empty(); shared.jobs.pop_front())
      what(shared.jobs.front());
  }
};

} // namespace troupe::actors

#include "actors/work_queue.hpp"

#include "tests/actors/waiting.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

namespace troupe::actors {
namespace {

/// What CAF's coordinator and its workers are to a policy.
struct pool {
  work_queue::coordinator_data shared{nullptr};
  work_queue::coordinator_data& data() { return shared; }
};
struct pool_worker {
  pool* of;
  [[nodiscard]] pool* parent() const { return of; }
};

struct job : caf::resumable {
  explicit job(std::function<void()> does = [] {}) : run{std::move(does)} {}
  resume_result resume(caf::execution_unit*, std::size_t) override { return done; }
  void intrusive_ptr_add_ref_impl() override {}
  void intrusive_ptr_release_impl() override {}
  std::function<void()> run;
};

struct WorkQueue : testing::Test {
  ~WorkQueue() override {
    for (std::size_t i = 0; i < threads.size(); ++i)
      add(last);
    end_threads();
  }
  /// As CAF's workers do, until they get the last job.
  void start(unsigned workers) {
    for (unsigned i = 0; i < workers; ++i)
      threads.emplace_back([this] {
        pool_worker me{&all};
        for (auto* next = queue.dequeue(&me); next != &last; next = queue.dequeue(&me))
          static_cast<job*>(next)->run();
      });
  }
  void end_threads() {
    wake_all();
    for (auto& t : threads)
      t.join();
    threads.clear();
  }
  void add(job& what) { queue.central_enqueue(&all, &what); }
  /// A queue that forgot to fails its test, and hangs nobody.
  void wake_all() {
    const std::lock_guard hold{all.shared.lock};
    all.shared.filled.notify_all();
  }
  unsigned sleeping() {
    const std::lock_guard hold{all.shared.lock};
    return all.shared.sleeping;
  }
  bool all_sleep() {
    return eventually(20s, [this] { return sleeping() == threads.size(); });
  }
  std::vector<caf::resumable*> left() {
    std::vector<caf::resumable*> those;
    queue.foreach_central_resumable(&all, [&](caf::resumable* one) { those.push_back(one); });
    return those;
  }

  work_queue queue;
  pool all;
  job last;
  std::vector<std::thread> threads;
};

TEST_F(WorkQueue, HandsOutJobsInTheOrderInWhichTheyCameWhoeverAddsThem) {
  pool_worker me{&all};
  job a, b, c, d;
  add(a);
  queue.external_enqueue(&me, &b);
  queue.internal_enqueue(&me, &c);
  EXPECT_EQ(queue.dequeue(&me), &a);
  queue.resume_job_later(&me, &a); // the others first
  add(d);
  for (auto* next : {&b, &c, &a, &d})
    EXPECT_EQ(queue.dequeue(&me), next);
}

TEST_F(WorkQueue, RunsEveryJobOnceHoweverManyAddThem) {
  constexpr std::size_t producers = 8, each = 20'000;
  std::vector<std::atomic<unsigned>> runs(producers * each);
  std::atomic<std::size_t> done = 0;
  std::vector<job> jobs;
  jobs.reserve(runs.size());
  for (auto& mine : runs)
    jobs.emplace_back([&] {
      ++mine;
      ++done;
    });
  start(2);
  std::vector<std::thread> adding;
  for (std::size_t p = 0; p < producers; ++p)
    adding.emplace_back([&, p] {
      for (std::size_t i = 0; i < each; ++i)
        add(jobs[p * each + i]);
    });
  for (auto& t : adding)
    t.join();
  EXPECT_TRUE(eventually(60s, [&] { return done == runs.size(); })) << done << " of " << runs.size();
  EXPECT_TRUE(all_sleep());
  for (const auto& n : runs)
    ASSERT_EQ(n, 1U);
  add(jobs.front());
  EXPECT_TRUE(eventually(20s, [&] { return done == runs.size() + 1; })) << "they sleep on";
}

TEST_F(WorkQueue, WakesWhoeverSleepsForAJobOfItsOwn) {
  constexpr unsigned workers = 3;
  start(workers);
  // One cannot do the work of all: each job ends when all of its round run.
  for (int round = 1; round <= 200; ++round) {
    ASSERT_TRUE(all_sleep()) << "round " << round;
    std::atomic<unsigned> here = 0, gone = 0;
    job meeting{[&] {
      ++here;
      eventually(20s, [&] { return here == workers; });
      ++gone;
    }};
    for (unsigned i = 0; i < workers; ++i)
      add(meeting);
    const bool met = eventually(10s, [&] { return here == workers; });
    wake_all(); // the job must not outlive the round
    EXPECT_TRUE(eventually(60s, [&] { return gone == workers; }));
    ASSERT_TRUE(met) << "in round " << round << " somebody slept on beside a job";
  }
}

TEST_F(WorkQueue, EndsWithItsThreadsAndGivesBackWhatNobodyRan) {
  start(2);
  ASSERT_TRUE(all_sleep());
  add(last);
  add(last);
  EXPECT_TRUE(eventually(20s, [this] { return sleeping() == 0; })) << "they hear of the end in their sleep";
  end_threads();
  job a, b;
  add(a);
  add(b);
  EXPECT_EQ(left(), (std::vector<caf::resumable*>{&a, &b}));
  EXPECT_TRUE(left().empty());
}

} // namespace
} // namespace troupe::actors

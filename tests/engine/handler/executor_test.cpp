#include "engine/handler/executor.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <set>
#include <thread>

namespace troupe {
namespace {

using namespace std::chrono_literals;

/// Jobs wait here until the test lets them go.
class gate {
public:
  void wait() {
    std::unique_lock hold{lock_};
    ++inside_;
    most_ = std::max(most_, inside_);
    changed_.notify_all();
    changed_.wait(hold, [&] { return open_ > 0; });
    --open_;
    --inside_;
    ++passed_;
    changed_.notify_all();
  }
  void let(std::size_t n) {
    const std::lock_guard hold{lock_};
    open_ += n;
    changed_.notify_all();
  }
  bool inside(std::size_t n) {
    std::unique_lock hold{lock_};
    return changed_.wait_for(hold, 30s, [&] { return inside_ == n; });
  }
  bool passed(std::size_t n) {
    std::unique_lock hold{lock_};
    return changed_.wait_for(hold, 30s, [&] { return passed_ == n; });
  }
  std::size_t most() {
    const std::lock_guard hold{lock_};
    return most_;
  }

private:
  std::mutex lock_;
  std::condition_variable changed_;
  std::size_t open_ = 0, inside_ = 0, passed_ = 0, most_ = 0;
};

/// Jobs outlive an executor that left them behind, and so must what they use.
std::function<void()> through(const std::shared_ptr<gate>& g) {
  return [g] { g->wait(); };
}

TEST(Executor, RunsFiveHundredBlockedJobsAtOnceAndNotOneMore) {
  const auto g = std::make_shared<gate>();
  executor pool{500};
  for (int i = 0; i < 600; ++i)
    pool.run(through(g));
  ASSERT_TRUE(g->inside(500));
  EXPECT_EQ(pool.busy(), 600U);
  g->let(600);
  EXPECT_TRUE(g->passed(600));
  EXPECT_EQ(g->most(), 500U);
}

TEST(Executor, StartsThreadsOnlyWhenAllOthersAreBusy) {
  executor pool{50};
  std::set<std::thread::id> threads;
  for (int i = 0; i < 200; ++i) {
    std::promise<std::thread::id> ran;
    auto where = ran.get_future();
    pool.run([&ran] { ran.set_value(std::this_thread::get_id()); });
    threads.insert(where.get());
    while (pool.busy() > 0)
      std::this_thread::yield();
  }
  EXPECT_EQ(threads.size(), 1U);
}

TEST(Executor, SubstitutesAHungThreadForAJobThatWaitsAlready) {
  const auto hung = std::make_shared<gate>();
  const auto ran = std::make_shared<std::promise<void>>();
  executor pool{1};
  pool.run(through(hung));
  ASSERT_TRUE(hung->inside(1));
  pool.run([ran] { ran->set_value(); });
  auto done = ran->get_future();
  pool.change(2);
  EXPECT_EQ(done.wait_for(30s), std::future_status::ready);
  hung->let(1);
  EXPECT_TRUE(hung->passed(1));
}

TEST(Executor, RunsNoMoreAtOnceThanAllowedAfterItShrank) {
  const auto g = std::make_shared<gate>();
  const auto after = std::make_shared<gate>();
  executor pool{8};
  for (int i = 0; i < 8; ++i)
    pool.run(through(g));
  ASSERT_TRUE(g->inside(8));
  pool.change(2);
  for (int i = 0; i < 20; ++i)
    pool.run(through(after));
  g->let(8);
  ASSERT_TRUE(after->inside(2));
  after->let(20);
  ASSERT_TRUE(after->passed(20));
  EXPECT_EQ(after->most(), 2U);
}

TEST(Executor, RunsJobsInTheOrderTheyCame) {
  executor pool{1};
  std::vector<int> order;
  std::promise<void> last;
  for (int i = 0; i < 1000; ++i)
    pool.run([&order, i] { order.push_back(i); });
  pool.run([&last] { last.set_value(); });
  last.get_future().wait();
  ASSERT_EQ(order.size(), 1000U);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(Executor, ReturnsFromItsDestructorThoughAJobHangs) {
  const auto hung = std::make_shared<gate>();
  const auto never = std::make_shared<std::atomic<bool>>(false);
  auto pool = std::make_unique<executor>(1);
  pool->run(through(hung));
  ASSERT_TRUE(hung->inside(1));
  pool->run([never] { *never = true; });
  auto gone = std::async(std::launch::async, [&pool] { pool.reset(); });
  ASSERT_EQ(gone.wait_for(30s), std::future_status::ready);
  hung->let(1); // what was left behind ends in peace, and starts nothing
  ASSERT_TRUE(hung->passed(1));
  while (hung.use_count() > 1)
    std::this_thread::yield();
  EXPECT_FALSE(*never);
  EXPECT_EQ(never.use_count(), 1) << "a job that never ran is not kept";
}

} // namespace
} // namespace troupe

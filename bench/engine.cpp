// The `troupe` command with the handlers that bench/run measures, as a user would write them. Each notes the
// events it is done with in the file LOGBOOK.
//
//   bench.order    asynchronous, takes the 5 ms of a call to somewhere else
//   bench.handled  asynchronous, done at once: notes how old the event is
//   bench.blocking the same as a function that might block

#include "apps/command/command.hpp"
#include "bench/logbook.hpp"
#include "bench/order.hpp"

#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace {

constexpr std::chrono::milliseconds work{5};

/// Runs things 5 ms later, on a thread of its own. All wait as long, so they stand in a queue.
class later {
public:
  void add(std::function<void()> what) {
    const std::lock_guard lock{mutex_};
    due_.push_back({std::chrono::steady_clock::now() + work, std::move(what)});
    if (due_.size() == 1) changed_.notify_one();
  }

private:
  struct call {
    std::chrono::steady_clock::time_point due;
    std::function<void()> what;
  };

  void run(const std::stop_token& stop) {
    std::vector<call> now;
    std::unique_lock lock{mutex_};
    while (changed_.wait(lock, stop, [this] { return !due_.empty(); })) {
      if (const auto first = due_.front().due; first > std::chrono::steady_clock::now()) {
        lock.unlock();
        std::this_thread::sleep_until(first);
        lock.lock();
      }
      const auto time = std::chrono::steady_clock::now();
      for (; !due_.empty() && due_.front().due <= time; due_.pop_front())
        now.push_back(std::move(due_.front()));
      lock.unlock();
      for (auto& one : now)
        one.what();
      now.clear();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<call> due_;
  std::jthread thread_{[this](const std::stop_token& stop) { run(stop); }};
};

} // namespace

int main(int argc, char** argv) {
  bench::logbook book{bench::setting("LOGBOOK")};
  later timer;
  const auto handled = [&book](const troupe::record& event) {
    const auto came = bench::now_ns();
    const auto order = bench::order_of(*event.value);
    book.done(order.key, order.sequence, order.at, came);
    return troupe::outcome::success();
  };

  troupe::handlers handlers;
  handlers.add_async("bench.order",
                     [&](const troupe::record_ptr& event, const std::shared_ptr<troupe::context>&,
                         const troupe::completion& done) {
                       const auto order = bench::order_of(*event->value);
                       timer.add([&book, done, order, begun = bench::now_ns()] {
                         book.done(order.key, order.sequence, begun, bench::now_ns());
                         done(troupe::outcome::success());
                       });
                     });
  handlers.add_async("bench.handled",
                     [handled](const troupe::record_ptr& event, const std::shared_ptr<troupe::context>&,
                               const troupe::completion& done) { done(handled(*event)); });
  handlers.add("bench.blocking",
               [handled](const troupe::record& event, troupe::context&) { return handled(event); });
  return troupe::command(argc, argv, handlers);
}

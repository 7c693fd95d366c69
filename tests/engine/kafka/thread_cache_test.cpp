#include "tests/engine/kafka/fixture.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

namespace {

std::mutex lock;
std::map<pid_t, bool> caches; // of the threads that were told; the others have theirs

} // namespace

/// In jemalloc's place.
extern "C" int mallctl(const char* name, void* old, std::size_t* old_size, void* with, std::size_t size) {
  EXPECT_STREQ(name, "thread.tcache.enabled");
  EXPECT_TRUE(!old && !old_size && size == sizeof(bool));
  const std::lock_guard hold{lock};
  caches[gettid()] = *static_cast<bool*>(with);
  return 0;
}

namespace troupe::kafka {
namespace {

struct thread {
  std::string name;
  bool cache;
};
/// Those that live, but those that lived before.
std::map<pid_t, thread> threads(const std::map<pid_t, thread>& but = {}) {
  std::map<pid_t, thread> all;
  const std::lock_guard hold{lock};
  for (const auto& task : std::filesystem::directory_iterator{"/proc/self/task"}) {
    const pid_t id = std::stoi(task.path().filename());
    if (but.count(id) > 0) continue;
    thread one{{}, caches.count(id) == 0 || caches.at(id)};
    std::getline(std::ifstream{task.path() / "comm"}, one.name);
    all.emplace(id, std::move(one));
  }
  return all;
}

struct ThreadCache : testing::TestWithParam<bool> {};

TEST_P(ThreadCache, stays_with_the_threads_that_events_pass_through) {
  rigged_broker broker; // made without us: its threads are told nothing
  broker.create("orders", 1);
  auto to = broker.at();
  // By its advertised name a bootstrap address is the broker itself, by another one it is somebody else.
  if (GetParam()) to.brokers.replace(0, to.brokers.find(':'), "localhost");
  const auto others = threads();
  member one{to, "orders"};
  ASSERT_TRUE(one.joined());
  auto queue = one.it->queue_of({"orders", 0}, one.waker());
  one.it->assign(one.from(0));
  auto sender = producer::open({.connection = to, .trouble = {}, .log = {}});
  ASSERT_TRUE(sender);
  outgoing event;
  event.topic = "orders";
  event.value = "v";
  (*sender)->produce(event, {});
  ASSERT_EQ(one.read(queue, 1).size(), 1U);

  const auto ours = threads(others);
  const auto count = [&](const char* name, bool cache) {
    return std::count_if(ours.begin(), ours.end(), [&](const auto& entry) {
      return entry.second.name == name && entry.second.cache == cache;
    });
  };
  EXPECT_EQ(count("rdk:broker1", true), 2) << "of the consumer and of the producer";
  EXPECT_EQ(count("rdk:broker1", false), 0);
  EXPECT_EQ(count("rdk:main", false), 2);
  EXPECT_EQ(count("rdk:main", true), 0);
  EXPECT_GE(count("rdk:broker-1", false), 1) << "for the coordinator";
  EXPECT_EQ(count("rdk:broker-1", true), 0);
}

INSTANTIATE_TEST_SUITE_P(Bootstrap, ThreadCache, testing::Bool());

} // namespace
} // namespace troupe::kafka

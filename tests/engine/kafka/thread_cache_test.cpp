#include "tests/engine/kafka/fixture.hpp"

#include <pthread.h>

#include <set>

namespace {

std::mutex lock;
std::set<std::string> without_cache; // the threads that gave theirs up

} // namespace

/// In jemalloc's place.
extern "C" int mallctl(const char* name, void* old, std::size_t* old_size, void* with, std::size_t size) {
  EXPECT_STREQ(name, "thread.tcache.enabled");
  EXPECT_TRUE(!old && !old_size && size == sizeof(bool) && !*static_cast<bool*>(with));
  std::array<char, 16> thread{};
  pthread_getname_np(pthread_self(), thread.data(), thread.size());
  const std::lock_guard hold{lock};
  without_cache.insert(thread.data());
  return 0;
}

namespace troupe::kafka {
namespace {

TEST(ThreadCache, stays_with_the_threads_that_events_pass_through) {
  rigged_broker broker;
  broker.create("orders", 1);
  member one{broker.at(), "orders"};
  ASSERT_TRUE(one.joined());
  auto queue = one.it->queue_of({"orders", 0}, one.waker());
  one.it->assign(one.from(0));
  auto sender = producer::open({.connection = broker.at(), .trouble = {}, .log = {}});
  ASSERT_TRUE(sender);
  outgoing event;
  event.topic = "orders";
  event.value = "v";
  (*sender)->produce(event, {});
  ASSERT_EQ(one.read(queue, 1).size(), 1U);

  const std::lock_guard hold{lock};
  EXPECT_EQ(without_cache.count("rdk:main"), 1U);
  EXPECT_EQ(without_cache.count("rdk:broker-1"), 1U) << "for the bootstrap address, or the coordinator";
  EXPECT_EQ(without_cache.count("rdk:broker1"), 0U);
}

} // namespace
} // namespace troupe::kafka

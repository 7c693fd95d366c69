// bench_hot_pool EVENTS
//
// Sends so many events through what a pool does with each of them, without Kafka, threads and actors: a copy
// of the message, the ledger, the dispatcher, the call, and the commits in between. For counting
// instructions: what a run with 2 N events has more than one with N, divided by N, is the cost of an event.

#include "engine/flow/dispatcher.hpp"
#include "engine/flow/offset_ledger.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace troupe;

constexpr flow::partition_index partitions = 8;
constexpr std::uint64_t keys = 10'000;
constexpr std::size_t workers = 256;
constexpr std::size_t batch = 256;
constexpr double commit_at = 0.25;

[[noreturn]] void fail(const char* why) {
  std::fprintf(stderr, "bench_hot_pool: %s\n", why);
  std::exit(1);
}

struct source {
  flow::offset_ledger ledger{0, {}, {}};
  std::int64_t next = 0;
};

class pool {
public:
  explicit pool(std::uint64_t events) : wanted_{events} {
    for (flow::partition_index p = 0; p < partitions; ++p)
      dispatcher_.add_partition(p);
  }

  void run() {
    while (done_ < wanted_) {
      now_ += std::chrono::microseconds{100};
      for (flow::partition_index p = 0; p < partitions; ++p)
        read(p);
      for (auto next = start_one(); next; next = start_one())
        running_.push_back(next->id);
      end_some();
      for (const auto& a : todo_)
        settle(a);
      todo_.clear();
      commit();
    }
  }

private:
  void read(flow::partition_index which) {
    auto& from = sources_[which];
    if (!dispatcher_.wants_more(which)) return;
    std::vector<flow::admitted> events;
    events.reserve(batch);
    while (events.size() < batch && read_ < wanted_ && from.ledger.open()) {
      auto event = make_event(which, from.next++);
      const auto slot = from.ledger.admit(event->offset, event->bytes());
      if (!slot) fail("an event that was never seen counts as finished");
      events.push_back({std::move(event), *slot});
      ++read_;
    }
    if (!events.empty()) dispatcher_.offer(which, std::move(events), now_);
  }

  std::shared_ptr<const record> make_event(flow::partition_index which, std::int64_t offset) {
    auto event = std::make_shared<record>();
    event->topic = topic_;
    event->partition = static_cast<std::int32_t>(which);
    event->offset = offset;
    event->key = "customer-" + std::to_string(100'000 + (read_ * 7919) % keys);
    event->value = value_;
    return event;
  }

  std::optional<flow::call_handler> start_one() {
    return running_.size() < workers ? dispatcher_.next(now_) : std::nullopt;
  }

  void end_some() {
    for (auto n = (running_.size() + 1) / 2; n > 0; --n) {
      dispatcher_.called(running_.front(), outcome::success(), now_, 0, todo_);
      running_.pop_front();
    }
  }

  void settle(const flow::action& a) {
    const auto* over = std::get_if<flow::event_done>(&a);
    if (!over) fail("an event was not handled as it should");
    sources_[over->partition].ledger.finish(over->slot);
    ++done_;
  }

  void commit() {
    for (auto& from : sources_)
      if (from.ledger.fill() > commit_at && from.ledger.take_commit()) from.ledger.commit_ended(true);
  }

  flow::dispatcher dispatcher_{{}, 1};
  std::array<source, partitions> sources_;
  std::deque<flow::task_id> running_;
  std::vector<flow::action> todo_;
  std::shared_ptr<const std::string> topic_ = std::make_shared<const std::string>("order.placed");
  const std::string value_ = std::string(200, 'x');
  steady_time now_{std::chrono::seconds{1}};
  const std::uint64_t wanted_;
  std::uint64_t read_ = 0, done_ = 0;
};

} // namespace

int main(int argc, char** argv) {
  const auto events = argc == 2 ? std::strtoull(argv[1], nullptr, 10) : 0;
  if (events == 0) fail("EVENTS");
  pool{events}.run();
  return 0;
}

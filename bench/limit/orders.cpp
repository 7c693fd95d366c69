#include "bench/client.hpp"
#include "bench/limit/jobs.hpp"
#include "bench/logbook.hpp"
#include "bench/order.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <thread>
#include <unordered_map>
#include <vector>

namespace bench {

namespace {

constexpr std::int64_t work_ns = 5'000'000;
constexpr std::size_t batch = 2000;

/// One thread: a lane for each key, and what is under way in the order it is due, since all takes as long.
class shop {
public:
  explicit shop(std::size_t concurrency) : concurrency_{concurrency}, book_{setting("LOGBOOK")} {}

  [[nodiscard]] bool full() const { return waiting_ >= 8 * concurrency_; }
  [[nodiscard]] std::int64_t next_due() const { return under_way_.empty() ? 0 : under_way_.front().due; }

  void take(const order& event) {
    auto& mine = lanes_[event.key];
    mine.sequences.push_back(event.sequence);
    ++waiting_;
    if (mine.sequences.size() == 1) ready_.push_back(event.key);
  }

  void turn(std::int64_t now) {
    while (!under_way_.empty() && under_way_.front().due <= now) {
      const auto [key, due] = under_way_.front();
      under_way_.pop_front();
      auto& mine = lanes_[key];
      book_.done(key, mine.sequences.front(), due - work_ns, now);
      mine.sequences.pop_front();
      --waiting_;
      if (!mine.sequences.empty()) ready_.push_back(key);
    }
    while (!ready_.empty() && under_way_.size() < concurrency_) {
      under_way_.push_back({ready_.front(), now + work_ns});
      ready_.pop_front();
    }
  }

private:
  struct lane {
    std::deque<std::int32_t> sequences;
  };
  struct call {
    std::int32_t key;
    std::int64_t due;
  };
  std::size_t concurrency_;
  logbook book_;
  std::unordered_map<std::int32_t, lane> lanes_;
  std::deque<std::int32_t> ready_;
  std::deque<call> under_way_;
  std::size_t waiting_ = 0;
};

} // namespace

void orders() {
  shop work{static_cast<std::size_t>(number("CONCURRENCY"))};
  rd_kafka_t* consumer = open_consumer(setting("GROUP"), {{"enable.auto.commit", "true"},
                                                          {"queued.min.messages", "1000000"},
                                                          {"queued.max.messages.kbytes", "65536"}});
  rd_kafka_queue_t* queue = rd_kafka_queue_get_consumer(consumer);
  std::array<rd_kafka_message_t*, batch> messages{};
  while (!stop_asked()) {
    if (!work.full()) {
      const auto got = rd_kafka_consume_batch_queue(queue, 0, messages.data(), messages.size());
      for (std::size_t i = 0; i < static_cast<std::size_t>(got > 0 ? got : 0); ++i) {
        if (messages[i]->err != RD_KAFKA_RESP_ERR_NO_ERROR) fail(rd_kafka_message_errstr(messages[i]));
        work.take(order_of({static_cast<const char*>(messages[i]->payload), messages[i]->len}));
        rd_kafka_message_destroy(messages[i]);
      }
    }
    const auto now = now_ns();
    work.turn(now);
    // At least as long as the kernel's own slack: what is due meanwhile is done in one go.
    const auto due = work.next_due();
    std::this_thread::sleep_for(
        std::chrono::nanoseconds{due == 0 ? 1'000'000 : std::max<std::int64_t>(due - now, 50'000)});
  }
  rd_kafka_queue_destroy(queue);
  close_consumer(consumer);
}

} // namespace bench

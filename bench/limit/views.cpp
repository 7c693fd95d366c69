#include "bench/client.hpp"
#include "bench/limit/jobs.hpp"
#include "bench/logbook.hpp"

#include <hiredis/hiredis.h>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bench {

namespace {

using clock_type = std::chrono::steady_clock;

constexpr std::size_t batch = 2000;
constexpr std::size_t page_size = 4096;

/// Counts by path: open addressing, and never an allocation for a path that was seen before.
class path_counts {
public:
  void add(std::string_view path) {
    const auto hash = std::hash<std::string_view>{}(path);
    for (auto i = hash & (slots_.size() - 1);; i = (i + 1) & (slots_.size() - 1)) {
      auto& slot = slots_[i];
      if (slot.hash == hash && slot.path == path) {
        ++slot.count;
        return;
      }
      if (slot.path.empty()) {
        slot = {hash, std::string{path}, 1};
        if (++used_ * 2 > slots_.size()) grow();
        return;
      }
    }
  }

  template <class F>
  void take(F&& each) {
    for (auto& slot : slots_)
      if (slot.count > 0) each(slot.path, std::exchange(slot.count, 0));
  }

private:
  struct entry {
    std::size_t hash = 0;
    std::string path;
    std::int64_t count = 0;
  };
  void grow() {
    std::vector<entry> larger(slots_.size() * 2);
    for (auto& old : slots_) {
      if (old.path.empty()) continue;
      auto i = old.hash & (larger.size() - 1);
      while (!larger[i].path.empty())
        i = (i + 1) & (larger.size() - 1);
      larger[i] = std::move(old);
    }
    slots_ = std::move(larger);
  }
  std::vector<entry> slots_ = std::vector<entry>(4096);
  std::size_t used_ = 0;
};

class counter {
public:
  explicit counter(int redis_port) : redis_{redisConnect("127.0.0.1", redis_port)} {
    if (!redis_ || redis_->err != 0) fail("no Redis");
  }

  void count(const void* payload, std::size_t size) {
    namespace od = simdjson::ondemand;
    const auto* text = static_cast<const char*>(payload);
    // The parser reads some bytes beyond the end. On the page of the last byte they can be read, whatever
    // they are.
    const auto last = (reinterpret_cast<std::uintptr_t>(text) + size - 1) & (page_size - 1);
    if (last + simdjson::SIMDJSON_PADDING >= page_size) {
      padded_.resize(std::max(padded_.size(), size + simdjson::SIMDJSON_PADDING));
      std::memcpy(padded_.data(), text, size);
      text = padded_.data();
    }
    od::document event;
    od::object fields;
    std::string_view type, path;
    if (parser_.iterate(text, size, size + simdjson::SIMDJSON_PADDING).get(event) != simdjson::SUCCESS ||
        event.get_object().get(fields) != simdjson::SUCCESS ||
        fields["type"].get_string().get(type) != simdjson::SUCCESS)
      fail("an event that bench_load did not make");
    if (type != "page_view") return;
    if (fields["payload"]["path"].get_string().get(path) != simdjson::SUCCESS)
      fail("an event that bench_load did not make");
    counts_.add(path);
  }

  void flush() {
    std::size_t sent = 0;
    counts_.take([&](const std::string& path, std::int64_t count) {
      redisAppendCommand(redis_, "INCRBY views:%b %lld", path.data(), path.size(),
                         static_cast<long long>(count));
      ++sent;
    });
    for (; sent > 0; --sent) {
      void* reply = nullptr;
      if (redisGetReply(redis_, &reply) != REDIS_OK) fail("Redis went away");
      freeReplyObject(reply);
    }
  }

private:
  redisContext* redis_;
  simdjson::ondemand::parser parser_;
  std::vector<char> padded_ = std::vector<char>(page_size + simdjson::SIMDJSON_PADDING);
  path_counts counts_;
};

} // namespace

void views() {
  counter counts{static_cast<int>(number("REDIS_PORT"))};
  logbook book{setting("LOGBOOK")};
  const std::chrono::milliseconds every{number("FLUSH_MS")};
  rd_kafka_t* consumer = open_consumer(setting("GROUP"),
                                       {// By count a full queue backs off a whole second on librdkafka 2.0.2.
                                        {"queued.min.messages", "1000000"},
                                        {"queued.max.messages.kbytes", setting("PREFETCH_KIB")}});
  rd_kafka_queue_t* queue = rd_kafka_queue_get_consumer(consumer);

  std::array<rd_kafka_message_t*, batch> messages{};
  std::uint64_t counted = 0;
  auto next_flush = clock_type::time_point::max(), next_commit = next_flush;
  while (!stop_asked()) {
    const auto wait = std::min(every, std::chrono::milliseconds{100});
    const auto got =
        rd_kafka_consume_batch_queue(queue, static_cast<int>(wait.count()), messages.data(), messages.size());
    for (std::size_t i = 0; i < static_cast<std::size_t>(got > 0 ? got : 0); ++i) {
      if (messages[i]->err != RD_KAFKA_RESP_ERR_NO_ERROR) fail(rd_kafka_message_errstr(messages[i]));
      counts.count(messages[i]->payload, messages[i]->len);
      rd_kafka_message_destroy(messages[i]);
      ++counted;
    }
    book.count(counted);
    const auto now = clock_type::now();
    if (next_flush == clock_type::time_point::max() && counted > 0) {
      next_flush = now + every;
      next_commit = now + std::chrono::seconds{1};
    }
    if (now < next_flush) continue;
    counts.flush();
    next_flush = now + every;
    if (now < next_commit) continue;
    rd_kafka_commit(consumer, nullptr, 1);
    next_commit = now + std::chrono::seconds{1};
  }
  counts.flush();
  rd_kafka_commit(consumer, nullptr, 0);
  rd_kafka_queue_destroy(queue);
  close_consumer(consumer);
}

} // namespace bench

#include "bench/load/jobs.hpp"
#include "bench/logbook.hpp"

#include <hiredis/hiredis.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace bench {

namespace {

constexpr std::int64_t keys = 1000;
constexpr std::string_view counted = "__keyspace@0__:views:";

/// Hears from Redis which counts appear, and when; for that it tells all that becomes of its strings.
class listener {
public:
  listener(int port, const std::vector<std::atomic<std::int64_t>>& sent)
      : redis_{redisConnect("127.0.0.1", port)}, sent_{sent}, book_{setting("LOGBOOK")} {
    if (!redis_ || redis_->err != 0) fail("no Redis");
    ask("CONFIG SET notify-keyspace-events K$");
    ask((std::string{"PSUBSCRIBE "} + counted.data() + "*").c_str());
  }

  void hear_all() {
    for (std::size_t heard = 0; heard < sent_.size();) {
      void* reply = nullptr;
      if (redisGetReply(redis_, &reply) != REDIS_OK) fail("Redis went away");
      const auto now = now_ns();
      const auto* message = static_cast<redisReply*>(reply);
      // pmessage, pattern, channel, what happened
      if (message->type == REDIS_REPLY_ARRAY && message->elements == 4) {
        const auto id = std::strtoll(message->element[2]->str + counted.size(), nullptr, 10);
        book_.done(static_cast<std::int32_t>(id), 0, sent_[static_cast<std::size_t>(id)], now);
        ++heard;
      }
      freeReplyObject(reply);
    }
  }

private:
  void ask(const char* command) {
    freeReplyObject(redisCommand(redis_, command));
    if (redis_->err != 0) fail("Redis refused a command");
  }

  redisContext* redis_;
  const std::vector<std::atomic<std::int64_t>>& sent_;
  logbook book_;
};

} // namespace

void steady() {
  const auto rate = number("RATE"), events = rate * number("SECONDS");
  const bool of_views = std::getenv("REDIS_PORT") != nullptr;
  rd_kafka_t* producer = open_producer({{"linger.ms", "0"}});
  rd_kafka_topic_t* topic = rd_kafka_topic_new(producer, setting("TOPIC"), nullptr);
  std::vector<std::atomic<std::int64_t>> sent(static_cast<std::size_t>(events));
  std::unique_ptr<listener> ear;
  std::jthread hearing;
  if (of_views) {
    ear = std::make_unique<listener>(static_cast<int>(number("REDIS_PORT")), sent);
    hearing = std::jthread{[&] { ear->hear_all(); }};
  }

  std::array<char, 256> value{};
  const auto begin = now_ns();
  for (std::int64_t i = 0; i < events; ++i) {
    std::this_thread::sleep_for(std::chrono::nanoseconds{begin + i * 1'000'000'000 / rate - now_ns()});
    const auto at = now_ns();
    sent[static_cast<std::size_t>(i)] = at;
    const int size =
        of_views
            ? std::snprintf(value.data(), value.size(), R"({"type":"page_view","payload":{"path":"%lld"}})",
                            static_cast<long long>(i))
            : std::snprintf(value.data(), value.size(), R"({"seq":%lld,"key":%lld,"at":%lld})",
                            static_cast<long long>(i / keys), static_cast<long long>(i % keys),
                            static_cast<long long>(at));
    produce(producer, topic, "customer-" + std::to_string(i % keys), value.data(),
            static_cast<std::size_t>(size));
    rd_kafka_poll(producer, 0);
  }
  close_producer(producer, topic);
}

} // namespace bench

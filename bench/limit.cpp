// What the hardware allows: one thread that reads, parses, counts, writes to Redis every second and commits
// after it. Nothing is promised: a crash counts twice, a rebalance too, a broken event ends it. bench/run
// measures the engine against it.
//
//   bench_limit BROKERS TOPIC GROUP REDIS_PORT PROGRESS_FILE [PREFETCH_KIB]
//   bench_limit --idle CONSUMERS BROKERS TOPIC GROUP
//
// The number of events counted so far lies in PROGRESS_FILE as a 64-bit integer. SIGTERM flushes, commits and
// ends.

#include "bench/idle.hpp"

#include <hiredis/hiredis.h>
#include <librdkafka/rdkafka.h>
#include <simdjson.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <string>
#include <string_view>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

using clock_type = std::chrono::steady_clock;

constexpr std::size_t batch = 2000;
constexpr std::size_t page_size = 4096;

volatile std::sig_atomic_t stop_asked = 0;

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

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "bench_limit: %s\n", why.c_str());
  std::exit(1);
}

class counter {
public:
  explicit counter(int redis_port) : redis_{redisConnect("127.0.0.1", redis_port)} {
    if (!redis_ || redis_->err != 0) fail("no Redis");
    if (parser_.allocate(padded_.size()) != simdjson::SUCCESS) fail("no memory");
  }

  void count(const void* payload, std::size_t size) {
    namespace od = simdjson::ondemand;
    const auto* text = static_cast<const char*>(payload);
    // The parser reads some bytes beyond the end. On the same page they can be read, whatever they are.
    if ((reinterpret_cast<std::uintptr_t>(text) & (page_size - 1)) + size + simdjson::SIMDJSON_PADDING >
        page_size) {
      if (size > page_size) fail("an event of this size was not made by bench_fill");
      std::memcpy(padded_.data(), text, size);
      text = padded_.data();
    }
    od::document event;
    od::object fields;
    std::string_view type, path;
    if (parser_.iterate(text, size, size + simdjson::SIMDJSON_PADDING).get(event) != simdjson::SUCCESS ||
        event.get_object().get(fields) != simdjson::SUCCESS ||
        fields["type"].get_string().get(type) != simdjson::SUCCESS)
      fail("an event that bench_fill did not make");
    if (type != "page_view") return;
    if (fields["payload"]["path"].get_string().get(path) != simdjson::SUCCESS)
      fail("an event that bench_fill did not make");
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
  std::array<char, page_size + simdjson::SIMDJSON_PADDING> padded_{};
  path_counts counts_;
};

std::atomic<std::uint64_t>& progress_in(const char* file) {
  const int descriptor = ::open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor < 0 || ::ftruncate(descriptor, sizeof(std::uint64_t)) != 0) fail("no progress file");
  void* shared = ::mmap(nullptr, sizeof(std::uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (shared == MAP_FAILED) fail("no progress file");
  return *static_cast<std::atomic<std::uint64_t>*>(shared);
}

rd_kafka_t* open_consumer(const char* brokers, const char* topic, const char* group,
                          const char* prefetch_kib) {
  std::array<char, 512> why{};
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  const std::array<std::pair<const char*, const char*>, 8> settings{
      {{"bootstrap.servers", brokers},
       {"group.id", group},
       {"enable.auto.commit", "false"},
       {"auto.offset.reset", "earliest"},
       {"session.timeout.ms", "6000"},
       {"heartbeat.interval.ms", "2000"},
       // By count a full queue backs off a whole second on librdkafka 2.0.2.
       {"queued.min.messages", "1000000"},
       {"queued.max.messages.kbytes", prefetch_kib}}};
  for (const auto& [name, value] : settings)
    if (rd_kafka_conf_set(conf, name, value, why.data(), why.size()) != RD_KAFKA_CONF_OK) fail(why.data());
  rd_kafka_t* consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why.data(), why.size());
  if (!consumer) fail(why.data());
  rd_kafka_poll_set_consumer(consumer);
  rd_kafka_topic_partition_list_t* topics = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(topics, topic, RD_KAFKA_PARTITION_UA);
  if (rd_kafka_subscribe(consumer, topics) != RD_KAFKA_RESP_ERR_NO_ERROR) fail("cannot subscribe");
  rd_kafka_topic_partition_list_destroy(topics);
  return consumer;
}

int run(int argc, char** argv) {
  std::signal(SIGTERM, [](int) { stop_asked = 1; });
  counter views{std::atoi(argv[4])};
  auto& progress = progress_in(argv[5]);
  rd_kafka_t* consumer = open_consumer(argv[1], argv[2], argv[3], argc > 6 ? argv[6] : "65536");
  rd_kafka_queue_t* queue = rd_kafka_queue_get_consumer(consumer);

  std::array<rd_kafka_message_t*, batch> messages{};
  std::uint64_t counted = 0;
  auto next_flush = clock_type::now() + std::chrono::seconds{1};
  bool begun = false;
  while (stop_asked == 0) {
    const auto got = rd_kafka_consume_batch_queue(queue, 100, messages.data(), messages.size());
    for (std::size_t i = 0; i < static_cast<std::size_t>(got > 0 ? got : 0); ++i) {
      if (messages[i]->err != RD_KAFKA_RESP_ERR_NO_ERROR) fail(rd_kafka_message_errstr(messages[i]));
      views.count(messages[i]->payload, messages[i]->len);
      rd_kafka_message_destroy(messages[i]);
      ++counted;
    }
    progress.store(counted, std::memory_order_relaxed);
    const auto now = clock_type::now();
    if (!begun && counted > 0) {
      begun = true;
      next_flush = now + std::chrono::seconds{1};
    }
    if (now < next_flush) continue;
    views.flush();
    rd_kafka_commit(consumer, nullptr, 1);
    next_flush = now + std::chrono::seconds{1};
  }
  views.flush();
  rd_kafka_commit(consumer, nullptr, 0);
  rd_kafka_queue_destroy(queue);
  rd_kafka_consumer_close(consumer);
  rd_kafka_destroy(consumer);
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  if (argc == 6 && std::strcmp(argv[1], "--idle") == 0)
    return bench::idle(std::atoi(argv[2]), argv[3], argv[4], argv[5]);
  if (argc != 6 && argc != 7) fail("BROKERS TOPIC GROUP REDIS_PORT PROGRESS_FILE [PREFETCH_KIB]");
  return run(argc, argv);
}

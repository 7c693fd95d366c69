// bench_fill BROKERS TOPIC EVENTS PATHS FIRST_SECOND EXPECTED_FILE
//
// Fills a topic with page views of some 200 bytes, keyed by session, and writes down what a counter must
// find: lines `total PATH COUNT` and `minute MINUTE PATH COUNT`. Event times begin at FIRST_SECOND (since the
// epoch) and take ten minutes, however many events there are. The same arguments make the same events.

#include "bench/page_views.hpp"

#include <librdkafka/rdkafka.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace {

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "bench_fill: %s\n", why.c_str());
  std::exit(1);
}

std::uint64_t undelivered = 0;

rd_kafka_t* open_producer(const char* brokers) {
  std::array<char, 512> why{};
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  const std::array<std::pair<const char*, const char*>, 7> settings{
      {{"bootstrap.servers", brokers},
       {"acks", "all"},
       {"linger.ms", "20"},
       {"batch.size", "1000000"},
       {"partitioner", "murmur2_random"},
       {"queue.buffering.max.messages", "1000000"},
       {"enable.idempotence", "true"}}};
  for (const auto& [name, value] : settings)
    if (rd_kafka_conf_set(conf, name, value, why.data(), why.size()) != RD_KAFKA_CONF_OK) fail(why.data());
  rd_kafka_conf_set_dr_msg_cb(conf, [](rd_kafka_t*, const rd_kafka_message_t* m, void*) {
    if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR) ++undelivered;
  });
  rd_kafka_t* producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why.data(), why.size());
  if (!producer) fail(why.data());
  return producer;
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 7) fail("BROKERS TOPIC EVENTS PATHS FIRST_SECOND EXPECTED_FILE");
  const auto events = std::strtoull(argv[3], nullptr, 10);
  const auto paths = static_cast<std::size_t>(std::strtoull(argv[4], nullptr, 10));
  const std::time_t first_second = std::strtoll(argv[5], nullptr, 10);
  if (paths == 0) fail("no paths");
  rd_kafka_t* producer = open_producer(argv[1]);
  rd_kafka_topic_t* topic = rd_kafka_topic_new(producer, argv[2], nullptr);

  bench::page_views views{events, paths, first_second};
  std::map<std::string, std::vector<std::uint64_t>, std::less<>> by_minute;
  std::uint64_t bytes = 0;
  for (std::uint64_t i = 0; i < events; ++i) {
    views.next();
    auto counts = by_minute.find(views.minute());
    if (counts == by_minute.end()) counts = by_minute.emplace(views.minute(), paths).first;
    if (views.counts()) ++counts->second[views.path()];
    const auto key = views.key(), value = views.value();
    bytes += value.size();
    while (rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY,
                            const_cast<char*>(value.data()), value.size(), key.data(), key.size(),
                            nullptr) != 0) {
      if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL)
        fail(rd_kafka_err2str(rd_kafka_last_error()));
      rd_kafka_poll(producer, 10);
    }
    if (i % 1000 == 0) rd_kafka_poll(producer, 0);
  }
  if (rd_kafka_flush(producer, 120'000) != RD_KAFKA_RESP_ERR_NO_ERROR || undelivered > 0)
    fail("not everything was delivered");
  rd_kafka_topic_destroy(topic);
  rd_kafka_destroy(producer);

  std::FILE* expected = std::fopen(argv[6], "w");
  if (!expected) fail(std::string{"cannot write "} + argv[6]);
  std::vector<std::uint64_t> totals(paths);
  for (const auto& [minute, seen] : by_minute)
    for (std::size_t path = 0; path < paths; ++path) {
      totals[path] += seen[path];
      if (seen[path] > 0)
        std::fprintf(expected, "minute %s /products/item-%04zu %llu\n", minute.c_str(), path,
                     static_cast<unsigned long long>(seen[path]));
    }
  for (std::size_t path = 0; path < paths; ++path)
    if (totals[path] > 0)
      std::fprintf(expected, "total /products/item-%04zu %llu\n", path,
                   static_cast<unsigned long long>(totals[path]));
  std::fprintf(expected, "bytes %llu\n", static_cast<unsigned long long>(bytes));
  return std::fclose(expected) == 0 ? 0 : 1;
}

#include "bench/idle.hpp"

#include <librdkafka/rdkafka.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace bench {

namespace {

volatile std::sig_atomic_t stop_asked = 0;

bool wait_for_events(const char* brokers, const char* topic, const std::string& group) {
  std::array<char, 512> why{};
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  const std::array<std::pair<const char*, const char*>, 6> settings{{{"bootstrap.servers", brokers},
                                                                     {"group.id", group.c_str()},
                                                                     {"enable.auto.commit", "false"},
                                                                     {"auto.offset.reset", "latest"},
                                                                     {"session.timeout.ms", "6000"},
                                                                     {"heartbeat.interval.ms", "2000"}}};
  for (const auto& [name, value] : settings)
    if (rd_kafka_conf_set(conf, name, value, why.data(), why.size()) != RD_KAFKA_CONF_OK) return false;
  rd_kafka_t* consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why.data(), why.size());
  if (!consumer) return false;
  rd_kafka_poll_set_consumer(consumer);
  rd_kafka_topic_partition_list_t* topics = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(topics, topic, RD_KAFKA_PARTITION_UA);
  const bool subscribed = rd_kafka_subscribe(consumer, topics) == RD_KAFKA_RESP_ERR_NO_ERROR;
  rd_kafka_topic_partition_list_destroy(topics);
  while (subscribed && stop_asked == 0)
    if (auto* message = rd_kafka_consumer_poll(consumer, 500)) rd_kafka_message_destroy(message);
  rd_kafka_consumer_close(consumer);
  rd_kafka_destroy(consumer);
  return subscribed;
}

} // namespace

int idle(int consumers, const char* brokers, const char* topic, const char* group) {
  std::signal(SIGTERM, [](int) { stop_asked = 1; });
  std::vector<std::jthread> threads;
  threads.reserve(static_cast<std::size_t>(consumers));
  for (int i = 0; i < consumers; ++i)
    threads.emplace_back([=] {
      if (wait_for_events(brokers, topic, std::string{group} + "-" + std::to_string(i))) return;
      std::fprintf(stderr, "bench_limit: a consumer did not start\n");
      std::_Exit(1);
    });
  return 0;
}

} // namespace bench

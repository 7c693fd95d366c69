#include "bench/client.hpp"

#include <array>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace bench {

namespace {

volatile std::sig_atomic_t stop = 0;
std::uint64_t undelivered = 0;

rd_kafka_conf_t* conf_of(properties base, properties further) {
  std::array<char, 512> why{};
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  for (const auto& some : {base, further})
    for (const auto& [name, value] : some)
      if (rd_kafka_conf_set(conf, name, value, why.data(), why.size()) != RD_KAFKA_CONF_OK) fail(why.data());
  return conf;
}

rd_kafka_t* client_of(rd_kafka_type_t type, rd_kafka_conf_t* conf) {
  std::array<char, 512> why{};
  rd_kafka_t* client = rd_kafka_new(type, conf, why.data(), why.size());
  if (!client) fail(why.data());
  return client;
}

} // namespace

void fail(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::_Exit(1);
}

const char* setting(const char* name) {
  const char* value = std::getenv(name);
  if (!value) fail(std::string{"no "} + name + " in the environment");
  return value;
}

std::int64_t number(const char* name) {
  return std::strtoll(setting(name), nullptr, 10);
}

rd_kafka_t* open_consumer(const std::string& group, properties further) {
  rd_kafka_t* consumer =
      client_of(RD_KAFKA_CONSUMER, conf_of({{"bootstrap.servers", setting("KAFKA_BROKERS")},
                                            {"group.id", group.c_str()},
                                            {"enable.auto.commit", "false"},
                                            {"auto.offset.reset", "earliest"},
                                            {"session.timeout.ms", "6000"},
                                            {"heartbeat.interval.ms", "2000"}},
                                           further));
  rd_kafka_poll_set_consumer(consumer);
  rd_kafka_topic_partition_list_t* topics = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(topics, setting("TOPIC"), RD_KAFKA_PARTITION_UA);
  if (rd_kafka_subscribe(consumer, topics) != RD_KAFKA_RESP_ERR_NO_ERROR) fail("cannot subscribe");
  rd_kafka_topic_partition_list_destroy(topics);
  return consumer;
}

void close_consumer(rd_kafka_t* consumer) {
  rd_kafka_consumer_close(consumer);
  rd_kafka_destroy(consumer);
}

rd_kafka_t* open_producer(properties further) {
  rd_kafka_conf_t* conf = conf_of({{"bootstrap.servers", setting("KAFKA_BROKERS")},
                                   {"acks", "all"},
                                   {"enable.idempotence", "true"},
                                   {"partitioner", "murmur2_random"}},
                                  further);
  rd_kafka_conf_set_dr_msg_cb(conf, [](rd_kafka_t*, const rd_kafka_message_t* m, void*) {
    // Without an offset the broker has called it a copy, perhaps of what it never got.
    if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR || m->offset < 0) ++undelivered;
  });
  return client_of(RD_KAFKA_PRODUCER, conf);
}

rd_kafka_t* open_in_bulk() {
  return open_producer(
      {{"linger.ms", "20"}, {"batch.size", "1000000"}, {"queue.buffering.max.messages", "1000000"}});
}

void produce(rd_kafka_t* producer, rd_kafka_topic_t* topic, const std::string& key, const char* value,
             std::size_t size) {
  // librdkafka only reads the value: it is told to copy. Its interface is older than const.
  while (rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, const_cast<char*>(value), size,
                          key.data(), key.size(), nullptr) != 0) {
    if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL) fail(rd_kafka_err2str(rd_kafka_last_error()));
    rd_kafka_poll(producer, 10);
  }
}

void close_producer(rd_kafka_t* producer, rd_kafka_topic_t* topic) {
  if (rd_kafka_flush(producer, 120'000) != RD_KAFKA_RESP_ERR_NO_ERROR || undelivered > 0)
    fail("not everything was delivered");
  rd_kafka_topic_destroy(topic);
  rd_kafka_destroy(producer);
}

void heed_sigterm() {
  std::signal(SIGTERM, [](int) { stop = 1; });
}

bool stop_asked() {
  return stop != 0;
}

} // namespace bench

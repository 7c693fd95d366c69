#include "bench/client.hpp"
#include "bench/limit/jobs.hpp"

#include <cstdint>
#include <string>

namespace bench {

void produce() {
  // As the engine has them (engine/kafka/producing.cpp).
  rd_kafka_t* producer = open_producer({{"linger.ms", "1"},
                                        {"queue.buffering.max.messages", "100000"},
                                        {"queue.buffering.max.kbytes", "65536"},
                                        {"batch.num.messages", "10000"}});
  rd_kafka_topic_t* topic = rd_kafka_topic_new(producer, setting("TOPIC"), nullptr);
  const std::string value = setting("VALUE");
  const auto keys = number("KEYS");
  for (std::int64_t i = 0; !stop_asked(); ++i) {
    produce(producer, topic, "device-" + std::to_string(i % keys + 1), value.data(), value.size());
    if (i % 1000 == 0) rd_kafka_poll(producer, 0);
  }
  close_producer(producer, topic);
}

} // namespace bench

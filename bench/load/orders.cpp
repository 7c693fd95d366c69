#include "bench/load/jobs.hpp"
#include "bench/random.hpp"

#include <array>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

namespace bench {

void orders() {
  const auto events = number("EVENTS"), keys = number("KEYS"), hot = number("HOT_PERMILLE");
  rd_kafka_t* producer = open_in_bulk();
  rd_kafka_topic_t* topic = rd_kafka_topic_new(producer, setting("TOPIC"), nullptr);
  std::vector<std::int32_t> sequences(static_cast<std::size_t>(keys) + 1);
  // In turn no key would come again before its last order is long done, and order would cost nothing.
  random_numbers random;
  std::array<char, 256> value{};
  for (std::int64_t i = 0; i < events; ++i) {
    const auto key = i * hot % 1000 < hot
                         ? 0
                         : static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(keys))) + 1;
    const int size = std::snprintf(
        value.data(), value.size(),
        R"({"seq":%d,"key":%lld,"at":0,"items":[{"product":"lamp","quantity":2,"price":19.5}]})",
        sequences[static_cast<std::size_t>(key)]++, static_cast<long long>(key));
    produce(producer, topic, "customer-" + std::to_string(key), value.data(), static_cast<std::size_t>(size));
    if (i % 1000 == 0) rd_kafka_poll(producer, 0);
  }
  close_producer(producer, topic);
}

} // namespace bench

#include "bench/client.hpp"
#include "bench/limit/jobs.hpp"

#include <string>
#include <thread>
#include <vector>

namespace bench {

namespace {

void wait_for_events(const std::string& group) {
  rd_kafka_t* consumer = open_consumer(group, {{"auto.offset.reset", "latest"}});
  while (!stop_asked())
    if (auto* message = rd_kafka_consumer_poll(consumer, 500)) rd_kafka_message_destroy(message);
  close_consumer(consumer);
}

} // namespace

void idle() {
  std::vector<std::jthread> threads;
  for (int i = 0; i < number("CONSUMERS"); ++i)
    threads.emplace_back([i] { wait_for_events(std::string{setting("GROUP")} + "-" + std::to_string(i)); });
}

} // namespace bench

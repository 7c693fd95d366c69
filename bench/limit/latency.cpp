#include "bench/client.hpp"
#include "bench/limit/jobs.hpp"
#include "bench/logbook.hpp"
#include "bench/order.hpp"

namespace bench {

void latency() {
  logbook book{setting("LOGBOOK")};
  rd_kafka_t* consumer = open_consumer(setting("GROUP"), {{"enable.auto.commit", "true"}});
  while (!stop_asked()) {
    rd_kafka_message_t* message = rd_kafka_consumer_poll(consumer, 100);
    if (!message) continue;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) fail(rd_kafka_message_errstr(message));
    const auto came = now_ns();
    const auto event = order_of({static_cast<const char*>(message->payload), message->len});
    book.done(event.key, event.sequence, event.at, came);
    rd_kafka_message_destroy(message);
  }
  close_consumer(consumer);
}

} // namespace bench

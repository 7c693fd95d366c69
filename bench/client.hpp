#pragma once

#include <librdkafka/rdkafka.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>

/// What the benchmarks' own programs share: how they are told what to do, and bare clients of librdkafka.
namespace bench {

/// Says why on standard error and ends the process with 1.
[[noreturn]] void fail(const std::string& why);

/// A variable of the environment, which is how bench/run tells its programs what to do; fails without it.
const char* setting(const char* name);
std::int64_t number(const char* name);

using properties = std::initializer_list<std::pair<const char*, const char*>>;

/// Subscribed to TOPIC as a member of `group`.
rd_kafka_t* open_consumer(const std::string& group, properties further);
void close_consumer(rd_kafka_t* consumer);

/// acks=all and idempotent.
rd_kafka_t* open_producer(properties further);
/// With batches as large as they can be.
rd_kafka_t* open_in_bulk();
/// Waits while the producer's queue is full.
void produce(rd_kafka_t* producer, rd_kafka_topic_t* topic, const std::string& key, const char* value,
             std::size_t size);
/// Waits until everything is delivered; fails where something is not.
void close_producer(rd_kafka_t* producer, rd_kafka_topic_t* topic);

/// After this, stop_asked() says whether SIGTERM came.
void heed_sigterm();
bool stop_asked();

} // namespace bench

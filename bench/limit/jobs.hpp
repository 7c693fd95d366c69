#pragma once

/// What a bare loop of librdkafka can do, and nothing else: what bench/run holds the contestants against.
/// Nothing is promised: a crash counts twice, a rebalance too, a broken event ends it. Each runs until
/// SIGTERM and is told what to do by the environment (bench/client.hpp).
namespace bench {

void views();   ///< counts page views by path into Redis, REDIS_PORT, every FLUSH_MS; PREFETCH_KIB
void orders();  ///< takes 5 ms for each order, CONCURRENCY at a time, those of a key in order
void latency(); ///< notes when each order came
void produce(); ///< produces the same event with KEYS different keys in turn, without end
void idle();    ///< CONSUMERS that wait, each of a group of its own and polled by a thread of its own

} // namespace bench

#include "engine/kafka/producing.hpp"

#include "engine/kafka/client_config.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace troupe::kafka {

result<conf_ptr> make_producer_conf(const connection& to, const std::string& client_id, milliseconds timeout,
                                    bool one_per_batch, properties promised) {
  const auto most = std::max<std::int64_t>(timeout.count(), 1);
  const properties ours{
      {"client.id", client_id},
      // Whoever publishes waits for the report; under load batches fill by themselves.
      {"linger.ms", std::to_string(std::min<std::int64_t>(1, most - 1))},
      {"queue.buffering.max.messages", "100000"},
      {"queue.buffering.max.kbytes", "65536"},
      // A topic that stays missing is told as that, not as a timeout.
      {"topic.metadata.propagation.max.ms", std::to_string(std::min<std::int64_t>(5000, most / 2))},
  };
  promised.insert({
      {"partitioner", "murmur2_random"},
      {"message.timeout.ms", std::to_string(most)},
      {"log.queue", "true"},
      {"batch.num.messages", one_per_batch ? "1" : "10000"},
  });
  return make_conf(to, role::producer, ours, promised);
}

kafka_error_ptr hand_over(rd_kafka_t* to, rd_kafka_topic_t* topic, const outgoing& event, void* opaque) {
  headers_ptr headers;
  if (!event.headers.empty()) headers.reset(rd_kafka_headers_new(event.headers.size()));
  for (const auto& one : event.headers)
    rd_kafka_header_add(headers.get(), one.name.data(), static_cast<ssize_t>(one.name.size()),
                        one.value ? one.value->data() : nullptr,
                        one.value ? static_cast<ssize_t>(one.value->size()) : 0);

  // librdkafka only reads key and value: it is told to copy. Its interface is older than const.
  const auto bytes = [](const std::optional<std::string>& of) {
    return of ? const_cast<char*>(of->data()) : nullptr;
  };
  const auto length = [](const std::optional<std::string>& of) { return of ? of->size() : 0; };
  std::array<rd_kafka_vu_t, 8> with{};
  std::size_t count = 0;
  const auto next = [&](rd_kafka_vtype_t type) -> auto& {
    with[count].vtype = type;
    return with[count++].u;
  };
  next(RD_KAFKA_VTYPE_RKT).rkt = topic;
  next(RD_KAFKA_VTYPE_MSGFLAGS).i = RD_KAFKA_MSG_F_COPY;
  next(RD_KAFKA_VTYPE_OPAQUE).ptr = opaque;
  next(RD_KAFKA_VTYPE_PARTITION).i32 = event.partition.value_or(RD_KAFKA_PARTITION_UA);
  next(RD_KAFKA_VTYPE_VALUE).mem = {bytes(event.value), length(event.value)};
  next(RD_KAFKA_VTYPE_KEY).mem = {bytes(event.key), length(event.key)};
  if (event.timestamp_ms) next(RD_KAFKA_VTYPE_TIMESTAMP).i64 = *event.timestamp_ms;
  if (headers) next(RD_KAFKA_VTYPE_HEADERS).headers = headers.get();
  kafka_error_ptr failed{rd_kafka_produceva(to, with.data(), count)};
  if (!failed) (void)headers.release(); // the message owns them
  return failed;
}

} // namespace troupe::kafka

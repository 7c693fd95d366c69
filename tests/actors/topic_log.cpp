#include "tests/actors/topic_log.hpp"

#include <array>
#include <memory>
#include <stdexcept>

namespace troupe::actors {
namespace {

using message_ptr = std::unique_ptr<rd_kafka_message_t, kafka::c_delete<rd_kafka_message_destroy>>;

std::optional<std::string> bytes(const void* data, std::size_t size) {
  if (!data) return std::nullopt;
  return std::string{static_cast<const char*>(data), size};
}

} // namespace

topic_log::topic_log(const std::string& brokers, std::string topic, std::int32_t partitions)
    : topic_{std::make_shared<const std::string>(std::move(topic))},
      next_(static_cast<std::size_t>(partitions), 0) {
  kafka::conf_ptr conf{rd_kafka_conf_new()};
  std::array<char, 256> why{};
  for (const auto& [name, value] :
       std::vector<std::pair<const char*, const char*>>{{"bootstrap.servers", brokers.c_str()},
                                                        {"group.id", "topic-log"},
                                                        {"enable.auto.commit", "false"},
                                                        {"auto.offset.reset", "earliest"},
                                                        {"fetch.wait.max.ms", "20"},
                                                        {"fetch.error.backoff.ms", "20"}})
    if (rd_kafka_conf_set(conf.get(), name, value, why.data(), why.size()) != RD_KAFKA_CONF_OK)
      throw std::runtime_error{why.data()};
  rd_kafka_conf_set_log_cb(conf.get(), nullptr);
  client_.reset(rd_kafka_new(RD_KAFKA_CONSUMER, conf.get(), why.data(), why.size()));
  if (!client_) throw std::runtime_error{why.data()};
  (void)conf.release(); // the client owns it from here
  rd_kafka_poll_set_consumer(client_.get());
  const kafka::list_ptr all{rd_kafka_topic_partition_list_new(partitions)};
  for (std::int32_t p = 0; p < partitions; ++p)
    rd_kafka_topic_partition_list_add(all.get(), topic_->c_str(), p)->offset = 0;
  if (rd_kafka_assign(client_.get(), all.get()) != RD_KAFKA_RESP_ERR_NO_ERROR)
    throw std::runtime_error{"the topic cannot be read"};
}

void topic_log::poll() {
  const message_ptr m{rd_kafka_consumer_poll(client_.get(), 20)};
  if (!m || m->err != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  record r;
  r.topic = topic_;
  r.partition = m->partition;
  r.offset = m->offset;
  r.timestamp_ms = rd_kafka_message_timestamp(m.get(), nullptr);
  r.key = bytes(m->key, m->key_len);
  r.value = bytes(m->payload, m->len);
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(m.get(), &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    for (std::size_t i = 0;
         rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i)
      r.headers.push_back({name, bytes(value, size)});
  }
  next_[static_cast<std::size_t>(r.partition)] = r.offset + 1;
  records_.push_back(std::move(r));
}

bool topic_log::read_until(const std::function<bool(const std::vector<record>&)>& enough,
                           std::chrono::milliseconds bound) {
  const auto until = std::chrono::steady_clock::now() + bound;
  while (!enough(records_)) {
    if (std::chrono::steady_clock::now() >= until) return false;
    poll();
  }
  return true;
}

bool topic_log::read_to_end(std::chrono::milliseconds bound) {
  std::vector<std::int64_t> ends;
  for (std::size_t p = 0; p < next_.size(); ++p) {
    std::int64_t low = 0, high = 0;
    if (rd_kafka_query_watermark_offsets(client_.get(), topic_->c_str(), static_cast<std::int32_t>(p), &low,
                                         &high, 5000) != RD_KAFKA_RESP_ERR_NO_ERROR)
      return false;
    ends.push_back(high);
  }
  return read_until(
      [&](const auto&) {
        for (std::size_t p = 0; p < ends.size(); ++p)
          if (next_[p] < ends[p]) return false;
        return true;
      },
      bound);
}

std::string header_of(const record& event, std::string_view name) {
  for (const auto& h : event.headers)
    if (h.name == name) return h.value.value_or("");
  return {};
}

} // namespace troupe::actors

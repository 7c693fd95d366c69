#include "engine/kafka/consumer.hpp"
#include "engine/kafka/errors.hpp"

#include <utility>

namespace troupe::kafka {

namespace {

std::string_view view_of(const void* data, std::size_t size) {
  return data ? std::string_view{static_cast<const char*>(data), size} : std::string_view{};
}

std::optional<std::string> copy_of(const void* data, std::size_t size) {
  if (!data) return std::nullopt;
  return std::string{view_of(data, size)};
}

} // namespace

message& message::operator=(message&& other) noexcept {
  std::swap(raw_, other.raw_);
  return *this;
}

message::~message() {
  if (raw_) rd_kafka_message_destroy(raw_);
}

bool message::is_event() const noexcept {
  return raw_->err == RD_KAFKA_RESP_ERR_NO_ERROR;
}

error message::failure() const {
  // In place of an event, the payload is librdkafka's sentence about it.
  std::string detail = topic() + " [" + std::to_string(raw_->partition) + "] at offset " +
                       std::to_string(raw_->offset) + ": " + rd_kafka_err2str(raw_->err);
  if (const auto text = value(); !text.empty()) detail.append(": ").append(text);
  return {classify(raw_->err), std::move(detail)};
}

std::string message::topic() const {
  return raw_->rkt ? rd_kafka_topic_name(raw_->rkt) : std::string{};
}
std::int32_t message::partition() const noexcept {
  return raw_->partition;
}
std::int64_t message::offset() const noexcept {
  return raw_->offset;
}
std::int64_t message::timestamp_ms() const noexcept {
  return rd_kafka_message_timestamp(raw_, nullptr);
}

timestamp_type message::time_type() const noexcept {
  rd_kafka_timestamp_type_t type{};
  rd_kafka_message_timestamp(raw_, &type);
  switch (type) {
  case RD_KAFKA_TIMESTAMP_CREATE_TIME:
    return timestamp_type::created;
  case RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME:
    return timestamp_type::appended;
  default:
    return timestamp_type::none;
  }
}

bool message::has_value() const noexcept {
  return raw_->payload != nullptr;
}
std::string_view message::value() const noexcept {
  return view_of(raw_->payload, raw_->len);
}
const void* message::topic_handle() const noexcept {
  return raw_->rkt;
}
std::size_t message::bytes() const noexcept {
  return raw_->len + raw_->key_len;
}

record message::to_record(std::shared_ptr<const std::string> topic) const {
  record copy;
  copy.topic = std::move(topic);
  copy.partition = raw_->partition;
  copy.offset = raw_->offset;
  copy.timestamp_ms = timestamp_ms();
  copy.time_type = time_type();
  copy.key = copy_of(raw_->key, raw_->key_len);
  copy.value = copy_of(raw_->payload, raw_->len);

  rd_kafka_headers_t* headers = nullptr; // the message keeps them
  if (rd_kafka_message_headers(raw_, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return copy;
  copy.headers.reserve(rd_kafka_header_cnt(headers));
  const char* name = nullptr;
  const void* data = nullptr;
  std::size_t size = 0;
  for (std::size_t i = 0;
       rd_kafka_header_get_all(headers, i, &name, &data, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i)
    copy.headers.push_back({name, copy_of(data, size)});
  return copy;
}

} // namespace troupe::kafka

#include "engine/kafka/admin.hpp"

#include "engine/kafka/client_config.hpp"
#include "engine/kafka/errors.hpp"

#include <array>
#include <string_view>
#include <utility>

namespace troupe::kafka {

struct admin::impl {
  std::string brokers;
  client_ptr client;

  error unanswered(rd_kafka_resp_err_t code, milliseconds waited) const;
};

namespace {

/// The last thing the client said of its connections ("Connection refused", a failed handshake), which tells
/// more than that the time is up.
std::string last_trouble(rd_kafka_t* client) {
  std::string text;
  const queue_ptr queue{rd_kafka_queue_get_main(client)};
  while (event_ptr event{rd_kafka_queue_poll(queue.get(), 0)}) {
    if (rd_kafka_event_type(event.get()) != RD_KAFKA_EVENT_ERROR) continue;
    if (rd_kafka_event_error(event.get()) == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && !text.empty()) continue;
    if (const char* said = rd_kafka_event_error_string(event.get())) text = said;
  }
  return text;
}

} // namespace

error admin::impl::unanswered(rd_kafka_resp_err_t code, milliseconds waited) const {
  const auto said = last_trouble(client.get());
  const auto kind = classify(code);
  return {kind == errc::timeout ? errc::unavailable : kind,
          "no answer from Kafka at " + brokers + " within " + std::to_string(waited.count()) +
              " ms: " + (said.empty() ? rd_kafka_err2str(code) : said) +
              "; check kafka.brokers, and that the broker is running and reachable from here"};
}

admin::admin(std::unique_ptr<impl> made) : impl_{std::move(made)} {}
admin::~admin() = default;

result<std::unique_ptr<admin>> admin::open(const connection& to) {
  auto conf = make_conf(to, role::producer, {{"client.id", "troupe-admin"}}, {});
  if (!conf) return conf.failure();
  rd_kafka_conf_set_events(conf->get(), RD_KAFKA_EVENT_ERROR);
  std::array<char, 512> why{};
  auto made = std::make_unique<impl>();
  made->brokers = to.brokers;
  made->client.reset(rd_kafka_new(RD_KAFKA_PRODUCER, conf->get(), why.data(), why.size()));
  if (!made->client) return error{errc::bad_config, why.data()};
  (void)conf->release(); // the client owns it from here
  return std::unique_ptr<admin>{new admin{std::move(made)}};
}

result<std::map<std::string, std::int32_t>> admin::topics(milliseconds timeout) {
  const rd_kafka_metadata_t* raw = nullptr;
  const auto code =
      rd_kafka_metadata(impl_->client.get(), 1, nullptr, &raw, static_cast<int>(timeout.count()));
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return impl_->unanswered(code, timeout);
  const metadata_ptr metadata{raw};
  std::map<std::string, std::int32_t> found;
  for (int i = 0; i < metadata->topic_cnt; ++i) {
    const auto& topic = metadata->topics[i];
    if (topic.err != RD_KAFKA_RESP_ERR_NO_ERROR || std::string_view{topic.topic}.starts_with("__")) continue;
    found.emplace(topic.topic, topic.partition_cnt);
  }
  return found;
}

result<void> admin::create_topic(const std::string& name, std::int32_t partitions, milliseconds timeout,
                                 const properties& settings) {
  std::array<char, 512> why{};
  const new_topic_ptr topic{rd_kafka_NewTopic_new(name.c_str(), partitions, -1, why.data(), why.size())};
  if (!topic) return error{errc::bad_config, "topic " + name + " cannot be created: " + why.data()};
  for (const auto& [key, value] : settings)
    rd_kafka_NewTopic_set_config(topic.get(), key.c_str(), value.c_str());

  auto* client = impl_->client.get();
  const admin_options_ptr options{rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_CREATETOPICS)};
  const auto wait = static_cast<int>(timeout.count());
  rd_kafka_AdminOptions_set_request_timeout(options.get(), wait, why.data(), why.size());
  // Until the topic is known to all brokers: who uses it at once would otherwise be told that it is missing.
  rd_kafka_AdminOptions_set_operation_timeout(options.get(), wait, why.data(), why.size());

  const queue_ptr answers{rd_kafka_queue_new(client)};
  auto* wanted = topic.get();
  rd_kafka_CreateTopics(client, &wanted, 1, options.get(), answers.get());
  const event_ptr answer{rd_kafka_queue_poll(answers.get(), wait + 1000)};
  if (!answer) return impl_->unanswered(RD_KAFKA_RESP_ERR__TIMED_OUT, timeout);
  if (const auto code = rd_kafka_event_error(answer.get()); code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    if (classify(code) == errc::timeout || classify(code) == errc::unavailable)
      return impl_->unanswered(code, timeout);
    return error{classify(code), "creating topic " + name + ": " + rd_kafka_event_error_string(answer.get())};
  }

  std::size_t count = 0;
  const auto* results =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(answer.get()), &count);
  if (count != 1)
    return error{errc::broken, "creating topic " + name + ": the broker answered without a result"};
  const auto code = rd_kafka_topic_result_error(results[0]);
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) return {};
  const char* said = rd_kafka_topic_result_error_string(results[0]);
  return error{classify(code), "creating topic " + name + ": " + (said ? said : rd_kafka_err2str(code))};
}

} // namespace troupe::kafka

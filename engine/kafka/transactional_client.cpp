#include "engine/kafka/transactional_client.hpp"

#include "engine/kafka/errors.hpp"
#include "engine/kafka/producing.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace troupe::kafka {
namespace {

/// No event for that topic is taken.
bool is_of_topic(rd_kafka_resp_err_t code) {
  return code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
         code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED || code == RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION;
}

/// This event is not taken.
bool is_of_event(rd_kafka_resp_err_t code) {
  return code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION || code == RD_KAFKA_RESP_ERR_INVALID_RECORD ||
         code == RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP || code == RD_KAFKA_RESP_ERR_POLICY_VIOLATION ||
         classify(code) == errc::too_large;
}

error publishing_to(const std::string& topic, rd_kafka_resp_err_t code) {
  return to_error(code, "publishing to " + topic);
}

} // namespace

rd_kafka_topic_t* transactional_client::topic(const std::string& name) {
  auto& made = topics[name];
  if (!made) made.reset(rd_kafka_topic_new(get(), name.c_str(), nullptr));
  return made.get();
}

void transactional_client::tell(const error& what, bool fatal) const {
  if (config->trouble) config->trouble(what, fatal);
}

void transactional_client::look_up(const transaction& what, milliseconds most) {
  for (const auto& events : what.events)
    for (const auto& event : *events) {
      if (found.contains(event.topic) || refused_topics.contains(event.topic)) continue;
      const rd_kafka_metadata_t* answer = nullptr;
      if (rd_kafka_metadata(get(), 0, topic(event.topic), &answer, static_cast<int>(most.count())) !=
          RD_KAFKA_RESP_ERR_NO_ERROR)
        return; // publishing will show
      const metadata_ptr owned{answer};
      const auto code = answer->topic_cnt == 1 ? answer->topics[0].err : RD_KAFKA_RESP_ERR__PARTIAL;
      if (code == RD_KAFKA_RESP_ERR_NO_ERROR) found.insert(event.topic);
      if (is_of_topic(code)) refused_topics.emplace(event.topic, publishing_to(event.topic, code));
    }
}

void transactional_client::note_failure(std::size_t input, const std::string& topic,
                                        rd_kafka_resp_err_t code) {
  auto why = publishing_to(topic, code);
  if (is_of_topic(code)) refused_topics.emplace(topic, why);
  if (is_of_event(code)) refused.emplace(input, why);
  if (!undelivered) undelivered = std::move(why);
}

std::vector<transaction_outcome::refusal> transactional_client::refused_of(const transaction& what) const {
  auto all = refused;
  for (std::size_t i = 0; i < what.events.size() && !refused_topics.empty(); ++i)
    for (const auto& event : *what.events[i])
      if (const auto was = refused_topics.find(event.topic); was != refused_topics.end())
        all.insert_or_assign(i, was->second); // also of what is too large: first it must be let in at all
  std::vector<transaction_outcome::refusal> out;
  for (auto& [input, why] : all)
    out.push_back({input, std::move(why)});
  return out;
}

/// Its state is told only by calls that the state forbids. This one does nothing in any state but `ready`,
/// which no transaction under way is in.
std::optional<error> transactional_client::why_given_up() {
  const kafka_error_ptr why{rd_kafka_begin_transaction(get())};
  if (!why || !rd_kafka_error_txn_requires_abort(why.get())) return std::nullopt;
  const auto code = rd_kafka_error_code(why.get());
  nameless = code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
  return error{classify(code), rd_kafka_error_string(why.get())};
}

void transactional_client::delivered(const rd_kafka_message_t& report) {
  if (report.err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    // "A copy" may be said of what the partition never got (see producer.cpp): all of it is tried again.
    if (report.offset < 0)
      note_failure(reinterpret_cast<std::size_t>(report._private), rd_kafka_topic_name(report.rkt),
                   RD_KAFKA_RESP_ERR_DUPLICATE_SEQUENCE_NUMBER);
    return;
  }
  if (report.err == RD_KAFKA_RESP_ERR__PURGE_QUEUE || report.err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT) {
    purged = true;
    return;
  }
  if (is_of_event(report.err)) suspects = !one_per_batch; // the whole batch is refused for it
  note_failure(reinterpret_cast<std::size_t>(report._private), rd_kafka_topic_name(report.rkt), report.err);
}

result<std::shared_ptr<transactional_client>>
transactional_client::make(const std::shared_ptr<const transactions_config>& config, bool one_per_batch) {
  auto conf = make_producer_conf(config->connection, config->client_id,
                                 std::min(config->message_timeout, config->timeout), one_per_batch,
                                 {{"acks", "all"},
                                  {"enable.idempotence", "true"},
                                  {"transactional.id", config->id},
                                  {"transaction.timeout.ms", std::to_string(config->timeout.count())}});
  if (!conf) return conf.failure();
  auto made = std::make_shared<transactional_client>();
  made->config = config;
  made->one_per_batch = one_per_batch;
  rd_kafka_conf_set_opaque(conf->get(), made.get());
  rd_kafka_conf_set_dr_msg_cb(conf->get(), [](rd_kafka_t*, const rd_kafka_message_t* report, void* self) {
    static_cast<transactional_client*>(self)->delivered(*report);
  });
  rd_kafka_conf_set_error_cb(conf->get(), [](rd_kafka_t*, int code, const char* text, void* self) {
    auto& client = *static_cast<transactional_client*>(self);
    client.troubled = true;
    client.tell({classify(static_cast<rd_kafka_resp_err_t>(code)), text}, false);
  });
  rd_kafka_conf_set_log_cb(
      conf->get(), [](const rd_kafka_t* from, int level, const char* facility, const char* text) {
        const auto& to = *static_cast<transactional_client*>(rd_kafka_opaque(from))->config;
        const std::string_view of = facility;
        if (of == "TXNERR" || of == "ADDPARTS") return; // each outcome says so itself
        if (to.log) to.log(level, facility, text);
      });
  std::array<char, 512> why{};
  made->handle.reset(rd_kafka_new(RD_KAFKA_PRODUCER, conf->get(), why.data(), why.size()));
  if (!made->handle) return error{errc::bad_config, why.data()};
  (void)conf->release();                        // the client owns it from here
  rd_kafka_set_log_queue(made->get(), nullptr); // served along with everything else
  return made;
}

} // namespace troupe::kafka

#pragma once

#include "engine/core/record.hpp"
#include "engine/core/result.hpp"
#include "engine/kafka/handles.hpp"
#include "engine/kafka/transactions.hpp"

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace troupe::kafka {

/// One client with the transactional.id, and what it said of the transaction under way. Outlives its
/// librdkafka, which may call back until it has ended.
struct transactional_client {
  /// errc::bad_config with librdkafka's message. `one_per_batch`: each event goes alone, so that it shows
  /// whom the broker finds too large.
  static result<std::shared_ptr<transactional_client>>
  make(const std::shared_ptr<const transactions_config>& config, bool one_per_batch);

  [[nodiscard]] rd_kafka_t* get() const { return handle.get(); }
  rd_kafka_topic_t* topic(const std::string& name);
  void tell(const error& what, bool fatal) const;

  /// What can be known before a transaction begins: topics that are missing, invalid, or hidden from us.
  /// Waits up to `most` for each that was not found before.
  void look_up(const transaction& what, milliseconds most);
  /// Of an event of this input. Goes into `refused` where it is the event or its topic that cannot be taken.
  void note_failure(std::size_t input, const std::string& topic, rd_kafka_resp_err_t code);
  /// Each input with an event for a topic that was refused, beside those whose own event was.
  [[nodiscard]] std::vector<transaction_outcome::refusal> refused_of(const transaction& what) const;
  /// Why librdkafka gave up the transaction by itself.
  [[nodiscard]] std::optional<error> why_given_up();

  std::shared_ptr<const transactions_config> config;
  bool one_per_batch = false;
  bool initialised = false;             ///< holds the id
  bool troubled = false;                ///< a connection failed: a request of its may still be on its way
  bool suspects = false;                ///< those refused went in company: not all of them need be
  bool nameless = false;                ///< a topic was refused, and nobody said which
  bool purged = false;                  ///< events were thrown away, for a reason that no report names
  std::optional<error> undelivered;     ///< the first event that was not taken
  std::map<std::size_t, error> refused; ///< by input
  std::map<std::string, error, std::less<>> refused_topics;
  client_ptr handle;
  std::map<std::string, topic_ptr, std::less<>> topics;
  std::set<std::string, std::less<>> found; ///< topics that exist

private:
  void delivered(const rd_kafka_message_t& report);
};

} // namespace troupe::kafka

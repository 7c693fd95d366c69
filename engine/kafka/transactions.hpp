#pragma once

#include "engine/core/record.hpp"
#include "engine/core/result.hpp"
#include "engine/core/time.hpp"
#include "engine/kafka/connection.hpp"
#include "engine/kafka/consumer.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace troupe::kafka {

struct transactions_config {
  kafka::connection connection;
  std::string id; ///< transactional.id: whoever takes it over ends what its former holder left open
  /// transaction.timeout.ms: how long a transaction that nobody ends may hold up its readers and the next
  /// owner of its partitions.
  milliseconds timeout{15'000};
  milliseconds message_timeout{10'000}; ///< how long the library tries one event
  std::string client_id = "troupe";
  std::function<void(error, bool fatal)> trouble;                             ///< may be empty
  std::function<void(int level, std::string facility, std::string text)> log; ///< may be empty
};

/// Events and the offsets after the inputs they came of.
struct transaction {
  std::vector<std::shared_ptr<const std::vector<outgoing>>> events; ///< by input, in the order to be written
  std::vector<commit_request> offsets;
  membership member; ///< the owner of the offsets' partitions
};

struct transaction_outcome {
  enum class kind {
    committed,
    aborted,   ///< certainly not committed: may be tried again
    too_large, ///< aborted, because these inputs have an event that the broker will never take
    unknown,   ///< what the group has committed says whether it took effect: read it again
  };
  kind what = kind::aborted;
  error why;
  std::vector<std::size_t> too_large; ///< indices into transaction::events
};

/// A transactional producer over librdkafka, one transaction at a time. Every call but stop() waits for the
/// network, and all of them come from one thread.
///
/// A client is used for one more transaction only if the one before committed without any trouble. After
/// anything else it is replaced before the outcome is told: the new one's start ends what was left open, and
/// raises the producer's epoch, so that no late request of the former can take part in a later transaction.
class transactions {
public:
  /// Checks the properties: errc::bad_config with librdkafka's message.
  static result<std::unique_ptr<transactions>> open(transactions_config config);
  ~transactions();

  /// Takes over the id; tries until it can, or until stop().
  void prepare();
  transaction_outcome run(const transaction& what);
  /// Whoever waits to try again gives up. From any thread.
  void stop();

private:
  struct impl;
  explicit transactions(std::unique_ptr<impl>);
  std::unique_ptr<impl> impl_;
};

} // namespace troupe::kafka

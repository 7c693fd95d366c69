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
  bool yields = false; ///< whoever takes the id over keeps it: errc::conflict then, and it is not taken back
  std::function<void(error, bool fatal)> trouble;                             ///< may be empty
  std::function<void(int level, std::string facility, std::string text)> log; ///< may be empty
};

/// Events and the offsets after the inputs they came of.
struct transaction {
  std::vector<std::shared_ptr<const std::vector<outgoing>>> events; ///< by input, in the order to be written
  std::vector<commit_request> offsets;                              ///< may be none
  membership member;                                                ///< the owner of the offsets' partitions
};

struct transaction_outcome {
  enum class kind {
    committed,
    aborted, ///< certainly not committed: may be tried again
    refused, ///< not committed either, because of the events of some inputs: those of the others may be taken
    unknown, ///< what the group has committed, or what was written, says whether it took effect: read it
  };
  /// An event of this input is too large (errc::too_large) and never will be taken, or it is not taken as
  /// things are: its topic is missing or invalid, may not be written to, or takes no event like it.
  struct refusal {
    std::size_t input; ///< an index into transaction::events
    error why;
  };
  kind what = kind::aborted;
  error why;
  std::vector<refusal> refused; ///< by input; not always all that would be
};

/// A transactional producer over librdkafka, one transaction at a time. Every call but stop() waits for the
/// network, and all of them come from one thread.
///
/// A client is used for one more transaction only if the one before committed without any trouble. After
/// anything else it is replaced before the outcome is told: the new one's start ends what was left open, and
/// raises the producer's epoch, so that no late request of the former can take part in a later transaction.
/// Topics are looked up before a transaction begins: a missing one costs a question, and no client.
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

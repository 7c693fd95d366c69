#pragma once

#include "actors/group.hpp"
#include "actors/letter_rules.hpp"
#include "actors/messages.hpp"
#include "actors/services.hpp"
#include "engine/flow/held_outputs.hpp"
#include "engine/flow/refused_partitions.hpp"
#include "engine/kafka/transactions.hpp"

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

namespace troupe::actors {

/// The commit path of a supervisor with `guarantee: exactly_once`, in place of commits, publisher and
/// dead-letter writer. What finished events leave to be published is held back here; what the readers want to
/// commit, and the outputs of the events below it, go into one transaction at a time. Runs in the
/// supervisor's turn; what waits for Kafka has a thread of its own and answers with transaction_ended.
class transactions {
public:
  /// errc::bad_config with librdkafka's message; unavailable where the process can't have an `instance`.
  static result<std::unique_ptr<transactions>> open(const group_seat& seat, const config::worker_actor& spec);
  ~transactions();

  /// A new assignment, of so many partitions.
  void begin_assignment(std::size_t partitions);
  /// It ends: what is held or wanted is forgotten, and what is under way is nobody's business any more.
  void end_assignment();
  /// True while a transaction may still take effect, be it of an assignment that has ended.
  [[nodiscard]] bool under_way() const { return under_way_.has_value(); }

  /// What an event leaves to be published once all before it are finished.
  void hold(const flow::publish_events& what, std::vector<outgoing> events);
  void hold(const flow::write_dead_letter& what);
  /// What is held for an event of this partition, in bytes.
  [[nodiscard]] std::size_t bytes_of(const flow::event_done& what) const;

  /// A reader's commit; answered by a report of settle().
  void want(flow::partition_index which, kafka::commit_request request);
  /// Begins a transaction with what is wanted, unless one is under way or the last failure was a moment ago
  /// (`now_or_never`: then too). Partitions with an output that is not taken wait apart, each for itself.
  void begin(const std::shared_ptr<kafka::consumer>& consumer, bool now_or_never);

  /// Before the last commits of an assignment: those that wait are answered as failed, so that their readers
  /// ask again with the others, and they come after them.
  std::vector<kafka::commit_report> give_back_waiting();

  struct settlement {
    std::vector<kafka::commit_report> reports; ///< for the readers
    bool start_again = false;                  ///< its outcome is unknown: read the group's offsets again
    std::vector<milliseconds> again_in;        ///< it failed: begin() has something to do after each of these
    std::size_t published = 0;                 ///< events whose outputs are written; no dead letters
    std::vector<flow::write_dead_letter> buried; ///< too large to be published: held as dead letters now
  };
  settlement settle(const transaction_ended& m);

private:
  struct wanted {
    flow::partition_index which;
    kafka::commit_request request;
  };
  struct running {
    std::vector<wanted> commits;
    std::vector<flow::held_output> outputs;
    std::vector<flow::partition_index> from; ///< whose each output is
    steady_time since{};
    bool current = true; ///< of the present assignment
    bool last_chance = false;
  };

  explicit transactions(const group_seat& seat);
  running take(bool last_chance);
  void settle_committed(running& of, settlement& out, double seconds);
  void settle_refused(running& of, const kafka::transaction_outcome& outcome, settlement& out,
                      double seconds);
  void settle_failed(running& of, const kafka::transaction_outcome& outcome, settlement& out, double seconds);
  bool make_smaller(flow::held_output one, flow::partition_index from, const error& why, settlement& out);
  milliseconds set_aside(const wanted& which, const error& why);
  void count_committed(const running& of);

  group_seat seat_;
  std::shared_ptr<kafka::transactions> client_;
  executor thread_{1};
  std::vector<flow::held_outputs> held_; ///< by partition
  std::vector<wanted> wanted_;
  flow::refused_partitions refused_{write_again};
  std::optional<running> under_way_;
  std::shared_ptr<std::atomic<bool>> assigned_; ///< false once the present assignment has ended
  unsigned failures_ = 0;
  steady_time not_before_{};
  metrics::counter &committed_, &aborted_, &unknown_;
  metrics::histogram& duration_;
};

} // namespace troupe::actors

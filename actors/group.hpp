#pragma once

#include "actors/messages.hpp"
#include "actors/services.hpp"
#include "engine/flow/offset_ledger.hpp"

#include <set>

/// A supervisor's seat in its consumer group: the parts that wait for Kafka run as chores and answer with a
/// message.
namespace troupe::actors {

struct group_seat {
  services* shared = nullptr;
  caf::actor supervisor;
  std::string actor;
  config::consume consume;
  std::optional<config::dlq> dlq; ///< none: this actor writes no dead letters
  std::size_t prefetch_bytes = 0; ///< of the actor
  bool joint = false;             ///< its partitions share one queue
};

/// The DLQ of a source topic; what came by replay counts as its original topic's.
std::string dlq_topic_of(const group_seat& seat, const std::string& topic);

/// Sets the gauge of assigned partitions; with none, to 0 for the topics named before.
void show_assigned(const group_seat& seat, const std::vector<topic_partition>& assigned);

/// True where another process has this one's static seat: whoever took it back would throw out the other.
bool is_fenced(const group_seat& seat, const consumer_trouble& trouble);

/// Creates DLQ topics, opens the consumer; answers consumer_opened.
void open_consumer(const group_seat& seat);

struct doubts {
  std::map<topic_partition, std::int64_t> began; ///< where a group without commits did, when it first looked
  std::set<topic_partition> suspects;            ///< whose position the broker refused
};

/// Where to start each partition of an assignment: the commit; without one, where the group began or, the
/// first time, by `start`. For suspects what the log still has. What is lost is logged and counted. Answers
/// positions_found.
void find_positions(const group_seat& seat, std::shared_ptr<kafka::consumer> consumer,
                    std::uint32_t generation, std::vector<kafka::committed> partitions, doubts about);
/// The same after the group's own state was lost (a reader died): asks for the commits first.
void find_positions_again(const group_seat& seat, std::shared_ptr<kafka::consumer> consumer,
                          std::uint32_t generation, std::vector<topic_partition> partitions, doubts about);

/// Clips a position to what the log still has, and reports what is lost: not what is `done` beyond it.
result<std::int64_t> surviving_position(const group_seat& seat, kafka::consumer& consumer,
                                        const topic_partition& where, std::int64_t wanted,
                                        const std::vector<flow::offset_run>& done = {});
/// Where a group without a commit starts.
result<std::int64_t> first_position(const group_seat& seat, kafka::consumer& consumer,
                                    const topic_partition& where);

} // namespace troupe::actors

#include "actors/aggregate_supervisor.hpp"

#include "engine/log/log.hpp"

#include <caf/send.hpp>

#include <charconv>
#include <future>
#include <random>

// Where an aggregate's partitions go on: Redis first, then what Kafka remembers of it, then the log.
namespace troupe::actors {
namespace {

constexpr std::string_view note_version = "c1:";
constexpr milliseconds ask_timeout{5000};

std::string new_ledger_id() {
  std::random_device seed;
  std::string id;
  for (int i = 0; i < 4; ++i) {
    auto bits = seed();
    for (int digit = 0; digit < 8; ++digit, bits >>= 4)
      id.push_back("0123456789abcdef"[bits & 15]);
  }
  return id;
}

/// A store's call, waited for.
template <class T, class Ask>
result<T> wait_for(Ask ask) {
  auto promise = std::make_shared<std::promise<result<T>>>();
  auto answer = promise->get_future();
  ask([promise](result<T> r) { promise->set_value(std::move(r)); });
  return answer.get();
}

struct search {
  const group_seat& seat;
  kafka::consumer& consumer;
  aggregate::count_store& store;
  const aggregate::tally_spec& counts;
  std::map<topic_partition, std::int64_t>& origins;

  result<std::int64_t> begin_of(const kafka::committed& p, bool redis_is_empty, std::int64_t& origin) const {
    const auto note = decode_origin(p.metadata);
    const auto known = origins.find(p.where);
    if (known == origins.end() && !note) {
      // Another consumer's commit is a place to go on from; no commit at all, the start.
      const auto at = p.offset ? surviving_position(seat, consumer, p.where, *p.offset)
                               : first_position(seat, consumer, p.where);
      if (at) origin = *at;
      return at;
    }
    origin = known != origins.end() ? known->second : note->origin;
    log::error("counts_lost",
               redis_is_empty ? "Redis lost the counts; they are rebuilt from the log"
                              : "Redis does not know this partition; it is counted again from the log",
               {{"actor", seat.actor},
                {"topic", p.where.topic},
                {"partition", p.where.partition},
                {"from", origin}});
    return surviving_position(seat, consumer, p.where, origin);
  }

  /// `--adopt` of a log that ends before the position: what it holds is counted on top of the counts.
  result<void> adopt_log(const topic_partition& where, const std::string& ledger,
                         std::optional<std::int64_t>& position) const {
    if (!position) return {};
    const auto marks = consumer.query_watermarks(where, ask_timeout);
    if (!marks) return marks.failure();
    if (*position <= marks->high) return {};
    const auto moved = wait_for<aggregate::flush_answer>(
        [&](auto done) { store.rewind(where, ledger, *position, marks->low, done); });
    if (!moved) return moved.failure();
    if (moved->what != aggregate::flush_answer::kind::applied)
      return error{errc::conflict, "another process moved the position of " + where.topic};
    log::warning("log_adopted", "the counts stay, the new log is counted on top of them",
                 {{"actor", seat.actor},
                  {"topic", where.topic},
                  {"partition", where.partition},
                  {"position", *position},
                  {"from", marks->low}});
    position = marks->low;
    return {};
  }

  result<positions_found> run(std::vector<kafka::committed> partitions) const {
    std::vector<std::string> topics = seat.consume.topics;
    const auto digest = aggregate::digest_of(topics, counts);
    bool from_the_log = false;
    if (seat.shared->take_rebuild(seat.actor)) {
      const auto erased = wait_for<std::int64_t>([&](auto done) { store.erase(counts, done); });
      if (!erased) {
        seat.shared->mark_rebuild(seat.actor);
        return erased.failure();
      }
      log::info("counts_erased", "the old counts are gone, counting again from the log",
                {{"actor", seat.actor}, {"keys", *erased}});
      from_the_log = true;
    }
    std::vector<topic_partition> where;
    where.reserve(partitions.size());
    for (const auto& p : partitions)
      where.push_back(p.where);
    auto held = wait_for<aggregate::stored>([&](auto done) { store.read(where, done); });
    if (!held) return held.failure();
    const bool adopting = seat.shared->take_adopt(seat.actor);
    if (!held->ledger.empty() && held->digest != digest) {
      if (!adopting)
        return error{errc::bad_config,
                     "actor '" + seat.actor + "' counts something else than Redis holds for group '" +
                         seat.consume.group +
                         "' (topics, where, count_by or into changed): run with --rebuild " + seat.actor +
                         " to count again from the log, or --adopt " + seat.actor + " to go on from here"};
      const auto adopted = wait_for<bool>([&](auto done) { store.adopt(digest, done); });
      if (!adopted) {
        seat.shared->mark_adopt(seat.actor);
        return adopted.failure();
      }
      log::info("counts_adopted", "going on with the counts as they are", {{"actor", seat.actor}});
    }
    if (adopting) {
      for (std::size_t i = 0; i < where.size(); ++i) {
        const auto begun = adopt_log(where[i], held->ledger, held->positions[i]);
        if (begun) continue;
        seat.shared->mark_adopt(seat.actor);
        return begun.failure();
      }
    }
    positions_found found{};
    found.committed = std::move(partitions);
    std::vector<aggregate::initial_position> missing;
    for (std::size_t i = 0; i < found.committed.size(); ++i) {
      auto& p = found.committed[i];
      const auto note = decode_origin(p.metadata);
      const auto known = origins.find(p.where);
      std::int64_t origin = known != origins.end() ? known->second
                            : note                 ? note->origin
                                                   : held->positions[i].value_or(0);
      if (!held->positions[i]) {
        auto at =
            from_the_log ? result<std::int64_t>{std::int64_t{0}} : begin_of(p, held->ledger.empty(), origin);
        if (from_the_log) {
          const auto marks = consumer.query_watermarks(p.where, ask_timeout);
          at = marks ? result<std::int64_t>{marks->low} : result<std::int64_t>{marks.failure()};
          if (marks) origin = marks->low;
        }
        if (!at) return at.failure();
        missing.push_back({p.where, *at});
      }
      found.origins.push_back(origin);
    }
    if (!missing.empty() || held->ledger.empty()) {
      auto claimed = wait_for<aggregate::stored>([&](auto done) {
        store.claim(held->ledger.empty() ? new_ledger_id() : held->ledger, digest, missing, done);
      });
      if (!claimed) return claimed.failure();
      if (claimed->digest != digest)
        return error{errc::conflict, "another process claimed the group with another definition"};
      held->ledger = claimed->ledger;
      std::size_t next = 0;
      for (std::size_t i = 0; i < found.committed.size(); ++i)
        if (!held->positions[i]) held->positions[i] = claimed->positions[next++];
    }
    found.ledger = held->ledger;
    for (std::size_t i = 0; i < found.committed.size(); ++i) {
      found.committed[i].offset = held->positions[i];
      found.read_from.push_back(held->positions[i].value_or(0));
    }
    return found;
  }
};

/// Where to read a partition whose position the broker refused. A log that ends before it was begun anew, or
/// lost its end: whether its events were counted nobody knows, so nothing is counted until somebody decides.
result<std::int64_t> readable_position(const group_seat& seat, kafka::consumer& consumer,
                                       const topic_partition& where, std::int64_t position) {
  const auto marks = consumer.query_watermarks(where, ask_timeout);
  if (!marks) return marks.failure();
  if (position <= marks->high) return surviving_position(seat, consumer, where, position);
  return error{errc::bad_config,
               "the log of " + where.topic + "/" + std::to_string(where.partition) + " ends at " +
                   std::to_string(marks->high) + ", before the position " + std::to_string(position) +
                   " of group '" + seat.consume.group +
                   "' in Redis: the topic was recreated, or lost its end. Run with --rebuild " + seat.actor +
                   " to count again from the log, or --adopt " + seat.actor +
                   " to count this log on top of the counts"};
}

} // namespace

std::string encode_origin(const std::string& ledger, std::int64_t origin) {
  return std::string{note_version} + ledger + ':' + std::to_string(origin);
}

std::optional<origin_note> decode_origin(std::string_view metadata) {
  if (!metadata.starts_with(note_version)) return std::nullopt;
  metadata.remove_prefix(note_version.size());
  const auto colon = metadata.find(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  origin_note note{std::string{metadata.substr(0, colon)}, 0};
  const auto number = metadata.substr(colon + 1);
  const auto [end, failed] = std::from_chars(number.data(), number.data() + number.size(), note.origin);
  if (failed != std::errc{} || end != number.data() + number.size() || note.origin < 0) return std::nullopt;
  return note;
}

void find_count_positions(const group_seat& seat, std::shared_ptr<kafka::consumer> consumer,
                          std::shared_ptr<aggregate::count_store> store, aggregate::tally_spec counts,
                          std::uint32_t generation, std::vector<kafka::committed> partitions,
                          std::map<topic_partition, std::int64_t> origins,
                          std::set<topic_partition> suspects) {
  seat.shared->chores.run([seat, consumer = std::move(consumer), store = std::move(store),
                           counts = std::move(counts), generation, partitions = std::move(partitions),
                           origins = std::move(origins), suspects = std::move(suspects)]() mutable {
    const search looking{seat, *consumer, *store, counts, origins};
    auto found = looking.run(std::move(partitions));
    positions_found answer{};
    if (found) {
      answer = std::move(found).value();
      for (std::size_t i = 0; i < answer.committed.size(); ++i) {
        if (!suspects.contains(answer.committed[i].where)) continue;
        const auto at =
            readable_position(seat, *consumer, answer.committed[i].where, *answer.committed[i].offset);
        if (at)
          answer.read_from[i] = *at;
        else
          answer.failure = at.failure();
      }
    } else {
      answer.failure = found.failure();
    }
    if (answer.failure && answer.failure->code == errc::bad_config) answer.exit_code = 78;
    answer.generation = generation;
    caf::anon_send(seat.supervisor, std::move(answer));
  });
}

} // namespace troupe::actors

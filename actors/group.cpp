#include "actors/group.hpp"

#include "engine/log/log.hpp"

#include <caf/send.hpp>

#include <algorithm>

namespace troupe::actors {
namespace {

constexpr milliseconds ask_timeout{5000};
/// Of an actor whose partitions have a queue each: as many as are handled while the next ones come.
constexpr std::size_t prefetched_messages = 24'000;

std::string replay_suffix(const std::string& actor) {
  return "." + actor + ".replay";
}

/// A topic's name as a pattern that matches nothing else.
std::string exactly(const std::string& topic) {
  std::string out = "^";
  for (const char c : topic) {
    if (c == '.') out += '\\';
    out += c;
  }
  return out + '$';
}

kafka::consumer_events events_to(const group_seat& seat) {
  const auto to = seat.supervisor;
  kafka::consumer_events events;
  events.assigned = [to](std::vector<kafka::committed> all) {
    caf::anon_send(to, group_assigned{std::move(all)});
  };
  events.revoked = [to](bool lost) { caf::anon_send(to, group_revoked{lost}); };
  events.commits = [to](std::vector<kafka::commit_report> all) {
    caf::anon_send(to, commits_ended{std::move(all)});
  };
  events.trouble = [to](error what, bool fatal) {
    caf::anon_send(to, consumer_trouble{std::move(what), fatal});
  };
  events.log = log_kafka;
  return events;
}

void make_dlq_topics(const group_seat& seat, const std::map<std::string, std::int32_t>& topics,
                     const std::set<std::string>& sources) {
  if (!seat.dlq || !seat.dlq->create) return;
  for (const auto& source : sources) {
    const auto at = topics.find(source);
    if (at == topics.end()) continue;
    const auto dlq = dlq_topic_of(seat, source);
    if (topics.contains(dlq)) continue;
    const auto made = seat.shared->create_dlq_topic(dlq, at->second, ask_timeout);
    if (made)
      log::info("dlq_created", "created the dead-letter topic",
                {{"actor", seat.actor}, {"topic", dlq}, {"partitions", at->second}});
    else
      log::warning("dlq_not_created", made.failure().detail + "; dead letters will wait, nothing is skipped",
                   {{"actor", seat.actor}, {"topic", dlq}});
  }
}

} // namespace

std::string dlq_topic_of(const group_seat& seat, const std::string& topic) {
  if (!seat.dlq->topic.empty()) return seat.dlq->topic;
  const auto suffix = replay_suffix(seat.actor);
  const auto source = topic.ends_with(suffix) ? topic.substr(0, topic.size() - suffix.size()) : topic;
  return config::default_dlq(source, seat.actor);
}

void show_assigned(const group_seat& seat, const std::vector<topic_partition>& assigned) {
  std::map<std::string, int> by_topic;
  if (!seat.consume.is_pattern())
    for (const auto& topic : seat.consume.topics)
      by_topic[topic] = 0;
  for (const auto& where : assigned)
    ++by_topic[where.topic];
  for (const auto& [topic, n] : by_topic)
    seat.shared->metrics
        .gauge("troupe_assigned_partitions", {{"group", seat.consume.group}, {"topic", topic}})
        .set(n);
}

bool is_fenced(const group_seat& seat, const consumer_trouble& trouble) {
  return seat.consume.is_static && trouble.fatal && trouble.what.code == errc::conflict;
}

void open_consumer(const group_seat& seat) {
  seat.shared->chores.run([seat] {
    const auto answer = [&](std::shared_ptr<kafka::consumer> c, std::optional<error> e) {
      caf::anon_send(seat.supervisor, consumer_opened{std::move(c), std::move(e)});
    };
    auto known = seat.shared->topics(start_timeout);
    if (!known) return answer(nullptr, known.failure());
    kafka::consumer_config wanted;
    wanted.connection = seat.shared->kafka;
    wanted.group = seat.consume.group;
    wanted.topics = seat.consume.topics;
    if (seat.consume.is_static) {
      const auto instance = seat.shared->instance();
      if (!instance) return answer(nullptr, instance.failure());
      wanted.static_id = seat.shared->settings.app + '.' + seat.actor + '.' + *instance;
    }
    std::int32_t partitions = 0;
    std::set<std::string> sources;
    if (seat.consume.is_pattern()) {
      // The pattern must not catch what this actor writes itself.
      wanted.connection.consumer.emplace("topic.blacklist", "^.*\\." + seat.actor + "\\.dlq$");
      partitions = 16;
    } else {
      for (const auto& topic : seat.consume.topics) {
        sources.insert(topic);
        // As a pattern, because a topic that does not exist yet is no trouble then.
        if (seat.dlq && !seat.shared->embedded)
          wanted.topics.push_back(exactly(topic + replay_suffix(seat.actor)));
        const auto at = known->find(topic);
        partitions += at == known->end() ? 1 : at->second;
      }
    }
    make_dlq_topics(seat, *known, sources);
    wanted.prefetch_bytes = seat.prefetch_bytes;
    if (!seat.joint) { // the budget is the actor's; librdkafka counts it per queue that is read
      const auto queues = static_cast<std::size_t>(std::max(1, partitions));
      wanted.prefetch_bytes =
          std::clamp(seat.prefetch_bytes / queues, std::size_t{256} << 10, std::size_t{8} << 20);
      wanted.prefetch_messages = std::max(prefetched_messages / queues, std::size_t{256});
    }
    auto opened = kafka::consumer::open(std::move(wanted), events_to(seat));
    if (!opened) return answer(nullptr, opened.failure());
    answer(*opened, std::nullopt);
  });
}

result<std::int64_t> first_position(const group_seat& seat, kafka::consumer& consumer,
                                    const topic_partition& where) {
  const auto marks = consumer.query_watermarks(where, ask_timeout);
  if (!marks) return marks.failure();
  // What came by replay is always wanted, whenever the group first looks.
  const bool all =
      seat.consume.start == config::start_at::earliest || where.topic.ends_with(replay_suffix(seat.actor));
  return all ? marks->low : marks->high;
}

result<std::int64_t> surviving_position(const group_seat& seat, kafka::consumer& consumer,
                                        const topic_partition& where, std::int64_t wanted,
                                        const std::vector<flow::offset_run>& done) {
  const auto marks = consumer.query_watermarks(where, ask_timeout);
  if (!marks) return marks.failure();
  if (wanted >= marks->low && wanted <= marks->high) return wanted;
  const bool recreated = wanted > marks->high;
  auto lost = recreated ? marks->low : marks->low - wanted;
  for (const auto& run : done)
    if (!recreated && run.begin < marks->low) lost -= std::min(run.end, marks->low) - run.begin;
  log::error(
      "offsets_lost",
      recreated
          ? "the log ends before this group's position: the topic was recreated; starting at its beginning"
          : "retention removed events that this group had not read; going on behind the gap",
      {{"group", seat.consume.group},
       {"topic", where.topic},
       {"partition", where.partition},
       {"position", wanted},
       {"log_start", marks->low},
       {"log_end", marks->high},
       {"lost", lost}});
  seat.shared->metrics
      .counter("troupe_lost_offsets_total", {{"group", seat.consume.group},
                                             {"topic", where.topic},
                                             {"partition", std::to_string(where.partition)}})
      .add(static_cast<std::uint64_t>(lost));
  return marks->low;
}

namespace {

/// Moves a commit to where the log begins now, or behind what is done there.
void skip_gap(kafka::committed& p, std::int64_t log_start, const std::vector<flow::offset_run>& done) {
  std::vector<flow::offset_run> beyond;
  for (const auto& run : done) {
    if (run.begin > log_start)
      beyond.push_back(run);
    else
      log_start = std::max(log_start, run.end);
  }
  std::size_t taken = 0;
  p.metadata = flow::encode_metadata(log_start, beyond, taken);
  p.offset = log_start;
}

result<void> survive(const group_seat& seat, kafka::consumer& consumer, kafka::committed& p) {
  const auto done = flow::decode_metadata(p.metadata, *p.offset);
  const auto at = surviving_position(seat, consumer, p.where, *p.offset, done);
  if (!at) return at.failure();
  if (*at > *p.offset)
    skip_gap(p, *at, done);
  else
    p.offset = *at;
  return {};
}

void find(const group_seat& seat, kafka::consumer& consumer, std::uint32_t generation,
          std::vector<kafka::committed> partitions, const doubts& about) {
  positions_found found{generation, std::move(partitions), {}, {}, {}, {}, {}, 0};
  for (auto& p : found.committed) {
    found.fresh.push_back(!p.offset);
    const auto began = about.began.find(p.where);
    if (!p.offset) p.metadata.clear();
    if (!p.offset && began != about.began.end()) p.offset = began->second;
    if (!p.offset) {
      const auto at = first_position(seat, consumer, p.where);
      if (at)
        p.offset = *at;
      else
        found.failure = at.failure();
    } else if (about.suspects.contains(p.where)) {
      if (const auto survived = survive(seat, consumer, p); !survived) found.failure = survived.failure();
    }
    if (found.failure) break;
  }
  std::set<std::string> sources;
  for (const auto& p : found.committed)
    sources.insert(p.where.topic);
  // Now, since what crashed may be a neighbour that had these partitions.
  if (seat.dlq && seat.shared->crashes) {
    if (auto crashed = seat.shared->crashes->of_group(seat.consume.group))
      found.crashed = std::move(crashed).value();
    else
      log::warning("crashes_unknown", crashed.failure().detail, {{"actor", seat.actor}});
  }
  const bool worked = !found.failure;
  caf::anon_send(seat.supervisor, std::move(found));
  // Those that came after the start, or by a pattern, get their DLQ now.
  if (!worked || !seat.dlq || !seat.dlq->create) return;
  if (const auto known = seat.shared->topics(ask_timeout)) make_dlq_topics(seat, *known, sources);
}

} // namespace

void find_positions(const group_seat& seat, std::shared_ptr<kafka::consumer> consumer,
                    std::uint32_t generation, std::vector<kafka::committed> partitions, doubts about) {
  seat.shared->chores.run(
      [seat, consumer = std::move(consumer), generation, partitions = std::move(partitions),
       about = std::move(about)] { find(seat, *consumer, generation, partitions, about); });
}

void find_positions_again(const group_seat& seat, std::shared_ptr<kafka::consumer> consumer,
                          std::uint32_t generation, std::vector<topic_partition> partitions, doubts about) {
  seat.shared->chores.run([seat, consumer = std::move(consumer), generation,
                           partitions = std::move(partitions), about = std::move(about)] {
    auto committed = consumer->read_committed(partitions, ask_timeout);
    if (committed)
      find(seat, *consumer, generation, std::move(committed).value(), about);
    else
      caf::anon_send(seat.supervisor,
                     positions_found{generation, {}, {}, {}, {}, {}, committed.failure(), 0});
  });
}

} // namespace troupe::actors

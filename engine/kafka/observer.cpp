#include "engine/kafka/observer.hpp"

#include "engine/kafka/admin.hpp"
#include "engine/kafka/client_config.hpp"
#include "engine/kafka/errors.hpp"
#include "engine/kafka/handles.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <regex>

namespace troupe::kafka {
namespace {

bool matches(const std::string& pattern, const std::string& topic) {
  if (!pattern.starts_with('^')) return pattern == topic;
  try {
    return std::regex_search(topic, std::regex{pattern, std::regex::extended});
  } catch (const std::regex_error&) {
    return false; // the broker's clients would not find it either
  }
}

int left_of(steady_time end) {
  const auto left = std::chrono::duration_cast<milliseconds>(end - std::chrono::steady_clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 1, 60'000));
}

} // namespace

struct observer::impl {
  connection to;
  client_ptr client;

  ~impl() {
    if (client) rd_kafka_consumer_close(client.get());
  }
  result<void> assign(const std::map<topic_partition, std::int64_t>& from);
  result<void> read_commits(std::vector<standing>& of, int timeout);
  void read_oldest(std::vector<standing>& of, bool from_end, steady_time end);
};

observer::observer(std::unique_ptr<impl> made) : impl_{std::move(made)} {}
observer::~observer() = default;

result<std::unique_ptr<observer>> observer::open(const connection& to, const std::string& group) {
  auto conf =
      make_conf(to, role::consumer,
                {{"client.id", "troupe-observer"},
                 {"allow.auto.create.topics", "false"},
                 {"queued.max.messages.kbytes", "4096"},
                 {"log_level", "0"}},
                {{"group.id", group},
                 {"enable.auto.commit", "false"},
                 {"enable.auto.offset.store", "false"},
                 {"auto.offset.reset", "earliest"}, // what retention took is not there to be looked at
                 {"isolation.level", "read_committed"}});
  if (!conf) return conf.failure();
  auto made = std::make_unique<impl>();
  made->to = to;
  std::array<char, 512> why{};
  made->client.reset(rd_kafka_new(RD_KAFKA_CONSUMER, conf->get(), why.data(), why.size()));
  if (!made->client) return error{errc::bad_config, why.data()};
  (void)conf->release(); // the client owns it from here
  rd_kafka_poll_set_consumer(made->client.get());
  return std::unique_ptr<observer>{new observer{std::move(made)}};
}

result<std::vector<topic_partition>> observer::partitions(const std::vector<std::string>& topics,
                                                          milliseconds timeout) {
  auto asked = admin::open(impl_->to);
  if (!asked) return asked.failure();
  const auto known = (*asked)->topics(timeout);
  if (!known) return known.failure();
  std::vector<topic_partition> all;
  for (const auto& [name, count] : *known)
    if (std::any_of(topics.begin(), topics.end(), [&](const auto& t) { return matches(t, name); }))
      for (std::int32_t p = 0; p < count; ++p)
        all.push_back({name, p});
  return all;
}

result<void> observer::impl::read_commits(std::vector<standing>& of, int timeout) {
  const list_ptr list{rd_kafka_topic_partition_list_new(static_cast<int>(of.size()))};
  for (const auto& s : of)
    rd_kafka_topic_partition_list_add(list.get(), s.where.topic.c_str(), s.where.partition);
  const auto code = rd_kafka_committed(client.get(), list.get(), timeout);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    auto e = to_error(code, "asking Kafka at " + to.brokers + " for the group's offsets");
    e.detail += "; check kafka.brokers, and that the brokers are running and reachable from here";
    return e;
  }
  for (auto& s : of) {
    const auto* one =
        rd_kafka_topic_partition_list_find(list.get(), s.where.topic.c_str(), s.where.partition);
    if (one && !one->err && one->offset >= 0) s.committed = one->offset;
  }
  return {};
}

result<void> observer::impl::assign(const std::map<topic_partition, std::int64_t>& from) {
  const list_ptr list{rd_kafka_topic_partition_list_new(static_cast<int>(from.size()))};
  for (const auto& [where, offset] : from)
    rd_kafka_topic_partition_list_add(list.get(), where.topic.c_str(), where.partition)->offset = offset;
  if (const auto code = rd_kafka_assign(client.get(), from.empty() ? nullptr : list.get());
      code != RD_KAFKA_RESP_ERR_NO_ERROR)
    return to_error(code, "reading from Kafka");
  return {};
}

/// One event of each partition that is behind: its timestamp is how far. What does not come in time stays
/// unknown.
void observer::impl::read_oldest(std::vector<standing>& of, bool from_end, steady_time end) {
  std::map<topic_partition, std::int64_t> from;
  for (const auto& s : of) {
    const auto begin = std::max(s.committed.value_or(from_end ? s.log.high : s.log.low), s.log.low);
    if (begin < s.log.high) from[s.where] = begin;
  }
  if (from.empty() || !assign(from)) return;
  while (!from.empty() && std::chrono::steady_clock::now() < end) {
    auto* raw = rd_kafka_consumer_poll(client.get(), std::min(left_of(end), 100));
    if (!raw) continue;
    const message m{raw};
    if (!m.is_event()) continue;
    const topic_partition where{m.topic(), m.partition()};
    if (from.erase(where) == 0) continue;
    for (auto& s : of)
      if (s.where == where && m.timestamp_ms() >= 0) s.oldest_ms = m.timestamp_ms();
  }
  (void)assign({});
}

result<std::vector<standing>> observer::standings(const std::vector<topic_partition>& where, bool from_end,
                                                  milliseconds timeout) {
  const auto end = std::chrono::steady_clock::now() + timeout;
  std::vector<standing> all;
  for (const auto& w : where)
    all.push_back({w, {}, {}, {}});
  if (all.empty()) return all;
  if (const auto read = impl_->read_commits(all, left_of(end)); !read) return read.failure();
  for (auto& s : all)
    if (const auto code =
            rd_kafka_query_watermark_offsets(impl_->client.get(), s.where.topic.c_str(), s.where.partition,
                                             &s.log.low, &s.log.high, left_of(end));
        code != RD_KAFKA_RESP_ERR_NO_ERROR)
      return to_error(code, "asking Kafka at " + impl_->to.brokers + " where the log of " + s.where.topic +
                                " ends");
  impl_->read_oldest(all, from_end, end);
  return all;
}

result<void> observer::follow(const std::vector<topic_partition>& where) {
  std::map<topic_partition, std::int64_t> ends;
  for (const auto& w : where)
    ends[w] = RD_KAFKA_OFFSET_END;
  return impl_->assign(ends);
}

std::optional<record> observer::next(milliseconds at_most) {
  auto* raw = rd_kafka_consumer_poll(impl_->client.get(), static_cast<int>(at_most.count()));
  if (!raw) return std::nullopt;
  const message m{raw};
  if (!m.is_event()) return std::nullopt;
  return m.to_record(std::make_shared<const std::string>(m.topic()));
}

} // namespace troupe::kafka

#include "engine/kafka/topic_reader.hpp"

#include "engine/kafka/client_config.hpp"
#include "engine/kafka/errors.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <span>
#include <utility>

namespace troupe::kafka {
namespace {

using clock = std::chrono::steady_clock;

constexpr std::size_t batch = 1000;
/// So many partitions at once, each with a fetch queue of 8 MiB at most.
constexpr std::size_t at_once = 8;

/// One partition's reading under way; ends with it.
class fetching {
public:
  fetching(rd_kafka_topic_t* topic, offset_range what) : topic_{topic}, what_{what} {}
  fetching(fetching&& other) noexcept
      : topic_{other.topic_}, what_{other.what_}, begun_{std::exchange(other.begun_, false)} {}
  fetching& operator=(fetching&&) = delete;
  ~fetching() { stop(); }

  result<void> begin(rd_kafka_queue_t* into) {
    begun_ = rd_kafka_consume_start_queue(topic_, what_.partition, what_.begin, into) == 0;
    if (!begun_)
      return to_error(rd_kafka_last_error(), std::string{"reading "} + rd_kafka_topic_name(topic_));
    return {};
  }
  void stop() {
    if (std::exchange(begun_, false)) rd_kafka_consume_stop(topic_, what_.partition);
  }
  [[nodiscard]] bool over() const { return !begun_; }
  [[nodiscard]] const offset_range& what() const { return what_; }

private:
  rd_kafka_topic_t* topic_;
  offset_range what_;
  bool begun_ = false;
};

struct queue_guard {
  rd_kafka_queue_t* queue;
  std::array<rd_kafka_message_t*, batch> raw{};

  /// Owned from here on by whoever takes them out.
  std::vector<message> next(std::vector<std::pair<std::int32_t, rd_kafka_resp_err_t>>& said) {
    const auto n = rd_kafka_consume_batch_queue(queue, 200, raw.data(), raw.size());
    std::vector<message> got;
    for (auto* one : std::span{raw}.first(static_cast<std::size_t>(std::max<ssize_t>(n, 0)))) {
      message m{one};
      if (m.is_event())
        got.push_back(std::move(m));
      else
        said.emplace_back(one->partition, one->err);
    }
    return got;
  }
};

} // namespace

struct topic_reader::impl {
  std::string brokers;
  client_ptr client;

  [[nodiscard]] error unanswered(const std::string& topic, const std::string& said) const {
    return {errc::unavailable, "no answer about topic " + topic + " from Kafka at " + brokers + ": " + said +
                                   "; check kafka.brokers, and that the broker is running and reachable from "
                                   "here"};
  }
  result<bool> read_some(rd_kafka_topic_t* topic, std::span<const offset_range> ranges, milliseconds patience,
                         const std::function<bool(const message&)>& each);
};

topic_reader::topic_reader(std::unique_ptr<impl> made) : impl_{std::move(made)} {}
topic_reader::~topic_reader() = default;

result<std::unique_ptr<topic_reader>> topic_reader::open(const connection& to) {
  auto conf = make_conf(to, role::consumer,
                        {{"client.id", "troupe-reader"},
                         {"queued.min.messages", "1000000"},
                         {"queued.max.messages.kbytes", "8192"},
                         {"fetch.queue.backoff.ms", "2"},
                         {"fetch.wait.max.ms", "10"}, // the end of a partition is told that soon
                         {"allow.auto.create.topics", "false"}},
                        {{"enable.auto.commit", "false"},
                         {"auto.offset.reset", "earliest"},
                         {"isolation.level", "read_committed"},
                         {"enable.partition.eof", "true"}});
  if (!conf) return conf.failure();
  std::array<char, 512> why{};
  auto made = std::make_unique<impl>();
  made->brokers = to.brokers;
  made->client.reset(rd_kafka_new(RD_KAFKA_CONSUMER, conf->get(), why.data(), why.size()));
  if (!made->client) return error{errc::bad_config, why.data()};
  (void)conf->release(); // the client owns it from here
  return std::unique_ptr<topic_reader>{new topic_reader{std::move(made)}};
}

result<std::map<std::int32_t, watermarks>> topic_reader::bounds(const std::string& topic,
                                                                milliseconds timeout) {
  auto* client = impl_->client.get();
  const auto wait = static_cast<int>(timeout.count());
  const topic_ptr handle{rd_kafka_topic_new(client, topic.c_str(), nullptr)};
  if (!handle) return to_error(rd_kafka_last_error(), "topic " + topic);
  const rd_kafka_metadata_t* raw = nullptr;
  if (const auto code = rd_kafka_metadata(client, 0, handle.get(), &raw, wait);
      code != RD_KAFKA_RESP_ERR_NO_ERROR)
    return impl_->unanswered(topic, rd_kafka_err2str(code));
  const metadata_ptr metadata{raw};
  if (metadata->topic_cnt != 1) return impl_->unanswered(topic, "it is not in the answer");
  const auto& about = metadata->topics[0];
  if (about.err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) return std::map<std::int32_t, watermarks>{};
  if (about.err != RD_KAFKA_RESP_ERR_NO_ERROR) return to_error(about.err, "topic " + topic);
  std::map<std::int32_t, watermarks> all;
  for (const auto& p : std::span{about.partitions, static_cast<std::size_t>(about.partition_cnt)}) {
    auto& marks = all[p.id];
    const auto code =
        rd_kafka_query_watermark_offsets(client, topic.c_str(), p.id, &marks.low, &marks.high, wait);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return impl_->unanswered(topic, rd_kafka_err2str(code));
  }
  return all;
}

result<void> topic_reader::read(const std::string& topic, const std::vector<offset_range>& ranges,
                                milliseconds patience, const std::function<bool(const message&)>& each) {
  const topic_ptr handle{rd_kafka_topic_new(impl_->client.get(), topic.c_str(), nullptr)};
  if (!handle) return to_error(rd_kafka_last_error(), "topic " + topic);
  std::vector<offset_range> wanted;
  std::copy_if(ranges.begin(), ranges.end(), std::back_inserter(wanted),
               [](const offset_range& r) { return r.begin < r.end; });
  for (std::size_t i = 0; i < wanted.size(); i += at_once) {
    const auto some = std::span{wanted}.subspan(i, std::min(at_once, wanted.size() - i));
    const auto go_on = impl_->read_some(handle.get(), some, patience, each);
    if (!go_on) return go_on.failure();
    if (!*go_on) break;
  }
  return {};
}

/// False where `each` wants no more.
result<bool> topic_reader::impl::read_some(rd_kafka_topic_t* topic, std::span<const offset_range> ranges,
                                           milliseconds patience,
                                           const std::function<bool(const message&)>& each) {
  const queue_ptr queue{rd_kafka_queue_new(client.get())};
  std::map<std::int32_t, fetching> open; // before the queue's end: what is fetched lies in it
  for (const auto& range : ranges) {
    const auto at = open.emplace(range.partition, fetching{topic, range}).first;
    if (auto begun = at->second.begin(queue.get()); !begun) return begun.failure();
  }
  queue_guard messages{queue.get()};
  std::string trouble = "it is slow";
  for (auto heard = clock::now(); !open.empty();) {
    std::vector<std::pair<std::int32_t, rd_kafka_resp_err_t>> said;
    const auto got = messages.next(said);
    if (!got.empty()) heard = clock::now();
    for (const auto& m : got) {
      const auto at = open.find(m.partition());
      if (at == open.end()) continue;
      const auto& what = at->second.what();
      if (m.offset() >= what.begin && m.offset() < what.end) {
        if (!each(m)) return false;
        heard = clock::now(); // it may have taken its time
      }
      if (m.offset() + 1 >= what.end) open.erase(at);
    }
    for (const auto& [partition, code] : said) {
      // The end of what is committed; control records may fill the rest.
      if (code == RD_KAFKA_RESP_ERR__PARTITION_EOF)
        open.erase(partition);
      else if (classify(code) == errc::refused)
        return to_error(code, std::string{"reading "} + rd_kafka_topic_name(topic));
      else
        trouble = rd_kafka_err2str(code);
    }
    if (clock::now() - heard >= patience) return unanswered(rd_kafka_topic_name(topic), trouble);
  }
  return true;
}

} // namespace troupe::kafka

#include "engine/kafka/consumer_session.hpp"

#include "engine/kafka/client_config.hpp"
#include "engine/kafka/consuming.hpp"
#include "engine/kafka/errors.hpp"
#include "engine/kafka/offset_list.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <exception>
#include <thread>
#include <utility>

namespace troupe::kafka {

namespace {

list_ptr list_of(std::span<const topic_partition> where) {
  list_ptr list{rd_kafka_topic_partition_list_new(static_cast<int>(where.size()))};
  for (const auto& tp : where)
    rd_kafka_topic_partition_list_add(list.get(), tp.topic.c_str(), tp.partition);
  return list;
}

std::span<const rd_kafka_topic_partition_t> elements(const rd_kafka_topic_partition_list_t* list) {
  if (!list) return {};
  return {list->elems, static_cast<std::size_t>(list->cnt)};
}

std::string name_of(const topic_partition& where) {
  return where.topic + " [" + std::to_string(where.partition) + "]";
}

/// What the group committed; any partition's failure is the whole's, since half an answer starts nothing.
result<std::vector<committed>> ask(rd_kafka_t* client, std::span<const topic_partition> where,
                                   milliseconds timeout) {
  const auto list = list_of(where);
  auto code = rd_kafka_committed(client, list.get(), static_cast<int>(timeout.count()));
  std::vector<committed> answer;
  for (const auto& one : elements(list.get())) {
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) code = one.err;
    auto& to = answer.emplace_back();
    to.where = {one.topic, one.partition};
    if (one.offset >= 0) to.offset = one.offset;
    if (one.metadata) to.metadata.assign(static_cast<const char*>(one.metadata), one.metadata_size);
  }
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return to_error(code, "reading the group's committed offsets");
  return answer;
}

} // namespace

class consumer_session::visit {
public:
  explicit visit(consumer_session& to) : to_{to} {
    const std::lock_guard lock{to_.mutex_};
    welcome_ = !to_.closing_ && to_.client_;
    if (welcome_) ++to_.visitors_;
  }
  visit(const visit&) = delete;
  visit& operator=(const visit&) = delete;
  ~visit() {
    if (!welcome_) return;
    const std::lock_guard lock{to_.mutex_};
    --to_.visitors_;
    to_.nudge();
  }
  explicit operator bool() const { return welcome_; }
  static error closed() { return {errc::conflict, "the consumer is closed"}; }

private:
  consumer_session& to_;
  bool welcome_ = false;
};

consumer_session::~consumer_session() = default;

result<void> consumer_session::start() {
  stops_when_full_ = !scope_of("fetch.queue.backoff.ms");
  auto conf = make_consumer_conf(config_);
  if (!conf) return conf.failure();
  const auto set = [&](const char* property) {
    std::array<char, 32> text{};
    auto size = text.size();
    rd_kafka_conf_get(conf->get(), property, text.data(), &size);
    return std::strtoull(text.data(), nullptr, 10);
  };
  prefetch_bytes_ = set("queued.max.messages.kbytes") * 1024;
  prefetch_messages_ = set("queued.min.messages");
  rd_kafka_conf_set_events(conf->get(), RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_OFFSET_COMMIT |
                                            RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG | RD_KAFKA_EVENT_FETCH);

  std::array<char, 512> why{};
  client_ptr client{rd_kafka_new(RD_KAFKA_CONSUMER, conf->get(), why.data(), why.size())};
  if (!client) return error{errc::bad_config, why.data()};
  (void)conf->release(); // the client owns it from here
  rd_kafka_poll_set_consumer(client.get());

  list_ptr topics{rd_kafka_topic_partition_list_new(static_cast<int>(config_.topics.size()))};
  for (const auto& topic : config_.topics)
    rd_kafka_topic_partition_list_add(topics.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
  if (const auto code = rd_kafka_subscribe(client.get(), topics.get()); code != RD_KAFKA_RESP_ERR_NO_ERROR)
    return error{errc::bad_config, std::string{"cannot subscribe to the topics of group "} + config_.group +
                                       ": " + rd_kafka_err2str(code)};

  main_.reset(rd_kafka_queue_get_consumer(client.get()));
  rd_kafka_set_log_queue(client.get(), main_.get());
  client_ = client.release();
  // Detached, and holding the session: a close that never returns must not hold whoever asked for it.
  std::thread{[self = shared_from_this()] { self->run(); }}.detach();
  return {};
}

std::unique_ptr<queue_slot> consumer_session::open_queue(std::span<const topic_partition> where, bool joint,
                                                         std::function<void()> wake) {
  const visit here{*this};
  if (!here || where.empty()) return nullptr;
  auto slot = std::make_unique<queue_slot>();
  slot->wake = wake ? std::move(wake) : [] {};
  slot->partitions.assign(where.begin(), where.end());
  if (joint) slot->joint.reset(rd_kafka_queue_new(client_));
  for (const auto& tp : where) {
    slot->sources.emplace_back(rd_kafka_queue_get_partition(client_, tp.topic.c_str(), tp.partition));
    if (!slot->sources.back()) return nullptr;
  }

  const std::lock_guard lock{mutex_};
  slot->opens_with = asked_ + 1;
  // Called with librdkafka's queue locked, when the first message comes into an empty queue.
  rd_kafka_queue_cb_event_enable(
      slot->reads(), [](rd_kafka_t*, void* opaque) { static_cast<queue_slot*>(opaque)->wake(); }, slot.get());
  for (std::size_t i = 0; i < slot->sources.size(); ++i) {
    rd_kafka_queue_forward(slot->sources[i].get(), slot->joint.get());
    owners_[slot->partitions[i]] = slot.get();
  }
  slots_.push_back(slot.get());
  return slot;
}

void consumer_session::close_queue(std::unique_ptr<queue_slot> slot) {
  const std::lock_guard lock{mutex_};
  // Also waits for a wake that is just being called.
  rd_kafka_queue_cb_event_enable(slot->reads(), nullptr, nullptr);
  for (std::size_t i = 0; i < slot->partitions.size(); ++i) {
    const auto owner = owners_.find(slot->partitions[i]);
    if (owner == owners_.end() || owner->second != slot.get()) continue; // a later queue has it
    rd_kafka_queue_forward(slot->sources[i].get(), nullptr);
    owners_.erase(owner);
  }
  // The joint queue last: while partitions forward to it, what lies in it keeps them, and they keep it.
  slot->sources.clear();
  slot->joint.reset();
  std::erase(slots_, slot.get());
  nudge();
}

std::size_t consumer_session::read(queue_slot& slot, std::vector<message>& into, std::size_t max) {
  // Not in effect yet: there is nothing of the new positions, and apply() wakes once there may be.
  if (max == 0 || applied_.load(std::memory_order_acquire) < slot.opens_with.load(std::memory_order_acquire))
    return 0;
  slot.scratch.resize(max);
  const auto got = rd_kafka_consume_batch_queue(slot.reads(), 0, slot.scratch.data(), max);
  if (got <= 0) return 0;
  const auto count = static_cast<std::size_t>(got);
  into.reserve(into.size() + count);
  if (stops_when_full_) watch_level(slot, count);
  for (std::size_t i = 0; i < count; ++i)
    into.emplace_back(slot.scratch[i]);
  return count;
}

std::size_t consumer_session::read_all(queue_slot& slot, const std::function<void(const message&)>& each) {
  if (applied_.load(std::memory_order_acquire) < slot.opens_with.load(std::memory_order_acquire)) return 0;
  struct reading {
    const std::function<void(const message&)>& each;
    std::size_t bytes = 0;
    std::exception_ptr thrown = nullptr; ///< C has no way for it
  } all{each};
  rd_kafka_consume_callback_queue(
      slot.reads(), 0,
      [](rd_kafka_message_t* raw, void* opaque) {
        auto& to = *static_cast<reading*>(opaque);
        message one{raw};
        to.bytes += one.bytes();
        try {
          if (!to.thrown) to.each(one);
        } catch (...) {
          to.thrown = std::current_exception();
        }
        one.let_go();
      },
      &all);
  if (stops_when_full_ && all.bytes >= prefetch_bytes_ - prefetch_bytes_ / 8) wake_fetching(slot);
  if (all.thrown) std::rethrow_exception(all.thrown);
  return all.bytes;
}

void consumer_session::wake_fetching(const queue_slot& slot) {
  if (!resuming_.exchange(true)) post([this, where = slot.partitions] { resume_fetching(where); });
}

void consumer_session::watch_level(queue_slot& slot, std::size_t got) {
  // The queue's size in bytes is librdkafka's secret; its length is not, and a few messages tell the rest.
  std::size_t sampled = 0, bytes = 0;
  for (std::size_t i = 0; i < got; i += 1 + got / 8, ++sampled)
    bytes += slot.scratch[i]->len;
  const auto each = bytes / sampled, left = rd_kafka_queue_length(slot.reads());
  const auto fill = [&](std::size_t messages) {
    return std::max(static_cast<double>(messages) / static_cast<double>(prefetch_messages_),
                    static_cast<double>(messages * each) / static_cast<double>(prefetch_bytes_));
  };
  // Before it was read: a few large messages are a full queue, and one reading takes them all.
  if (fill(left + got) >= 0.875) slot.was_full = true;
  if (slot.was_full && fill(left) < 0.5) {
    slot.was_full = false;
    wake_fetching(slot);
  }
}

/// librdkafka looks again at a queue that was full when its broker thread wakes up, for its own reasons or
/// after a second. Any request to the partitions' leaders wakes it; its answer is of no use to anybody.
void consumer_session::resume_fetching(const std::vector<topic_partition>& where) {
  resuming_ = false;
  if (!fetching_) return;
  const auto list = list_of(where);
  for (auto& one : std::span{list->elems, static_cast<std::size_t>(list->cnt)})
    one.offset = RD_KAFKA_OFFSET_END;
  rd_kafka_offsets_for_times(client_, list.get(), 1);
}

void consumer_session::assign(std::vector<position> positions) {
  std::unique_lock lock{mutex_};
  const auto number = ++asked_;
  // From this moment on the queues give nothing of the positions before.
  for (auto* slot : slots_)
    slot->opens_with.store(number, std::memory_order_release);
  lock.unlock();
  post([this, number, positions = std::move(positions)] { apply(number, positions); });
}

void consumer_session::apply(std::uint64_t number, const std::vector<position>& positions) {
  if (phase_ != phase::assigned) return; // revoked meanwhile
  list_ptr list{rd_kafka_topic_partition_list_new(static_cast<int>(positions.size()))};
  for (const auto& [where, offset] : positions) {
    if (!group_share_.contains(where)) continue; // of an assignment before
    auto* one = rd_kafka_topic_partition_list_find(list.get(), where.topic.c_str(), where.partition);
    if (!one) one = rd_kafka_topic_partition_list_add(list.get(), where.topic.c_str(), where.partition);
    one->offset = offset;
  }

  leave_partitions();
  {
    // Stopping a partition takes its forwarding away.
    const std::lock_guard lock{mutex_};
    for (auto* slot : slots_) {
      if (!slot->joint) continue;
      for (std::size_t i = 0; i < slot->sources.size(); ++i) {
        const auto owner = owners_.find(slot->partitions[i]);
        if (owner != owners_.end() && owner->second == slot)
          rd_kafka_queue_forward(slot->sources[i].get(), slot->joint.get());
      }
    }
  }
  if (const auto code = rd_kafka_assign(client_, list.get()); code != RD_KAFKA_RESP_ERR_NO_ERROR)
    return tell_trouble(to_error(code, "starting to read " + std::to_string(list->cnt) + " partitions"),
                        true);
  fetching_ = list->cnt > 0;
  applied_.store(number, std::memory_order_release);

  // Whatever came, or lay there, while a queue was not open yet has spent its wake-up.
  const std::lock_guard lock{mutex_};
  for (auto* slot : slots_)
    if (slot->opens_with.load(std::memory_order_relaxed) <= number) slot->wake();
}

void consumer_session::leave_partitions() {
  if (!fetching_) return;
  const list_ptr none{rd_kafka_topic_partition_list_new(0)};
  rd_kafka_assign(client_, none.get());
  // The stops are queued to librdkafka's main thread. A question that goes through the same queue is answered
  // after them: from here on, what was fetched before is outdated, and readers drop it.
  rd_kafka_topic_partition_list_t* held = nullptr;
  if (rd_kafka_assignment(client_, &held) == RD_KAFKA_RESP_ERR_NO_ERROR) list_ptr{held}.reset();
  fetching_ = false;
}

void consumer_session::release() {
  post([this] {
    if (phase_ != phase::revoking) return;
    rd_kafka_assign(client_, nullptr);
    fetching_ = false;
    group_share_.clear();
    phase_ = phase::outside;
  });
}

void consumer_session::commit(std::vector<commit_request> requests) {
  // A copy for the refusal: what was moved into a command that is not taken would be gone.
  if (!post([this, requests] { send_commit(requests); }))
    refuse_commits(std::move(requests), "the consumer is closed");
}

void consumer_session::send_commit(std::vector<commit_request> requests) {
  // Ours to refuse: a member that was thrown out has no generation, and a broker takes the commits of a
  // client without one when the group is empty.
  const bool member =
      (phase_ == phase::assigned || phase_ == phase::revoking) && !rd_kafka_assignment_lost(client_);
  std::vector<commit_request> refused;
  std::erase_if(requests, [&](commit_request& one) {
    if (member && one.offset >= 0 && group_share_.contains(one.where)) return false;
    refused.push_back(std::move(one));
    return true;
  });
  if (!refused.empty()) refuse_commits(std::move(refused), "the partition is not assigned to this consumer");
  if (requests.empty()) return;

  const auto list = to_list(requests);
  const auto number = ++next_commit_;
  const auto code =
      rd_kafka_commit_queue(client_, list.get(), main_.get(), nullptr, reinterpret_cast<void*>(number));
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return refuse_commits(std::move(requests), rd_kafka_err2str(code));
  outstanding_.emplace(number, sent_commit{clock::now(), std::move(requests)});
}

void consumer_session::on_commit(rd_kafka_event_t* event) {
  const auto found = outstanding_.find(reinterpret_cast<std::uint64_t>(rd_kafka_event_opaque(event)));
  if (found == outstanding_.end()) return;
  const auto [since, requests] = std::move(found->second);
  const auto took = std::chrono::duration<double>(clock::now() - since).count();
  outstanding_.erase(found);

  const auto whole = rd_kafka_event_error(event);
  const auto* list = rd_kafka_event_topic_partition_list(event);
  // With a partition's own error, the whole's is only the last of those; without any, it is everybody's.
  const auto parts = elements(list);
  const bool partly =
      std::ranges::any_of(parts, [](const auto& one) { return one.err != RD_KAFKA_RESP_ERR_NO_ERROR; });
  std::vector<commit_report> reports;
  reports.reserve(requests.size());
  for (const auto& request : requests) {
    auto code = whole;
    if (partly) {
      const auto one = std::ranges::find_if(parts, [&](const auto& p) {
        return p.partition == request.where.partition && request.where.topic == p.topic;
      });
      if (one != parts.end()) code = one->err;
    }
    auto& report = reports.emplace_back(commit_report{request.where, request.offset, std::nullopt, took});
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
      report.failure = to_error(code, "committing " + name_of(request.where));
  }
  tell([&] {
    if (events_.commits) events_.commits(std::move(reports));
  });
}

void consumer_session::refuse_commits(std::vector<commit_request> requests, const std::string& why) {
  std::vector<commit_report> reports;
  reports.reserve(requests.size());
  for (auto& request : requests) {
    error failure{errc::conflict, "committing " + name_of(request.where) + ": " + why};
    reports.push_back({std::move(request.where), request.offset, std::move(failure), 0});
  }
  tell([&] {
    if (events_.commits) events_.commits(std::move(reports));
  });
}

void consumer_session::refuse_outstanding() {
  for (auto& [number, sent] : std::exchange(outstanding_, {}))
    refuse_commits(std::move(sent.requests),
                   "the consumer was closed before an answer came; it may have taken effect");
}

result<membership> consumer_session::current_membership() {
  const visit here{*this};
  if (!here) return visit::closed();
  membership now{rd_kafka_consumer_group_metadata(client_), [](const rd_kafka_consumer_group_metadata_t* m) {
                   if (m)
                     rd_kafka_consumer_group_metadata_destroy(
                         const_cast<rd_kafka_consumer_group_metadata_t*>(m));
                 }};
  // Asked after it was taken. A member that was thrown out has neither id nor generation, and from such a
  // client a broker takes a transaction's offsets unchecked.
  if (!now || rd_kafka_assignment_lost(client_))
    return error{errc::conflict, "the partitions are no longer assigned to this consumer"};
  return now;
}

result<std::vector<committed>> consumer_session::read_committed(const std::vector<topic_partition>& where,
                                                                milliseconds timeout) {
  const visit here{*this};
  if (!here) return visit::closed();
  return ask(client_, where, timeout);
}

result<watermarks> consumer_session::query_watermarks(const topic_partition& where, milliseconds timeout) {
  const visit here{*this};
  if (!here) return visit::closed();
  watermarks marks;
  const auto code =
      rd_kafka_query_watermark_offsets(client_, where.topic.c_str(), where.partition, &marks.low, &marks.high,
                                       static_cast<int>(timeout.count()));
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
    return to_error(code, "asking for the watermarks of " + name_of(where));
  return marks;
}

std::optional<watermarks> consumer_session::cached_watermarks(const topic_partition& where) {
  const visit here{*this};
  if (!here) return std::nullopt;
  watermarks marks;
  const auto code =
      rd_kafka_get_watermark_offsets(client_, where.topic.c_str(), where.partition, &marks.low, &marks.high);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR || marks.low < 0 || marks.high < 0) return std::nullopt;
  return marks;
}

bool consumer_session::post(command what) {
  const std::lock_guard lock{mutex_};
  if (closing_ || ended_) return false;
  commands_.push_back(std::move(what));
  nudge();
  return true;
}

void consumer_session::nudge() {
  if (main_) rd_kafka_queue_yield(main_.get());
}

void consumer_session::mute() {
  const std::lock_guard lock{telling_};
  muted_ = true;
}

void consumer_session::tell_trouble(error what, bool fatal) {
  tell([&] {
    if (events_.trouble) events_.trouble(std::move(what), fatal);
  });
}

} // namespace troupe::kafka

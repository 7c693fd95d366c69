#include "engine/kafka/producer.hpp"

#include "engine/kafka/errors.hpp"
#include "engine/kafka/producing.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <list>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace troupe::kafka {

namespace {

using clock = std::chrono::steady_clock;

constexpr milliseconds idle_poll{1000};
/// How long a client that is given up may take to hand back what it holds.
constexpr milliseconds drain_time{1000};

/// One client: replaced as a whole when it fails for good.
struct client {
  /// What was handed over together: each report is called once even if librdkafka never says a word. What
  /// costs a lock is paid once for all of them.
  struct batch {
    struct event {
      batch* of;
      bool settled = false;
    };
    producer::reports each;
    std::uint32_t known; ///< how many partitions knew this client when it was handed over
    std::vector<event> events;
    std::atomic<std::size_t> open; ///< it is gone with the last one
    std::list<batch>::iterator self;

    batch(std::size_t size, producer::reports report, std::uint32_t known_by)
        : each{std::move(report)}, known{known_by}, events(size, event{this}), open{size} {}
    [[nodiscard]] std::size_t index(const event& one) const {
      return static_cast<std::size_t>(&one - events.data());
    }
  };

  client_ptr handle;
  queue_ptr events;
  std::shared_mutex topics_mutex;
  std::map<std::string, topic_ptr, std::less<>> topics;
  std::mutex mutex;
  std::list<batch> under_way;
  using partition = std::pair<const rd_kafka_topic_t*, std::int32_t>;
  std::atomic<std::uint32_t> partitions_known{0};
  std::map<partition, std::uint32_t> known_as; ///< the how-manieth; of the producer's thread alone
  partition last_known;

  rd_kafka_topic_t* topic(const std::string& name) {
    {
      const std::shared_lock lock{topics_mutex};
      const auto found = topics.find(name);
      if (found != topics.end() && found->second) return found->second.get();
    }
    const std::lock_guard lock{topics_mutex};
    auto& made = topics[name];
    if (!made) made.reset(rd_kafka_topic_new(handle.get(), name.c_str(), nullptr));
    return made.get();
  }

  batch& begin(std::size_t size, producer::reports each) {
    const std::lock_guard lock{mutex};
    auto& made = under_way.emplace_front(size, std::move(each), partitions_known);
    made.self = under_way.begin();
    return made;
  }

  void settle(batch::event& one) {
    auto& of = *one.of;
    one.settled = true;
    if (of.open.fetch_sub(1) > 1) return;
    std::list<batch> over; // its report goes without the lock: who knows what it holds
    const std::lock_guard lock{mutex};
    over.splice(over.begin(), under_way, of.self);
  }

  /// Whether an event that is reported as delivered was written. A broker that calls it a copy is reported as
  /// success without an offset. It is right where the partition had taken an event of this client before. But
  /// the first sequence number that a partition sees of a client may be any: where it had no leader for the
  /// first events and got one before a later event came, it begins with that, and takes the first ones, sent
  /// again, for copies, though it has none of them.
  bool is_written(const rd_kafka_message_t& m, std::uint32_t known_before) {
    const partition where{m.rkt, m.partition};
    if (m.offset < 0) {
      const auto at = known_as.find(where);
      return at != known_as.end() && at->second <= known_before;
    }
    if (where == last_known) return true;
    last_known = where;
    if (known_as.try_emplace(where, partitions_known + 1).second) ++partitions_known;
    return true;
  }
};

error not_taken(rd_kafka_resp_err_t code, const std::string& topic) {
  const auto what = "publishing to " + topic;
  if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL)
    return {errc::unavailable, what + ": local queue full; try again when some are delivered"};
  if (code == RD_KAFKA_RESP_ERR__FATAL)
    return {errc::unavailable, what + ": the producer is being replaced; try again"};
  return to_error(code, what);
}

error undelivered(rd_kafka_resp_err_t code, rd_kafka_msg_status_t status, const std::string& topic) {
  auto what = to_error(code, "publishing to " + topic);
  switch (code) {
  case RD_KAFKA_RESP_ERR__PURGE_INFLIGHT:
  case RD_KAFKA_RESP_ERR__PURGE_QUEUE:
  case RD_KAFKA_RESP_ERR__FATAL:
    what.code = errc::timeout;
    break;
  default:
    // Only what certainly was not written may be called that.
    if (what.code == errc::timeout && status == RD_KAFKA_MSG_STATUS_NOT_PERSISTED)
      what.code = errc::unavailable;
    if (what.code == errc::unavailable && status == RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED)
      what.code = errc::timeout;
  }
  return what;
}

/// The event of a delivery report, partition included.
outgoing copy_of(const rd_kafka_message_t& m) {
  const auto text = [](const void* at, std::size_t size) {
    return at ? std::optional{std::string{static_cast<const char*>(at), size}} : std::nullopt;
  };
  outgoing event;
  event.topic = rd_kafka_topic_name(m.rkt);
  event.key = text(m.key, m.key_len);
  event.value = text(m.payload, m.len);
  event.partition = m.partition;
  rd_kafka_timestamp_type_t type{};
  if (const auto at = rd_kafka_message_timestamp(&m, &type); at >= 0) event.timestamp_ms = at;
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&m, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return event;
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (std::size_t i = 0;
       rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i)
    event.headers.push_back({name, text(value, size)});
  return event;
}

error outcome_unknown(const std::string& why) {
  return {errc::timeout, why + " before the broker's answer came; the event may have been written"};
}

} // namespace

struct producer::impl : std::enable_shared_from_this<producer::impl> {
  producer_config config;
  std::shared_mutex swap; // shared: produce; alone: replacing the client
  std::shared_ptr<client> current;
  std::atomic<std::size_t> pending{0};
  std::mutex mutex;
  std::condition_variable changed;
  std::atomic<bool> stop{false};
  std::shared_ptr<producer> alone; ///< sends what was refused in company; made when first needed
  bool drained = false;
  bool ended = false;

  explicit impl(producer_config with) : config{std::move(with)} {}

  result<std::shared_ptr<client>> make_client() const;
  void run();
  void handle(client& from, rd_kafka_event_t* event);
  void replace(const std::shared_ptr<client>& failed, const error& why);
  void drain(client& from, const std::string& why);
  result<delivery> judge(client& from, const rd_kafka_message_t& reported, std::uint32_t known) const;
  bool try_alone(client& from, const rd_kafka_message_t& refused, client::batch::event& one);
  void less_pending();
};

result<std::shared_ptr<client>> producer::impl::make_client() const {
  auto conf = make_producer_conf(
      config.connection, config.client_id, config.timeout, config.one_per_batch,
      {{"acks", config.acks_all ? "all" : "1"}, {"enable.idempotence", config.acks_all ? "true" : "false"}});
  if (!conf) return conf.failure();
  rd_kafka_conf_set_events(conf->get(), RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG);

  std::array<char, 512> why{};
  auto made = std::make_shared<client>();
  made->handle.reset(rd_kafka_new(RD_KAFKA_PRODUCER, conf->get(), why.data(), why.size()));
  if (!made->handle) return error{errc::bad_config, why.data()};
  (void)conf->release(); // the client owns it from here
  made->events.reset(rd_kafka_queue_get_main(made->handle.get()));
  rd_kafka_set_log_queue(made->handle.get(), made->events.get());
  return made;
}

void producer::impl::run() {
  while (!stop) {
    const auto from = current; // only this thread replaces it
    const event_ptr event{rd_kafka_queue_poll(from->events.get(), static_cast<int>(idle_poll.count()))};
    if (!event) continue;
    if (rd_kafka_event_type(event.get()) == RD_KAFKA_EVENT_ERROR &&
        rd_kafka_event_error_is_fatal(event.get())) {
      const char* text = rd_kafka_event_error_string(event.get());
      replace(from, {errc::broken, text ? text : rd_kafka_err2str(rd_kafka_event_error(event.get()))});
      continue;
    }
    handle(*from, event.get());
  }

  auto last = current;
  drain(*last, "the producer was ended");
  {
    const std::lock_guard lock{mutex};
    drained = true;
    changed.notify_all();
  }
  {
    const std::lock_guard lock{swap};
    last = std::move(current);
  }
  alone.reset(); // reports what it holds; it keeps no reference to us afterwards
  last.reset();
  const std::lock_guard lock{mutex};
  ended = true;
  changed.notify_all();
}

void producer::impl::handle(client& from, rd_kafka_event_t* event) {
  switch (rd_kafka_event_type(event)) {
  case RD_KAFKA_EVENT_DR:
    while (const auto* message = rd_kafka_event_message_next(event)) {
      auto& one = *static_cast<client::batch::event*>(message->_private);
      if (message->err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE && try_alone(from, *message, one)) continue;
      one.of->each(one.of->index(one), judge(from, *message, one.of->known));
      from.settle(one);
      less_pending();
    }
    return;
  case RD_KAFKA_EVENT_ERROR: {
    if (!config.trouble) return;
    const char* text = rd_kafka_event_error_string(event);
    const auto code = rd_kafka_event_error(event);
    return config.trouble({classify(code), text ? text : rd_kafka_err2str(code)}, false);
  }
  case RD_KAFKA_EVENT_LOG: {
    const char* facility = "";
    const char* text = "";
    int level = 0;
    if (config.log && rd_kafka_event_log(event, &facility, &text, &level) == 0)
      config.log(level, facility, text);
    return;
  }
  default:
    return;
  }
}

result<delivery> producer::impl::judge(client& from, const rd_kafka_message_t& reported,
                                       std::uint32_t known) const {
  if (reported.err != RD_KAFKA_RESP_ERR_NO_ERROR)
    return undelivered(reported.err, rd_kafka_message_status(&reported), rd_kafka_topic_name(reported.rkt));
  if (from.is_written(reported, known)) return delivery{reported.partition, reported.offset};
  return error{errc::timeout, std::string{"publishing to "} + rd_kafka_topic_name(reported.rkt) +
                                  ": the broker takes it for a copy of what it never got; "
                                  "whether it was written is not known"};
}

/// The broker refuses a whole batch for its size: which of its events is too large shows when each goes
/// alone.
bool producer::impl::try_alone(client& from, const rd_kafka_message_t& refused, client::batch::event& one) {
  if (config.one_per_batch || stop) return false;
  if (!alone) {
    auto with = config;
    with.one_per_batch = true;
    auto made = producer::open(std::move(with));
    if (!made) return false;
    alone = std::move(*made);
  }
  alone->produce(copy_of(refused), [self = shared_from_this(), each = one.of->each,
                                    which = one.of->index(one)](result<delivery> r) {
    each(which, std::move(r));
    self->less_pending();
  });
  from.settle(one);
  return true;
}

void producer::impl::replace(const std::shared_ptr<client>& failed, const error& why) {
  if (config.trouble) config.trouble(why, true);
  auto made = make_client();
  while (!made && !stop) {
    if (config.trouble) config.trouble(made.failure(), true);
    std::unique_lock lock{mutex};
    changed.wait_for(lock, milliseconds{1000}, [this] { return stop.load(); });
    lock.unlock();
    made = make_client();
  }
  if (!made) return;
  {
    const std::lock_guard lock{swap};
    current = std::move(*made);
  }
  drain(*failed, "the producer failed (" + why.detail + ")");
  // Ending a client may wait for a name to be resolved; the new one must not.
  std::thread{[last = failed]() mutable { last.reset(); }}.detach();
}

void producer::impl::drain(client& from, const std::string& why) {
  rd_kafka_purge(from.handle.get(),
                 RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
  const auto by = clock::now() + drain_time;
  while (rd_kafka_outq_len(from.handle.get()) > 0 && clock::now() < by) {
    const event_ptr event{rd_kafka_queue_poll(from.events.get(), 50)};
    if (event) handle(from, event.get());
  }
  std::list<client::batch> left;
  {
    const std::lock_guard lock{from.mutex};
    left.swap(from.under_way);
  }
  for (const auto& batch : left)
    for (const auto& one : batch.events)
      if (!one.settled) {
        batch.each(batch.index(one), outcome_unknown(why));
        less_pending();
      }
}

/// One event has its report.
void producer::impl::less_pending() {
  if (--pending > 0) return;
  const std::lock_guard lock{mutex};
  changed.notify_all();
}

producer::producer(std::shared_ptr<impl> made) : impl_{std::move(made)} {}

producer::~producer() {
  {
    const std::lock_guard lock{impl_->swap}; // nobody is in produce any more
    impl_->stop = true;
    rd_kafka_queue_yield(impl_->current->events.get());
  }
  std::unique_lock lock{impl_->mutex};
  impl_->changed.wait(lock, [this] { return impl_->drained; });
  // Nothing is owed any more. The client usually ends in milliseconds, but a hanging name server can hold it.
  impl_->changed.wait_for(lock, milliseconds{2000}, [this] { return impl_->ended; });
}

result<std::shared_ptr<producer>> producer::open(producer_config config) {
  auto state = std::make_shared<impl>(std::move(config));
  auto made = state->make_client();
  if (!made) return made.failure();
  state->current = std::move(*made);
  std::thread{[state] { state->run(); }}.detach();
  return std::shared_ptr<producer>{new producer{std::move(state)}};
}

void producer::produce(const outgoing& event, report done) {
  produce(std::span{&event, 1}, [done = std::move(done)](std::size_t, result<delivery> r) {
    if (done) done(std::move(r));
  });
}

void producer::produce(std::span<const outgoing> events, reports each) {
  if (events.empty()) return;
  struct refusal {
    std::size_t which;
    rd_kafka_resp_err_t code;
  };
  std::vector<refusal> refused;
  reports told;
  impl_->pending += events.size();
  {
    const std::shared_lock lock{impl_->swap};
    auto& to = *impl_->current;
    auto& batch = to.begin(events.size(), std::move(each)); // gone with the last event
    const std::string* name = nullptr;
    rd_kafka_topic_t* topic = nullptr;
    auto no_topic = RD_KAFKA_RESP_ERR_NO_ERROR;
    for (std::size_t i = 0; i < events.size(); ++i) {
      const auto& event = events[i];
      auto& waiting = batch.events[i];
      if (!name || *name != event.topic) {
        name = &event.topic;
        topic = to.topic(event.topic);
        if (!topic) no_topic = rd_kafka_last_error();
      }
      auto code = no_topic;
      if (topic) {
        const auto failed = hand_over(to.handle.get(), topic, event, &waiting);
        if (!failed) continue;
        code = rd_kafka_error_code(failed.get());
      }
      if (refused.empty()) told = batch.each;
      refused.push_back({i, code});
      to.settle(waiting);
    }
  }
  // Without the lock: who is told may produce again.
  for (const auto& one : refused) {
    told(one.which, not_taken(one.code, events[one.which].topic));
    impl_->less_pending();
  }
}

bool producer::flush(milliseconds deadline) {
  const auto by = clock::now() + deadline;
  std::shared_ptr<client> to;
  {
    const std::shared_lock lock{impl_->swap};
    to = impl_->current;
  }
  // Ends the lingering, and waits for the answers; the reports come on the producer's thread.
  rd_kafka_flush(to->handle.get(), static_cast<int>(deadline.count()));
  to.reset();
  std::unique_lock lock{impl_->mutex};
  return impl_->changed.wait_until(lock, by, [this] { return impl_->pending == 0; });
}

std::size_t producer::pending() const {
  return impl_->pending;
}

} // namespace troupe::kafka

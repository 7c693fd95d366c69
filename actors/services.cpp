#include "actors/services.hpp"

#include "engine/log/log.hpp"

#include <algorithm>
#include <array>
#include <unistd.h>

namespace troupe::actors {

void lag_board::update(const std::string& group, const topic_partition& where, std::int64_t position,
                       flow::behind_clock::mark behind, const std::shared_ptr<kafka::consumer>& consumer) {
  const std::lock_guard hold{lock_};
  auto& e = entries_[{group, where}];
  e.position = position;
  e.behind.move(behind);
  e.consumer = consumer;
  // Whoever looks does so once a second; a quiet topic is caught up with in between.
  const auto marks = consumer ? consumer->cached_watermarks(where) : std::nullopt;
  if (marks && e.beyond(*marks) == 0) (void)e.behind.oldest(0, wall_ms());
}

namespace {

metrics::labels series(const std::string& group, const topic_partition& where) {
  return {{"group", group}, {"topic", where.topic}, {"partition", std::to_string(where.partition)}};
}

} // namespace

void lag_board::remove(const std::string& group, const topic_partition& where) {
  const std::lock_guard hold{lock_};
  entries_.erase({group, where});
  for (const auto* gauge : {"troupe_consumer_lag_messages", "troupe_consumer_lag_seconds"})
    registry_.drop_gauge(gauge, series(group, where));
}

void lag_board::refresh() {
  const std::lock_guard hold{lock_};
  for (auto& [key, e] : entries_) {
    const auto consumer = e.consumer.lock();
    const auto marks = consumer ? consumer->cached_watermarks(key.second) : std::nullopt;
    if (!marks) continue; // unknown is no series, never 0
    const auto labels = series(key.first, key.second);
    const auto now = wall_ms(), messages = e.beyond(*marks);
    registry_.gauge("troupe_consumer_lag_messages", labels).set(static_cast<double>(messages));
    const auto oldest = e.behind.oldest(messages, now);
    if (messages > 0 && !oldest) continue;
    const auto behind = oldest ? std::max<std::int64_t>(0, now - *oldest) : 0;
    registry_.gauge("troupe_consumer_lag_seconds", labels).set(static_cast<double>(behind) / 1000);
  }
}

std::int64_t lag_board::entry::beyond(const kafka::watermarks& marks) const {
  return std::max<std::int64_t>(0, marks.high - std::max(position, marks.low));
}

std::vector<state::partition_state> lag_board::partitions() {
  const std::lock_guard hold{lock_};
  std::vector<state::partition_state> all;
  for (auto& [key, e] : entries_) {
    state::partition_state p{key.first, key.second.topic, key.second.partition, e.position, {}, {}, {}, {}};
    const auto consumer = e.consumer.lock();
    if (const auto marks = consumer ? consumer->cached_watermarks(key.second) : std::nullopt) {
      p.start = marks->low;
      p.end = marks->high;
      p.oldest_ms = e.behind.oldest(e.beyond(*marks), wall_ms());
    }
    all.push_back(std::move(p));
  }
  return all;
}

std::optional<state::desired> desired_board::of(const std::string& actor) const {
  const std::lock_guard hold{lock_};
  const auto at = wanted_.find(actor);
  return at == wanted_.end() ? std::nullopt : std::optional{at->second};
}

std::vector<std::string> desired_board::replace(std::map<std::string, state::desired> wanted) {
  const std::lock_guard hold{lock_};
  std::vector<std::string> changed;
  for (const auto& [actor, now] : wanted)
    if (const auto at = wanted_.find(actor); at == wanted_.end() || at->second != now)
      changed.push_back(actor);
  for (const auto& [actor, before] : wanted_)
    if (!wanted.contains(actor)) changed.push_back(actor);
  wanted_ = std::move(wanted);
  return changed;
}

void services::count_dead_letter(const std::string& actor, const std::string& error_class,
                                 const std::string& topic) {
  metrics.counter("troupe_dlq_messages_total", {{"actor", actor}, {"error_type", error_class}}).add();
  const std::lock_guard hold{letters_lock_};
  ++letters_[topic];
}

std::map<std::string, std::uint64_t> services::dead_letters_by_topic() const {
  const std::lock_guard hold{letters_lock_};
  return letters_;
}

bool services::take_rebuild(const std::string& actor) {
  const std::lock_guard hold{marks_lock_};
  return rebuild_.erase(actor) > 0;
}

bool services::take_adopt(const std::string& actor) {
  const std::lock_guard hold{marks_lock_};
  return adopt_.erase(actor) > 0;
}

void services::mark_rebuild(const std::string& actor) {
  const std::lock_guard hold{marks_lock_};
  rebuild_.insert(actor);
}

void services::mark_adopt(const std::string& actor) {
  const std::lock_guard hold{marks_lock_};
  adopt_.insert(actor);
}

std::shared_ptr<std::atomic<std::size_t>> services::calls_of(const std::string& actor) {
  const std::lock_guard hold{marks_lock_};
  auto& count = calls_[actor];
  if (!count) count = std::make_shared<std::atomic<std::size_t>>(0);
  return count;
}

std::shared_ptr<void> services::take_solitude() {
  const std::lock_guard hold{marks_lock_};
  if (!solitude_.expired()) return nullptr;
  auto taken = std::make_shared<int>();
  solitude_ = taken;
  return taken;
}

result<std::string> services::instance() {
  if (!settings.instance.empty()) return settings.instance;
  const std::lock_guard hold{instance_lock_};
  if (!slot_) {
    const auto folder = settings.state.empty() ? default_state_folder() : result<std::string>{settings.state};
    auto taken = folder ? slot_lock::take(*folder, settings.app) : result<slot_lock>{folder.failure()};
    if (!taken) return error{errc::bad_config, taken.failure().detail};
    slot_.emplace(std::move(taken).value());
  }
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  return std::string{host.data()} + '-' + std::to_string(slot_->number());
}

result<std::map<std::string, std::int32_t>> services::topics(milliseconds timeout) {
  auto admin = kafka::admin::open(kafka);
  if (!admin) return admin.failure();
  return (*admin)->topics(timeout);
}

result<void> services::create_dlq_topic(const std::string& name, std::int32_t partitions,
                                        milliseconds timeout) {
  if (embedded) return embedded->create_topic(name, partitions);
  auto admin = kafka::admin::open(kafka);
  if (!admin) return admin.failure();
  return (*admin)->create_topic(name, partitions, timeout, {{"retention.ms", "-1"}});
}

result<std::shared_ptr<kafka::producer>> services::producer(config::acks acks, milliseconds timeout) {
  const std::lock_guard hold{producers_lock_};
  const auto key = std::pair{acks, timeout};
  if (const auto at = producers_.find(key); at != producers_.end()) return at->second;
  kafka::producer_config wanted;
  wanted.connection = kafka;
  wanted.acks_all = acks == config::acks::all;
  wanted.timeout = timeout;
  wanted.trouble = [](const error& e, bool fatal) {
    log::write(fatal ? log::level::error : log::level::warning, "producer_trouble", e.detail);
  };
  wanted.log = log_kafka;
  auto made = kafka::producer::open(std::move(wanted));
  if (made) producers_.emplace(key, *made);
  return made;
}

void services::produce(kafka::producer& to, const outgoing& event, kafka::producer::report done) {
  to.produce(event, [this, since = std::chrono::steady_clock::now(),
                     done = std::move(done)](result<kafka::delivery> r) {
    count_sent(r ? 1 : 0, since);
    done(std::move(r));
  });
}

void services::produce(kafka::producer& to, std::span<const outgoing> events,
                       std::function<void(const std::optional<error>&)> done) {
  struct progress {
    std::atomic<std::size_t> left;
    std::mutex lock;
    std::size_t failed = 0;
    std::optional<error> failure;
  };
  auto so_far = std::make_shared<progress>();
  so_far->left = events.size();
  to.produce(events, [this, so_far, all = events.size(), since = std::chrono::steady_clock::now(),
                      done = std::move(done)](std::size_t, result<kafka::delivery> r) {
    if (!r) {
      const std::lock_guard hold{so_far->lock};
      ++so_far->failed;
      // What can never be published decides over what can be tried again.
      if (!so_far->failure || r.failure().code == errc::too_large) so_far->failure = r.failure();
    }
    if (so_far->left.fetch_sub(1) > 1) return;
    count_sent(all - so_far->failed, since);
    done(so_far->failure);
  });
}

void services::count_sent(std::size_t events, std::chrono::steady_clock::time_point since) {
  sent.add(events);
  send_duration.observe(std::chrono::duration<double>(std::chrono::steady_clock::now() - since).count());
}

bool services::flush_producers(milliseconds deadline) {
  std::map<std::pair<config::acks, milliseconds>, std::shared_ptr<kafka::producer>> all;
  {
    const std::lock_guard hold{producers_lock_};
    all = producers_;
  }
  const auto until = std::chrono::steady_clock::now() + deadline;
  bool clean = true;
  for (const auto& [key, p] : all) {
    const auto left = std::chrono::duration_cast<milliseconds>(until - std::chrono::steady_clock::now());
    clean = p->flush(std::max(left, milliseconds{0})) && clean;
  }
  return clean;
}

void log_kafka(int level, const std::string& facility, const std::string& text) {
  // The embedded broker says at each look at its metadata that it creates topics by itself.
  const bool chatter = facility == "AUTOCREATE";
  const auto at = level <= 3               ? log::level::warning
                  : level <= 4 && !chatter ? log::level::info
                                           : log::level::debug;
  log::write(at, "librdkafka", text, {{"facility", facility}});
}

} // namespace troupe::actors

#include "engine/kafka/transactions.hpp"

#include "engine/core/failpoint.hpp"
#include "engine/kafka/errors.hpp"
#include "engine/kafka/offset_list.hpp"
#include "engine/kafka/producing.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <future>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>

namespace troupe::kafka {

namespace {

using clock = std::chrono::steady_clock;
using kind = transaction_outcome::kind;

/// One question to the coordinator; those that may be asked again are, while there is time.
constexpr milliseconds one_call{5000};
constexpr milliseconds abort_time{2000};
constexpr milliseconds first_wait{1000}, longest_wait{30'000};
/// What the last client may take to end.
constexpr milliseconds farewell{1000};
/// Whoever held the id for this long is not in a fight over it.
constexpr milliseconds peace{60'000};

int left(clock::time_point until) {
  const auto ms = std::chrono::duration_cast<milliseconds>(until - clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(ms, 0, one_call.count()));
}

bool is_fenced(rd_kafka_resp_err_t code) {
  return code == RD_KAFKA_RESP_ERR__FENCED || code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
         code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
}

/// One client, and what it said of the transaction under way. Outlives its librdkafka, which may call back
/// until it has ended.
struct client {
  std::shared_ptr<const transactions_config> config;
  bool one_per_batch = false;       ///< whom the broker finds too large shows when each goes alone
  bool initialised = false;         ///< holds the id
  bool troubled = false;            ///< a connection failed: a request of its may still be on its way
  bool suspects = false;            ///< those too large went in company: not all of them need be
  std::optional<error> undelivered; ///< the first event that was not taken
  std::set<std::size_t> too_large;
  client_ptr handle;
  std::map<std::string, topic_ptr, std::less<>> topics;

  [[nodiscard]] rd_kafka_t* get() const { return handle.get(); }
  rd_kafka_topic_t* topic(const std::string& name) {
    auto& made = topics[name];
    if (!made) made.reset(rd_kafka_topic_new(get(), name.c_str(), nullptr));
    return made.get();
  }
  void tell(const error& what, bool fatal) const {
    if (config->trouble) config->trouble(what, fatal);
  }
  void delivered(const rd_kafka_message_t& report);
};

void client::delivered(const rd_kafka_message_t& report) {
  if (report.err == RD_KAFKA_RESP_ERR_NO_ERROR) return;
  if (report.err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
    too_large.insert(reinterpret_cast<std::size_t>(report._private));
    suspects = !one_per_batch;
  }
  if (!undelivered)
    undelivered = to_error(report.err, std::string{"publishing to "} + rd_kafka_topic_name(report.rkt));
}

result<std::shared_ptr<client>> make_client(const std::shared_ptr<const transactions_config>& config,
                                            bool one_per_batch) {
  auto conf = make_producer_conf(config->connection, config->client_id,
                                 std::min(config->message_timeout, config->timeout), one_per_batch,
                                 {{"acks", "all"},
                                  {"enable.idempotence", "true"},
                                  {"transactional.id", config->id},
                                  {"transaction.timeout.ms", std::to_string(config->timeout.count())}});
  if (!conf) return conf.failure();
  auto made = std::make_shared<client>();
  made->config = config;
  made->one_per_batch = one_per_batch;
  rd_kafka_conf_set_opaque(conf->get(), made.get());
  rd_kafka_conf_set_dr_msg_cb(conf->get(), [](rd_kafka_t*, const rd_kafka_message_t* report, void* self) {
    static_cast<client*>(self)->delivered(*report);
  });
  rd_kafka_conf_set_error_cb(conf->get(), [](rd_kafka_t*, int code, const char* text, void* self) {
    static_cast<client*>(self)->troubled = true;
    static_cast<client*>(self)->tell({classify(static_cast<rd_kafka_resp_err_t>(code)), text}, false);
  });
  rd_kafka_conf_set_log_cb(conf->get(),
                           [](const rd_kafka_t* from, int level, const char* facility, const char* text) {
                             const auto& to = *static_cast<client*>(rd_kafka_opaque(from))->config;
                             if (to.log) to.log(level, facility, text);
                           });
  std::array<char, 512> why{};
  made->handle.reset(rd_kafka_new(RD_KAFKA_PRODUCER, conf->get(), why.data(), why.size()));
  if (!made->handle) return error{errc::bad_config, why.data()};
  (void)conf->release();                        // the client owns it from here
  rd_kafka_set_log_queue(made->get(), nullptr); // served along with everything else
  return made;
}

} // namespace

struct transactions::impl {
  std::shared_ptr<const transactions_config> config;
  std::shared_ptr<client> current; ///< none: the next transaction makes one

  unsigned refusals = 0; ///< in a row: fenced, or the id was not given
  clock::time_point refused_at{};
  std::mutex mutex;
  std::condition_variable changed;
  bool stopping = false;

  explicit impl(transactions_config with)
      : config{std::make_shared<const transactions_config>(std::move(with))} {}
  ~impl() { retire().wait_for(farewell); }

  std::future<void> retire();
  bool prepare(bool one_per_batch);
  std::optional<error> initialise();
  bool wait(milliseconds how_long);
  bool stopped() {
    const std::lock_guard lock{mutex};
    return stopping;
  }

  transaction_outcome run(const transaction& what);
  transaction_outcome attempt(const transaction& what);
  std::optional<transaction_outcome> publish(const transaction& what);
  void hand_over_all(const transaction& what, clock::time_point until);
  std::optional<transaction_outcome> send_offsets(const transaction& what, clock::time_point until);
  transaction_outcome commit(clock::time_point until);
  transaction_outcome failed(const rd_kafka_error_t* why, const std::string& doing);
  std::optional<error> fatal_error();
  void abort();
  void refused() {
    ++refusals;
    refused_at = clock::now();
  }
};

/// Ending a client may wait for a name to be resolved; its successor must not.
std::future<void> transactions::impl::retire() {
  std::promise<void> ended;
  auto end = ended.get_future();
  std::thread{[last = std::exchange(current, nullptr), ended = std::move(ended)]() mutable {
    last.reset();
    ended.set_value();
  }}.detach();
  return end;
}

bool transactions::impl::wait(milliseconds how_long) {
  std::unique_lock lock{mutex};
  return !changed.wait_for(lock, how_long, [this] { return stopping; });
}

bool transactions::impl::prepare(bool one_per_batch) {
  while (!current || !current->initialised) {
    if (clock::now() > refused_at + peace) refusals = 0;
    if (refusals > 0 && !wait(std::min(first_wait * (1U << std::min(refusals - 1, 5U)), longest_wait)))
      return false;
    if (stopped()) return false;
    if (!current) {
      auto made = make_client(config, one_per_batch);
      if (!made) {
        refused();
        if (config->trouble) config->trouble(made.failure(), true);
        continue;
      }
      current = *made;
    }
    if (const auto why = initialise()) {
      refused();
      current->tell(*why, true);
      retire();
    }
  }
  return true;
}

/// The error, where the id cannot be had.
std::optional<error> transactions::impl::initialise() {
  bool told = false;
  while (!stopped()) {
    const kafka_error_ptr why{rd_kafka_init_transactions(current->get(), static_cast<int>(one_call.count()))};
    rd_kafka_poll(current->get(), 0);
    if (!why) {
      current->initialised = true;
      return std::nullopt;
    }
    error what{classify(rd_kafka_error_code(why.get())),
               "taking over the transactional.id " + config->id + ": " + rd_kafka_error_string(why.get())};
    if (!rd_kafka_error_is_retriable(why.get())) return what;
    if (!std::exchange(told, true)) {
      what.detail += "; trying again";
      current->tell(what, false);
    }
  }
  return error{errc::unavailable, "stopped while taking over the transactional.id " + config->id};
}

transaction_outcome transactions::impl::run(const transaction& what) {
  const transaction_outcome stopping_now{kind::aborted, {errc::unavailable, "stopping"}, {}};
  if (!prepare(false)) return stopping_now;
  auto outcome = attempt(what);
  if (outcome.what == kind::too_large && current->suspects) {
    retire();
    if (!prepare(true)) return stopping_now;
    outcome = attempt(what);
    retire();
  }
  if (current && (outcome.what != kind::committed || current->troubled)) retire();
  if (outcome.what != kind::committed) prepare(false);
  return outcome;
}

transaction_outcome transactions::impl::attempt(const transaction& what) {
  rd_kafka_poll(current->get(), 0); // what lies there is of the time before
  current->troubled = false;
  const auto until = clock::now() + config->timeout;
  if (const kafka_error_ptr why{rd_kafka_begin_transaction(current->get())})
    return failed(why.get(), "beginning a transaction");
  failpoint("txn_begun");
  if (auto ended = publish(what)) return *ended;
  failpoint("txn_published");
  if (auto ended = send_offsets(what, until)) return *ended;
  failpoint("txn_offsets_sent");
  return commit(until);
}

std::optional<transaction_outcome> transactions::impl::publish(const transaction& what) {
  auto& from = *current;
  // Each event is reported within its own timeout; the rest is for librdkafka to notice that.
  const auto until = clock::now() + config->message_timeout + one_call;
  hand_over_all(what, until);
  while (rd_kafka_outq_len(from.get()) > 0 && !from.undelivered && clock::now() < until)
    rd_kafka_flush(from.get(), std::min(left(until), 500));
  if (rd_kafka_outq_len(from.get()) > 0 && !from.undelivered)
    from.undelivered = {errc::timeout, "publishing took too long"};
  if (!from.undelivered) return std::nullopt;
  abort();
  if (auto fatal = fatal_error()) return transaction_outcome{kind::unknown, *fatal, {}};
  return transaction_outcome{from.too_large.empty() ? kind::aborted : kind::too_large,
                             *from.undelivered,
                             {from.too_large.begin(), from.too_large.end()}};
}

/// Leaves `undelivered` where not all of it was taken.
void transactions::impl::hand_over_all(const transaction& what, clock::time_point until) {
  auto& to = *current;
  for (std::size_t i = 0; i < what.events.size(); ++i)
    for (const auto& event : *what.events[i])
      for (;;) {
        const auto why = hand_over(to.get(), to.topic(event.topic), event, reinterpret_cast<void*>(i));
        if (!why) break;
        const auto code = rd_kafka_error_code(why.get());
        if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
          to.too_large.insert(i);
          to.undelivered = to_error(code, "publishing to " + event.topic);
          break;
        }
        if (to.undelivered) return; // it ends there anyhow
        if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL && clock::now() < until) {
          rd_kafka_poll(to.get(), 100);
          continue;
        }
        // Once the broker refused an event, no more are taken, and only that event's report says why.
        rd_kafka_flush(to.get(), 500);
        if (!to.undelivered) to.undelivered = to_error(code, "publishing to " + event.topic);
        return;
      }
}

std::optional<transaction_outcome> transactions::impl::send_offsets(const transaction& what,
                                                                    clock::time_point until) {
  const auto offsets = to_list(what.offsets);
  for (;;) {
    const kafka_error_ptr why{
        rd_kafka_send_offsets_to_transaction(current->get(), offsets.get(), what.member.get(), left(until))};
    if (!why) return std::nullopt;
    if (!rd_kafka_error_is_retriable(why.get()) || clock::now() >= until)
      return failed(why.get(), "sending offsets to the transaction");
    rd_kafka_poll(current->get(), 100);
  }
}

transaction_outcome transactions::impl::commit(clock::time_point until) {
  for (;;) {
    // On a retriable error it goes on in the background, and the call is taken up again.
    const kafka_error_ptr why{rd_kafka_commit_transaction(current->get(), std::max(left(until), 100))};
    if (!why) {
      failpoint("txn_committed");
      rd_kafka_poll(current->get(), 0);
      return {kind::committed, {}, {}};
    }
    if (rd_kafka_error_is_retriable(why.get()) && clock::now() < until + one_call) continue;
    // The order to commit may have reached the broker: only the group's offsets can tell.
    auto outcome = failed(why.get(), "committing the transaction");
    outcome.what = kind::unknown;
    return outcome;
  }
}

std::optional<error> transactions::impl::fatal_error() {
  std::array<char, 512> text{};
  const auto code = rd_kafka_fatal_error(current->get(), text.data(), text.size());
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return std::nullopt;
  if (!is_fenced(code)) return error{classify(code), text.data()};
  refused();
  return error{errc::conflict, "another process took over the transactional.id " + config->id +
                                   ", or a transaction was open for more than " +
                                   std::to_string(config->timeout.count()) +
                                   " ms; give each process its own `instance`"};
}

/// Before the order to commit: an error that is neither abortable nor to be tried again is the end of the
/// client, as librdkafka's documentation has it.
transaction_outcome transactions::impl::failed(const rd_kafka_error_t* why, const std::string& doing) {
  if (rd_kafka_error_txn_requires_abort(why)) abort();
  if (auto fatal = fatal_error()) return {kind::unknown, *fatal, {}};
  const error what{classify(rd_kafka_error_code(why)), doing + ": " + rd_kafka_error_string(why)};
  const bool harmless = rd_kafka_error_txn_requires_abort(why) || rd_kafka_error_is_retriable(why);
  return {harmless ? kind::aborted : kind::unknown, what, {}};
}

/// So that readers need not wait for it. If it fails, the next client's start does the same.
void transactions::impl::abort() {
  const kafka_error_ptr ignored{
      rd_kafka_abort_transaction(current->get(), static_cast<int>(abort_time.count()))};
}

transactions::transactions(std::unique_ptr<impl> made) : impl_{std::move(made)} {}
transactions::~transactions() = default;

result<std::unique_ptr<transactions>> transactions::open(transactions_config config) {
  auto made = std::make_unique<impl>(std::move(config));
  auto first = make_client(made->config, false);
  if (!first) return first.failure();
  made->current = *first;
  return std::unique_ptr<transactions>{new transactions{std::move(made)}};
}

void transactions::prepare() {
  impl_->prepare(false);
}

transaction_outcome transactions::run(const transaction& what) {
  return impl_->run(what);
}

void transactions::stop() {
  const std::lock_guard lock{impl_->mutex};
  impl_->stopping = true;
  impl_->changed.notify_all();
}

} // namespace troupe::kafka

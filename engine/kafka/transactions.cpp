#include "engine/kafka/transactions.hpp"

#include "engine/core/failpoint.hpp"
#include "engine/kafka/errors.hpp"
#include "engine/kafka/offset_list.hpp"
#include "engine/kafka/producing.hpp"
#include "engine/kafka/transactional_client.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <future>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace troupe::kafka {

namespace {

using clock = std::chrono::steady_clock;
using kind = transaction_outcome::kind;
using client = transactional_client;

/// One question to the coordinator; those that may be asked again are, while there is time.
constexpr milliseconds one_call{5000};
constexpr milliseconds abort_time{2000};
constexpr milliseconds first_wait{1000}, longest_wait{30'000};
/// What the last client may take to end.
constexpr milliseconds farewell{1000};
/// Whoever held the id for this long is not in a fight over it.
constexpr milliseconds peace{60'000};

std::map<std::string, const outgoing*, std::less<>> one_for_each_topic(const transaction& of) {
  std::map<std::string, const outgoing*, std::less<>> all;
  for (const auto& events : of.events)
    for (const auto& event : *events)
      all.emplace(event.topic, &event);
  return all;
}

int left(clock::time_point until) {
  const auto ms = std::chrono::duration_cast<milliseconds>(until - clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(ms, 0, one_call.count()));
}

bool is_fenced(rd_kafka_resp_err_t code) {
  return code == RD_KAFKA_RESP_ERR__FENCED || code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
         code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
}

} // namespace

struct transactions::impl {
  std::shared_ptr<const transactions_config> config;
  std::shared_ptr<client> current; ///< none: the next transaction makes one

  unsigned setbacks = 0; ///< in a row: fenced, or the transactional id was not given
  clock::time_point set_back_at{};
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
  std::optional<transaction_outcome> refused_beforehand(const transaction& what);
  transaction_outcome try_each_topic(const transaction& what, transaction_outcome outcome);
  transaction_outcome attempt(const transaction& what);
  std::optional<transaction_outcome> publish(const transaction& what);
  void hand_over_all(const transaction& what, clock::time_point until);
  void given_up(const transaction& what);
  std::optional<transaction_outcome> send_offsets(const transaction& what, clock::time_point until);
  transaction_outcome commit(clock::time_point until);
  transaction_outcome failed(const rd_kafka_error_t* why, const std::string& doing);
  std::optional<error> fatal_error();
  std::optional<error> abort();
  void set_back() {
    ++setbacks;
    set_back_at = clock::now();
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
    if (clock::now() > set_back_at + peace) setbacks = 0;
    if (setbacks > 0 && !wait(std::min(first_wait * (1U << std::min(setbacks - 1, 5U)), longest_wait)))
      return false;
    if (stopped()) return false;
    if (!current) {
      auto made = client::make(config, one_per_batch);
      if (!made) {
        set_back();
        if (config->trouble) config->trouble(made.failure(), true);
        continue;
      }
      current = *made;
    }
    if (const auto why = initialise()) {
      set_back();
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
  if (auto refused = refused_beforehand(what)) return *refused;
  auto outcome = attempt(what);
  if (outcome.what == kind::refused && current->suspects) {
    retire();
    if (!prepare(true)) return stopping_now;
    outcome = attempt(what);
    retire();
  } else if (outcome.what == kind::aborted && current->nameless) {
    outcome = try_each_topic(what, std::move(outcome));
  }
  if (current && (outcome.what != kind::committed || current->troubled)) retire();
  const bool taken_over = outcome.why.code == errc::conflict && outcome.what != kind::committed;
  if (outcome.what != kind::committed && !(taken_over && config->yields)) prepare(false);
  return outcome;
}

std::optional<transaction_outcome> transactions::impl::refused_beforehand(const transaction& what) {
  current->refused_topics.clear();
  current->look_up(what, one_call);
  if (current->refused_topics.empty()) return std::nullopt;
  return transaction_outcome{kind::refused, current->refused_topics.begin()->second,
                             current->refused_of(what)};
}

/// Where one topic may not be written to, the broker lets none into the transaction, and librdkafka does not
/// say which it was. One event for each of them shows it.
transaction_outcome transactions::impl::try_each_topic(const transaction& what, transaction_outcome outcome) {
  std::map<std::string, error, std::less<>> refused;
  for (const auto& [topic, event] : one_for_each_topic(what)) {
    retire();
    if (!prepare(false)) return outcome;
    const kafka_error_ptr not_begun{rd_kafka_begin_transaction(current->get())};
    if (not_begun) continue;
    const transaction trial{{std::make_shared<const std::vector<outgoing>>(1, *event)}, {}, {}};
    if (!publish(trial)) (void)abort();
    refused.merge(current->refused_topics);
  }
  current->refused_topics = std::move(refused);
  outcome.refused = current->refused_of(what);
  if (!outcome.refused.empty()) outcome.what = kind::refused;
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
  if (from.purged && !from.undelivered) given_up(what);
  if (!from.undelivered) return std::nullopt;
  if (auto fatal = abort()) return transaction_outcome{kind::unknown, *fatal, {}};
  auto refused = from.refused_of(what);
  return transaction_outcome{refused.empty() ? kind::aborted : kind::refused, *from.undelivered,
                             std::move(refused)};
}

void transactions::impl::given_up(const transaction& what) {
  current->undelivered = current->why_given_up();
  if (!current->undelivered) current->undelivered = {errc::unavailable, "publishing was given up"};
  const auto topics = one_for_each_topic(what);
  if (!current->nameless || topics.size() != 1) return;
  current->note_failure(0, topics.begin()->first, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
  current->nameless = false;
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
          to.note_failure(i, event.topic, code);
          break;
        }
        if (to.undelivered) return; // it ends there anyhow
        if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL && clock::now() < until) {
          rd_kafka_poll(to.get(), 100);
          continue;
        }
        // Once the broker refused an event, no more are taken, and only that event's report says why.
        rd_kafka_flush(to.get(), 500);
        if (!to.undelivered && !to.purged) to.note_failure(i, event.topic, code);
        return;
      }
}

std::optional<transaction_outcome> transactions::impl::send_offsets(const transaction& what,
                                                                    clock::time_point until) {
  if (what.offsets.empty()) return std::nullopt;
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
  set_back();
  return error{errc::conflict, "another process took over the transactional.id " + config->id +
                                   ", or a transaction was open for more than " +
                                   std::to_string(config->timeout.count()) +
                                   " ms; give each process its own `instance`"};
}

/// Before the order to commit: an error that is neither abortable nor to be tried again is the end of the
/// client, as librdkafka's documentation has it.
transaction_outcome transactions::impl::failed(const rd_kafka_error_t* why, const std::string& doing) {
  if (auto fatal = rd_kafka_error_txn_requires_abort(why) ? abort() : fatal_error())
    return {kind::unknown, *fatal, {}};
  const error what{classify(rd_kafka_error_code(why)), doing + ": " + rd_kafka_error_string(why)};
  const bool harmless = rd_kafka_error_txn_requires_abort(why) || rd_kafka_error_is_retriable(why);
  return {harmless ? kind::aborted : kind::unknown, what, {}};
}

/// So that readers need not wait for it. If it fails, the next client's start does the same. The error, where
/// the client had ended before or another process has the id. Any other end by the abort itself is none:
/// where the broker let nothing into the transaction it knows of none to abort, which librdkafka takes for
/// fatal.
std::optional<error> transactions::impl::abort() {
  if (auto fatal = fatal_error()) return fatal;
  const kafka_error_ptr ignored{
      rd_kafka_abort_transaction(current->get(), static_cast<int>(abort_time.count()))};
  auto fatal = fatal_error();
  return fatal && fatal->code == errc::conflict ? fatal : std::nullopt;
}

transactions::transactions(std::unique_ptr<impl> made) : impl_{std::move(made)} {}
transactions::~transactions() = default;

result<std::unique_ptr<transactions>> transactions::open(transactions_config config) {
  auto made = std::make_unique<impl>(std::move(config));
  auto first = client::make(made->config, false);
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

#pragma once

#include "engine/core/record.hpp"
#include "engine/core/result.hpp"
#include "engine/core/time.hpp"

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

namespace troupe::redis {
class client;
}

/// The SDK: what a handler is, what it sees, what it answers.
namespace troupe {

enum class verdict {
  success,     ///< done
  transient,   ///< may work later: retried with backoff
  permanent,   ///< will never work (an event that can't be decoded is one): straight to the DLQ
  unavailable, ///< the downstream is out: the breaker opens, no attempt is spent
};

/// What a handler answers. `reason` ends in the DLQ's `error` header, `error_class` in metrics and
/// `dlq ls`: keep the class one of a few words.
struct outcome {
  verdict kind = verdict::success;
  std::string reason;
  std::string error_class;
  std::optional<milliseconds> retry_after; ///< heard for transient and unavailable: no sooner than this
  std::vector<outgoing> events;            ///< published before the event is done; topic and key may be
                                           ///< left empty where the config's `publish` names them
  std::string answer = {};                 ///< of an ingest's handler: the JSON body of the HTTP answer

  static outcome success(std::vector<outgoing> events = {}, std::string answer = {}) {
    return {verdict::success, {}, {}, {}, std::move(events), std::move(answer)};
  }
  static outcome transient(std::string reason, std::string error_class = "transient") {
    return {verdict::transient, std::move(reason), std::move(error_class), {}, {}, {}};
  }
  static outcome permanent(std::string reason, std::string error_class = "permanent") {
    return {verdict::permanent, std::move(reason), std::move(error_class), {}, {}, {}};
  }
  static outcome unavailable(std::string reason, std::optional<milliseconds> retry_after = {},
                             std::string error_class = "unavailable") {
    return {verdict::unavailable, std::move(reason), std::move(error_class), retry_after, {}, {}};
  }
  /// What an error of Redis or Kafka means for the event: unavailable where nothing can have happened,
  /// transient otherwise.
  static outcome failure(const error& why, const std::string& error_class) {
    return why.code == errc::unavailable ? unavailable(why.detail, {}, error_class)
                                         : transient(why.detail, error_class);
  }
};

/// Where user code publishes by hand; what a handler returns in outcome::events is published for it.
class publisher {
public:
  virtual ~publisher() = default;
  using report = std::function<void(result<void>)>;
  /// Calls `done` once, from any thread, on the broker's acknowledgement or with the error. errc::timeout
  /// after `deadline`: whether the event was written is then unknown.
  virtual void publish(outgoing event, milliseconds deadline, report done) = 0;
  /// The same, waiting. Never call it in an asynchronous handler.
  result<void> publish_and_wait(outgoing event, milliseconds deadline);
};

/// Thrown where the config lacks what a handler needs. The call counts as unavailable: the config is wrong
/// for every event alike, so none is spent.
struct misconfigured : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What all calls of one actor's handler share.
struct surroundings {
  std::string actor;
  std::map<std::string, std::string> settings; ///< the actor's `settings` in the config
  std::shared_ptr<redis::client> redis;        ///< none where the config has no `redis`
};

/// What a handler sees besides the event. Thread-safe.
class context {
public:
  context(std::shared_ptr<const surroundings> around, unsigned attempt, steady_time deadline, publisher* out)
      : around_{std::move(around)}, attempt_{attempt}, deadline_{deadline}, publisher_{out} {}

  [[nodiscard]] const std::string& actor() const { return around_->actor; }
  /// The value of a key of the actor's `settings` in the config, or `otherwise`.
  [[nodiscard]] std::string setting(const std::string& name, std::string otherwise = {}) const {
    const auto at = around_->settings.find(name);
    if (at != around_->settings.end()) return at->second;
    return otherwise;
  }
  /// The Redis of the config (engine/redis/client.hpp): one connection, shared by the whole process and
  /// pipelined. Throws misconfigured where the config has no `redis`.
  [[nodiscard]] redis::client& redis() const;
  /// 1 for the first call. A crash may start the count again.
  [[nodiscard]] unsigned attempt() const { return attempt_; }
  /// When this attempt counts as failed.
  [[nodiscard]] steady_time deadline() const { return deadline_; }
  /// True past the deadline, and when the result is no longer wanted (revoked partition, stop).
  [[nodiscard]] bool cancelled() const {
    return cancelled_.load(std::memory_order_acquire) || std::chrono::steady_clock::now() >= deadline_;
  }
  [[nodiscard]] troupe::publisher& publisher() const { return *publisher_; }

  void cancel() { cancelled_.store(true, std::memory_order_release); }

private:
  std::shared_ptr<const surroundings> around_;
  unsigned attempt_;
  steady_time deadline_;
  troupe::publisher* publisher_;
  std::atomic<bool> cancelled_{false};
};

/// Runs on a thread of the actor's own, may block. Throwing anything is a transient failure.
using blocking_handler = std::function<outcome(const record&, context&)>;

/// Must not block; calls `done` once, from any thread.
using completion = std::function<void(outcome)>;
using async_handler = std::function<void(record_ptr, std::shared_ptr<context>, completion)>;

using handler_function = std::variant<blocking_handler, async_handler>;

/// The handlers of a program, by the name that config files use.
class handlers {
public:
  /// False if the name is taken.
  bool add(std::string name, blocking_handler h) { return add_any(std::move(name), std::move(h)); }
  bool add_async(std::string name, async_handler h) { return add_any(std::move(name), std::move(h)); }
  [[nodiscard]] const handler_function* find(const std::string& name) const {
    const auto at = by_name_.find(name);
    return at == by_name_.end() ? nullptr : &at->second;
  }
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& [name, h] : by_name_)
      all.push_back(name);
    return all;
  }

private:
  bool add_any(std::string name, handler_function h) {
    return by_name_.emplace(std::move(name), std::move(h)).second;
  }
  std::map<std::string, handler_function> by_name_;
};

} // namespace troupe

#pragma once

#include "engine/core/result.hpp"
#include "engine/core/time.hpp"
#include "engine/http/server.hpp"
#include "engine/redis/client.hpp"

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

namespace troupe::actors {

/// What was answered to requests with an Idempotency-Key, for ten minutes: in Redis where there is one, so
/// that all processes and the next life know it, and in memory otherwise, where the oldest go when there are
/// too many. One thread at a time.
class answer_memory {
public:
  static constexpr milliseconds kept{600'000};
  static constexpr std::size_t most = 100'000; ///< in memory

  /// `redis` may be null; `prefix` stands before each key there.
  answer_memory(std::shared_ptr<redis::client> redis, std::string prefix)
      : redis_{std::move(redis)}, prefix_{std::move(prefix)} {}

  /// Calls `done` once, at once or from another thread. An error where Redis cannot tell.
  void find(const std::string& key, steady_time now,
            std::function<void(result<std::optional<http::response>>)> done);
  /// Calls `done` once it is kept, or cannot be.
  void keep(const std::string& key, const http::response& answer, steady_time now,
            std::function<void()> done);

private:
  struct remembered {
    http::response answer;
    steady_time until;
  };
  void forget_old(steady_time now);

  std::shared_ptr<redis::client> redis_;
  std::string prefix_;
  std::unordered_map<std::string, remembered> by_key_;
  std::deque<std::string> in_order_;
};

} // namespace troupe::actors

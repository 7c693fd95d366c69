#pragma once

#include "engine/core/time.hpp"
#include "engine/http/server.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace troupe::dashboard {

/// The live document and who follows it: each gets it whole, and from then on what changes. Thread-safe.
class hub {
public:
  /// Events are numbered from here on; of another start of the process it must be another range.
  explicit hub(std::int64_t first);

  /// One publisher at a time. Where nothing changed, nobody hears of it.
  void publish(nlohmann::json document, steady_time now);
  /// A sign of life to those who hear nothing for long; and those whose right to follow has ended are let go.
  void keep_alive(steady_time now);

  [[nodiscard]] std::shared_ptr<const std::string> snapshot() const;
  /// Begins to follow, after the event of this number if it is known. `may` is asked now and then whether
  /// the right to do so still holds. 503 where there are too many.
  void follow(http::reply to, std::optional<std::int64_t> last, std::function<bool()> may);
  [[nodiscard]] std::size_t followers() const;
  void close(); ///< ends all streams

private:
  struct event {
    std::int64_t number = 0;
    steady_time at;
    std::shared_ptr<const std::string> text;
  };
  struct follower {
    std::shared_ptr<http::stream> to;
    std::function<bool()> may;
  };
  void tell(const std::string& text);
  void forget_before(steady_time when);

  mutable std::mutex lock_;
  nlohmann::json document_ = nlohmann::json::object();
  std::shared_ptr<const std::string> text_ = std::make_shared<const std::string>("{}");
  std::int64_t number_;
  std::deque<event> events_; ///< of the last minute
  std::size_t events_bytes_ = 0;
  std::list<follower> followers_;
  steady_time told_{};
  bool closed_ = false;
};

} // namespace troupe::dashboard

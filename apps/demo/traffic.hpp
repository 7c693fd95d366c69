#pragma once

#include "engine/http/client.hpp"
#include "engine/kafka/producer.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace demo {

/// What became of the requests of one kind.
struct requests {
  std::atomic<std::uint64_t> accepted{0}; ///< answered 2xx: the broker has them
  std::atomic<std::uint64_t> refused{0};  ///< answered otherwise: the broker does not have them
  std::atomic<std::uint64_t> unknown{0};  ///< no answer: the engine was killed under them, perhaps
  std::atomic<std::uint64_t> under_way{0};
};

/// People and devices, made up: shoppers order, visitors look around, creators upload, sensors report. A day
/// lasts two minutes, quiet at night. Where nobody answers they wait.
class traffic {
public:
  struct places {
    std::string checkout, events, videos; ///< URLs; empty: nobody goes there
    std::vector<std::string> clips;       ///< what is uploaded, as keys of the bucket
    std::string brokers;                  ///< of the sensors; empty: none
  };
  /// `rate`: events per second at the busiest hour.
  traffic(places where, unsigned rate);
  ~traffic();
  traffic(const traffic&) = delete;
  traffic& operator=(const traffic&) = delete;

  /// Everybody waits: what is published and unread must not outgrow the embedded broker.
  void hold(bool on) { held_ = on; }
  /// Nobody comes any more; waits for the answers to what is under way, at most ten seconds.
  void end();
  /// The hour of the made-up day.
  [[nodiscard]] std::string clock() const;

  requests orders, views, clicks, searches, uploads, reports;

private:
  void work();
  void post(const std::string& url, std::string body, requests& counted,
            std::vector<std::pair<std::string, std::string>> headers = {});

  places where_;
  unsigned rate_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  std::atomic<bool> held_{false}, over_{false};
  std::shared_ptr<troupe::kafka::producer> sensors_;
  troupe::http::client client_;
  std::thread thread_;
};

} // namespace demo

#pragma once

#include "engine/handler/handler.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>

namespace troupe {

/// Shoppers who look at pages and now and then place an order. Paced by what the engine has handled: the
/// embedded broker silently drops what lies unread for too long.
class demo_traffic {
public:
  /// `behind` answers how many events are published and not handled yet.
  demo_traffic(publisher& out, unsigned rate, std::function<std::uint64_t()> behind);
  ~demo_traffic();
  demo_traffic(const demo_traffic&) = delete;
  demo_traffic& operator=(const demo_traffic&) = delete;

  [[nodiscard]] std::uint64_t page_views() const { return views_; } ///< acknowledged
  [[nodiscard]] std::uint64_t orders() const { return orders_; }    ///< acknowledged
  [[nodiscard]] std::uint64_t failures() const { return failures_; }

private:
  void work(publisher& out, unsigned rate, const std::function<std::uint64_t()>& behind);
  std::atomic<std::uint64_t> views_{0}, orders_{0}, failures_{0};
  std::atomic<bool> over_{false};
  std::thread thread_;
};

} // namespace troupe

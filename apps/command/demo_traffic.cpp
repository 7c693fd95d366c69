#include "apps/command/demo_traffic.hpp"

#include <array>
#include <random>
#include <string>

namespace troupe {
namespace {

constexpr std::array paths{"/",     "/products", "/products/lamp", "/products/chair",
                           "/cart", "/checkout", "/about"};
constexpr std::array weights{30, 20, 12, 9, 6, 4, 2};
/// Unhandled events from which on the shoppers wait: far below what the embedded broker holds (5 MiB a
/// partition).
constexpr std::uint64_t most_behind = 5000;
constexpr milliseconds step{50};

} // namespace

demo_traffic::demo_traffic(publisher& out, unsigned rate, std::function<std::uint64_t()> behind)
    : thread_{[this, &out, rate, b = std::move(behind)] { work(out, rate, b); }} {}

demo_traffic::~demo_traffic() {
  over_ = true;
  thread_.join();
}

void demo_traffic::work(publisher& out, unsigned rate, const std::function<std::uint64_t()>& behind) {
  std::mt19937 dice{7};
  std::discrete_distribution<std::size_t> page{weights.begin(), weights.end()};
  std::uint64_t serial = 0;
  double owed = 0;
  const auto send = [&](outgoing event, std::atomic<std::uint64_t>& counted) {
    out.publish(std::move(event), milliseconds{10'000},
                [this, &counted](result<void> r) { ++(r ? counted : failures_); });
  };
  auto next = std::chrono::steady_clock::now();
  while (!over_) {
    next += step;
    std::this_thread::sleep_until(next);
    if (behind() > most_behind) continue;
    for (owed += rate * 0.05; owed >= 1; --owed) {
      const auto session = "session-" + std::to_string(dice() % 200);
      if (++serial % 10 != 0) {
        const std::string path = paths[page(dice)];
        send({"user.events",
              session,
              R"({"type":"page_view","user_id":"user-)" + std::to_string(dice() % 100) +
                  R"(","session_id":")" + session + R"(","payload":{"path":")" + path +
                  R"("},"timestamp":")" + rfc3339(wall_ms()) + R"("})",
              {},
              {},
              {}},
             views_);
      } else {
        const auto customer = "customer-" + std::to_string(dice() % 50);
        send(
            {"order.placed",
             customer,
             R"({"order_id":"order-)" + std::to_string(serial) + R"(","customer_id":")" + customer +
                 R"(","items":[{"product_id":"SKU-001","quantity":2,"price":29.99}],"total":59.98,"created_at":")" +
                 rfc3339(wall_ms()) + R"("})",
             {},
             {},
             {}},
            orders_);
      }
    }
  }
}

} // namespace troupe

#include "apps/ecommerce/handlers.hpp"
#include "apps/ecommerce/order.hpp"
#include "engine/redis/client.hpp"

#include <algorithm>

namespace ecommerce {
namespace {

/// Adds an order to its minute once, however often its event comes: the minute remembers which it has.
constexpr const char* add = R"(
local sums, seen = KEYS[1], KEYS[2]
if redis.call('SADD', seen, ARGV[1]) == 1 then
  redis.call('HINCRBY', sums, 'orders', 1)
  redis.call('HINCRBY', sums, 'revenue_cents', ARGV[2])
end
redis.call('EXPIRE', sums, ARGV[3])
redis.call('EXPIRE', seen, ARGV[3])
return 1
)";

constexpr const char* two_days = "172800";

/// 2026-01-31T23:59 of an RFC 3339 time in UTC; empty where it is none.
std::string minute_of(const std::string& time) {
  constexpr std::string_view form = "dddd-dd-ddTdd:dd";
  if (time.size() < form.size() || time.back() != 'Z') return {};
  const bool fits = std::equal(form.begin(), form.end(), time.begin(),
                               [](char f, char c) { return f == 'd' ? c >= '0' && c <= '9' : f == c; });
  return fits ? time.substr(0, form.size()) : std::string{};
}

} // namespace

troupe::outcome record_revenue(const troupe::record& event, troupe::context& context) {
  const auto placed = read_order(event.value);
  if (!placed) return troupe::outcome::permanent(placed.failure().detail, "undecodable");
  const auto minute = minute_of(placed->created_at);
  if (minute.empty())
    return troupe::outcome::permanent("created_at must be an RFC 3339 time in UTC, not '" +
                                          placed->created_at.substr(0, 40) + "'",
                                      "undecodable");
  const auto answer = context.redis().ask({"EVAL", add, "2", "orders:" + minute, "orders:" + minute + ":seen",
                                           placed->order_id, std::to_string(cents(placed->total)), two_days});
  if (!answer) return troupe::outcome::failure(answer.failure(), "redis");
  return troupe::outcome::success();
}

} // namespace ecommerce

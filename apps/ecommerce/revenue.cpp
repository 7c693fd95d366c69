#include "apps/ecommerce/handlers.hpp"
#include "apps/ecommerce/minute.hpp"
#include "apps/ecommerce/order.hpp"
#include "engine/redis/client.hpp"

namespace ecommerce {
namespace {

/// Adds an order to its minute once, however often its event comes: the minute remembers which it has.
constexpr const char* add = R"(
local sums, seen, since = KEYS[1], KEYS[2], redis.call('GET', KEYS[3])
if not since or ARGV[4] < since then redis.call('SET', KEYS[3], ARGV[4]) end
if redis.call('SADD', seen, ARGV[1]) == 1 then
  redis.call('HINCRBY', sums, 'orders', 1)
  redis.call('HINCRBY', sums, 'revenue_cents', ARGV[2])
end
redis.call('EXPIRE', sums, ARGV[3])
redis.call('EXPIRE', seen, ARGV[3])
return 1
)";

constexpr const char* two_days = "172800";

} // namespace

troupe::outcome record_revenue(const troupe::record& event, troupe::context& context) {
  const auto placed = read_order(event.value);
  if (!placed) return troupe::outcome::permanent(placed.failure().detail, "undecodable");
  const auto minute = minute_of(placed->created_at);
  if (minute.empty())
    return troupe::outcome::permanent("created_at must be an RFC 3339 time in UTC, not '" +
                                          placed->created_at.substr(0, 40) + "'",
                                      "undecodable");
  const auto answer = context.redis().ask({"EVAL", add, "3", "orders:" + minute, "orders:" + minute + ":seen",
                                           counted_since_key, placed->order_id,
                                           std::to_string(cents(placed->total)), two_days, minute});
  if (!answer) return troupe::outcome::failure(answer.failure(), "redis");
  return troupe::outcome::success();
}

} // namespace ecommerce

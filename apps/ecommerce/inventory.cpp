#include "apps/ecommerce/handlers.hpp"
#include "apps/ecommerce/order.hpp"
#include "engine/redis/client.hpp"

#include <algorithm>
#include <map>

namespace ecommerce {
namespace {

/// All items of an order or none. An order that was reserved before is left as it is, so that a repeated
/// event takes nothing twice. A product that was never counted starts with `opening` pieces.
constexpr const char* reserve = R"(
local stock, reservation = KEYS[1], KEYS[2]
local opening, keep = ARGV[1], ARGV[2]
if redis.call('EXISTS', reservation) == 1 then return {'reserved'} end
for i = 3, #ARGV, 2 do
  redis.call('HSETNX', stock, ARGV[i], opening)
  local left = redis.call('HGET', stock, ARGV[i])
  if tonumber(left) < tonumber(ARGV[i + 1]) then return {'short', ARGV[i], ARGV[i + 1], left} end
end
for i = 3, #ARGV, 2 do
  redis.call('HINCRBY', stock, ARGV[i], -ARGV[i + 1])
  redis.call('HSET', reservation, ARGV[i], ARGV[i + 1])
end
redis.call('EXPIRE', reservation, keep)
return {'reserved'}
)";

constexpr const char* thirty_days = "2592000"; // longer than any replay of the topic

} // namespace

troupe::outcome reserve_inventory(const troupe::record& event, troupe::context& context) {
  const auto placed = read_order(event.value);
  if (!placed) return troupe::outcome::permanent(placed.failure().detail, "undecodable");

  const auto opening = context.setting("opening_stock", "1000000");
  if (opening.empty() || opening.size() > 15 || !std::all_of(opening.begin(), opening.end(), ::isdigit))
    return troupe::outcome::unavailable(
        "settings.opening_stock must be a whole number, not '" + opening + "'", {}, "settings");
  std::map<std::string, std::int64_t> wanted; // a product may stand in several items
  for (const auto& item : placed->items)
    wanted[item.product_id] += item.quantity;
  troupe::redis::command call{
      "EVAL",  reserve,    "2", "inventory:stock", "inventory:reservation:" + placed->order_id,
      opening, thirty_days};
  auto items = json::array();
  for (const auto& [product, quantity] : wanted) {
    call.insert(call.end(), {product, std::to_string(quantity)});
    items.push_back({{"product_id", product}, {"quantity", quantity}});
  }
  const auto answer = context.redis().ask(std::move(call));
  if (!answer) return troupe::outcome::failure(answer.failure(), "redis");
  const auto& said = answer->items;
  if (said.size() == 4)
    return troupe::outcome::permanent(said[1].text + " is out of stock: " + said[2].text + " wanted, " +
                                          said[3].text + " left",
                                      "out_of_stock");
  troupe::outgoing reserved;
  reserved.value = json{{"order_id", placed->order_id},
                        {"customer_id", placed->customer_id},
                        {"items", items},
                        {"reserved_at", troupe::rfc3339(troupe::wall_ms())}}
                       .dump();
  return troupe::outcome::success({std::move(reserved)});
}

} // namespace ecommerce

#include "apps/ecommerce/handlers.hpp"
#include "apps/ecommerce/order.hpp"
#include "engine/core/uuid.hpp"

namespace ecommerce {
namespace {

/// What a request without a body orders.
json sample_items() {
  return json::array({{{"product_id", "SKU-001"}, {"quantity", 2}, {"price", 29.99}}});
}

} // namespace

// The body is checked by the config (`require`) as far as JSON goes; the key is the customer's header.
troupe::outcome checkout(const troupe::record& request, troupe::context&) {
  auto items = sample_items();
  if (request.value) {
    const auto body = json::parse(*request.value, nullptr, false);
    if (!body.is_object() || !body.contains("items"))
      return troupe::outcome::permanent("the body must be an object with items");
    items = body["items"];
  }
  const auto read = read_items(items);
  if (!read) return troupe::outcome::permanent(read.failure().detail);

  const auto id = troupe::random_uuid();
  troupe::outgoing placed;
  placed.value = json{{"order_id", id},
                      {"customer_id", request.key.value_or("")},
                      {"items", items},
                      {"total", total_of(*read)},
                      {"created_at", troupe::rfc3339(troupe::wall_ms())}}
                     .dump();
  return troupe::outcome::success({std::move(placed)}, json{{"order_id", id}}.dump());
}

} // namespace ecommerce

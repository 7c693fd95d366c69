#include "apps/ecommerce/handlers.hpp"
#include "apps/ecommerce/order.hpp"
#include "engine/core/utf8.hpp"
#include "engine/core/uuid.hpp"

namespace ecommerce {
namespace {

/// What a request without a body orders.
json sample_items() {
  return json::array({{{"product_id", "SKU-001"}, {"quantity", 2}, {"price", 29.99}}});
}

/// JSON has no way to write anything else.
bool is_text(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto length = troupe::utf8_length(bytes);
    if (length == 0) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

bool has_body(const troupe::record& request) {
  return request.value && request.value->find_first_not_of(" \t\r\n") != std::string::npos;
}

} // namespace

// The body is checked by the config (`require`) as far as JSON goes; the key is the customer's header.
troupe::outcome checkout(const troupe::record& request, troupe::context&) {
  const auto customer = request.key.value_or("");
  if (!is_text(customer)) return troupe::outcome::permanent("X-Customer-ID must be UTF-8");
  auto items = sample_items();
  if (has_body(request)) {
    auto body = json::parse(*request.value, nullptr, false); // not deep: the door has looked
    if (!body.is_object() || !body.contains("items"))
      return troupe::outcome::permanent("the body must be an object with items");
    items = std::move(body["items"]);
  }
  const auto read = read_items(items);
  if (!read) return troupe::outcome::permanent(read.failure().detail);

  const auto id = troupe::random_uuid();
  troupe::outgoing placed;
  placed.value = json{{"order_id", id},
                      {"customer_id", customer},
                      {"items", items},
                      {"total", total_of(*read)},
                      {"created_at", troupe::rfc3339(troupe::wall_ms())}}
                     .dump();
  return troupe::outcome::success({std::move(placed)}, json{{"order_id", id}}.dump());
}

} // namespace ecommerce

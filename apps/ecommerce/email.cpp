#include "apps/ecommerce/handlers.hpp"
#include "apps/ecommerce/mail.hpp"

namespace ecommerce {

troupe::outcome send_confirmation(const troupe::record& event, troupe::context& context) {
  const auto placed = read_order(event.value);
  if (!placed) return troupe::outcome::permanent(placed.failure().detail, "undecodable");

  const auto letter = confirmation_of(*placed, context.setting("from", "Shop <orders@shop.example>"));
  if (const auto server = context.setting("smtp"); !server.empty()) {
    auto sent = send(server, letter, context);
    if (sent.kind != troupe::verdict::success) return sent;
  } else if (const auto done = deliver(context.setting("maildir", "maildir"), letter); !done) {
    return troupe::outcome::failure(done.failure(), "maildir");
  }
  troupe::outgoing sent;
  sent.value = json{{"order_id", placed->order_id},
                    {"customer_id", placed->customer_id},
                    {"to", letter.to},
                    {"sent_at", troupe::rfc3339(troupe::wall_ms())}}
                   .dump();
  return troupe::outcome::success({std::move(sent)});
}

} // namespace ecommerce

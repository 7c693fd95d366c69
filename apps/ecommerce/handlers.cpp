#include "apps/ecommerce/handlers.hpp"

#include "apps/ecommerce/ecommerce.hpp"

namespace ecommerce {

void add_handlers(troupe::handlers& to) {
  to.add("ecommerce.checkout", checkout);
  to.add("ecommerce.reserve_inventory", reserve_inventory);
  to.add("ecommerce.send_confirmation", send_confirmation);
  to.add("ecommerce.record_revenue", record_revenue);
  to.add("ecommerce.note_progress", note_progress);
}

} // namespace ecommerce

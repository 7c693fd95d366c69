#pragma once

#include "engine/handler/handler.hpp"

namespace ecommerce {

troupe::outcome checkout(const troupe::record& request, troupe::context& context);
troupe::outcome reserve_inventory(const troupe::record& event, troupe::context& context);
troupe::outcome send_confirmation(const troupe::record& event, troupe::context& context);
troupe::outcome record_revenue(const troupe::record& event, troupe::context& context);
troupe::outcome note_progress(const troupe::record& event, troupe::context& context);

} // namespace ecommerce

#pragma once

#include "engine/handler/handler.hpp"

namespace ecommerce {

/// The handlers that config/ecommerce.yaml names.
void add_handlers(troupe::handlers& to);

} // namespace ecommerce

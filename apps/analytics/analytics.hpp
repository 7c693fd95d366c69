#pragma once

#include "engine/handler/handler.hpp"

namespace analytics {

/// The handlers that config/analytics.yaml names.
void add_handlers(troupe::handlers& to);

} // namespace analytics

#pragma once

#include "engine/handler/handler.hpp"

namespace telemetry {

/// The handlers that config/telemetry.yaml names.
void add_handlers(troupe::handlers& to);

} // namespace telemetry

#include "apps/telemetry/telemetry.hpp"

namespace telemetry {

void add_handlers(troupe::handlers&) {}

} // namespace telemetry

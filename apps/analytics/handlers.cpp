#include "apps/analytics/analytics.hpp"

namespace analytics {

void add_handlers(troupe::handlers&) {}

} // namespace analytics

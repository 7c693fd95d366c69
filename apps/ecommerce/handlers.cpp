#include "apps/ecommerce/ecommerce.hpp"

namespace ecommerce {

void add_handlers(troupe::handlers&) {}

} // namespace ecommerce

#pragma once

#include "apps/dashboard/panel.hpp"

namespace ecommerce {

/// The page of the dashboard that shows what is ordered and how far each order has come: `orders`.
troupe::dashboard::panel orders_panel();

} // namespace ecommerce

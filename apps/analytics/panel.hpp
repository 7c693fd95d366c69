#pragma once

#include "apps/dashboard/panel.hpp"

namespace analytics {

/// The page of the dashboard that shows visitors and what they look at, as it happens: `live`.
troupe::dashboard::panel live_panel();

} // namespace analytics

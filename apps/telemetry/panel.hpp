#pragma once

#include "apps/dashboard/panel.hpp"

namespace telemetry {

/// The page of the dashboard that shows which devices are online, late or silent: `devices`.
troupe::dashboard::panel devices_panel();

} // namespace telemetry

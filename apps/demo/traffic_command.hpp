#pragma once

#include "apps/command/command.hpp"

namespace demo {

/// `troupe traffic`: the demo's shoppers, visitors, creators and sensors alone, for engines that run
/// elsewhere.
troupe::subcommand traffic_subcommand();

} // namespace demo

#pragma once

#include "apps/dashboard/doorkeeper.hpp"
#include "apps/dashboard/endpoint.hpp"
#include "apps/dashboard/hub.hpp"

#include <vector>

namespace troupe::dashboard {

/// The live document, whole and as a stream.
std::vector<endpoint> live_endpoints(hub& events, doorkeeper& keeper);

} // namespace troupe::dashboard

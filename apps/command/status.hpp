#pragma once

#include "apps/command/operation.hpp"

namespace troupe {

/// `troupe status`: what the app's processes are doing, all of them together.
int status(const operation_arguments& from, const handlers& h);

} // namespace troupe

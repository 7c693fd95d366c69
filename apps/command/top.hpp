#pragma once

#include "apps/command/operation.hpp"

namespace troupe {

/// `troupe top`: `status`, live and full screen. With --json one line of it a second.
int top(const operation_arguments& from, const handlers& h);

} // namespace troupe

#pragma once

#include "apps/command/command.hpp"

namespace troupe {

/// The commands that look at running processes, and act on them.
std::vector<subcommand> operations(const handlers& h, const std::vector<dashboard::panel>& panels);

} // namespace troupe

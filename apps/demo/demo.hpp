#pragma once

#include "apps/command/command.hpp"

namespace demo {

/// `troupe demo [NAME …]`: the examples as their readers run them, each an engine of its own, on an embedded
/// broker and a redis-server of the demo's, with made-up traffic over HTTP and an account of what came of it.
troupe::subcommand subcommand(const troupe::handlers& examples);

} // namespace demo

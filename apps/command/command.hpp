#pragma once

#include "engine/handler/handler.hpp"

namespace troupe {

/// The `troupe` command with these handlers: what the main function of a program of your own calls. Returns
/// the exit code.
int command(int argc, char** argv, const handlers& h);

} // namespace troupe

#pragma once

#include "apps/dashboard/panel.hpp"
#include "engine/handler/handler.hpp"

#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace troupe {

/// A command of the program's own, beside `run`, `check` and the others.
struct subcommand {
  std::string name, description;
  std::function<void(CLI::App&)> options; ///< adds what it takes
  std::function<int()> run;               ///< answers the exit code
};

/// The `troupe` command with these handlers: what the main function of a program of your own calls. Returns
/// the exit code. `panels` are pages of the program's own in the dashboard.
int command(int argc, char** argv, const handlers& h, const std::vector<subcommand>& further = {},
            const std::vector<dashboard::panel>& panels = {});

} // namespace troupe

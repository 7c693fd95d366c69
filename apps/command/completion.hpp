#pragma once

#include "engine/core/result.hpp"

#include <string>

namespace CLI {
class App;
}

namespace troupe {

/// A script that completes the subcommands and options of `of`, for bash, zsh or fish. errc::usage for any
/// other shell.
result<std::string> completion_script(const CLI::App& of, const std::string& shell);

} // namespace troupe

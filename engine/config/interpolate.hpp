#pragma once

#include "engine/config/problems.hpp"
#include "engine/config/tree.hpp"

#include <map>
#include <string>

namespace troupe::config {

/// Replaces ${VAR}, ${VAR:-default} and ${file:/path} in every scalar value below `n` and marks those it
/// changed as secret. $${ stands for a literal ${. What cannot be resolved is a problem at the value's place.
void interpolate(node& n, const std::map<std::string, std::string>& environment, problem_list& problems);

} // namespace troupe::config

#pragma once

#include "engine/config/problems.hpp"
#include "engine/config/tree.hpp"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace troupe::config {

/// Puts TROUPE_ACTORS__INVENTORY__POOL__WORKERS=16 and the like into the tree. Names match whatever their
/// case, with '-' as '_'. A variable that starts like a section of ours and names nothing is a problem; any
/// other TROUPE_… is somebody else's.
void override_from_environment(node& root, const std::map<std::string, std::string>& environment,
                               problem_list& problems);

/// Puts --set actors.inventory.pool.workers=16 and the like into the tree, in their order.
void override_from_flags(node& root, const std::vector<std::pair<std::string, std::string>>& set,
                         const std::map<std::string, std::string>& environment, problem_list& problems);

} // namespace troupe::config

#pragma once

#include "engine/config/check.hpp"

#include <optional>
#include <string>
#include <vector>

namespace troupe::config {

/// An actor with the defaults that fit it merged under it, and what the rules between actors need of it.
struct cast_member {
  std::string name;
  place at;
  kinds kind = handles;
  node keys;
};

/// Merges the defaults, decides the kind, and complains about keys that do not fit it or are missing.
/// Nothing where there is no telling what the actor is.
std::optional<cast_member> cast(const entry& written, const node* defaults, checker& check,
                                problem_list& problems);

/// What must hold within an actor beyond each single value.
void check_rules_within(const cast_member& who, problem_list& problems);
/// What must hold between actors: groups, and where counts go.
void check_rules_between(const std::vector<cast_member>& all, problem_list& problems);

/// What an actor wants that not every broker has.
void check_rules_with_kafka(const node& root, const std::vector<cast_member>& all, problem_list& problems);

/// What the dashboard needs of the rest, and who may log in.
void check_dashboard(const node& root, problem_list& problems);

/// As the engine sees it.
actor to_actor(const cast_member& who, const problem_list& problems);

} // namespace troupe::config

#pragma once

#include "apps/command/operation.hpp"

#include <optional>

namespace troupe {

struct tap_arguments {
  operation_arguments app;
  std::string actor;
  std::optional<unsigned> most;
  unsigned rate = 10;
};

/// `troupe tap`: reads the actor's topics from their ends on, as nobody's member, and shows some of what
/// comes.
int tap(const tap_arguments& from, const handlers& h);

} // namespace troupe

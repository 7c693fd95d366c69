#pragma once

#include "apps/command/operation.hpp"

#include <optional>

namespace troupe {

struct pool_arguments {
  operation_arguments app;
  std::string action; ///< pause, resume, resize, reset
  std::string actor;
  std::optional<unsigned> workers;
  std::string by; ///< empty: who runs the command
};

/// `troupe pool`: stores what is wanted, waits for the answer of each live process, and says how it went.
int pool(const pool_arguments& from, const handlers& h);

} // namespace troupe

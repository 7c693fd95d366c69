#pragma once

#include "apps/command/operation.hpp"

namespace troupe {

/// `troupe lag`: how far each partition is behind, and what blocks it. Positions come from Kafka itself, so
/// that lag goes on growing while no process runs; what blocks them, from the processes.
int lag(const operation_arguments& from, const handlers& h);

} // namespace troupe

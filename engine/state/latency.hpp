#pragma once

#include "engine/metrics/registry.hpp"

#include <array>
#include <cstdint>
#include <optional>

namespace troupe::state {

/// How many durations fell into each bucket of the process's histograms.
using buckets = std::array<std::uint64_t, metrics::histogram::buckets>;

/// The duration in seconds that a share (0.5, 0.99) of them did not exceed, as Prometheus has it:
/// interpolated within its bucket, and never beyond the last bound. nullopt where there are none.
std::optional<double> quantile(const buckets& counts, double share);

} // namespace troupe::state

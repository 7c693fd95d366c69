#pragma once

#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::metrics {

/// The process_* values of this process, read from /proc now; what cannot be read is left out.
std::vector<std::pair<std::string_view, double>> process_values();

/// Resident memory of this process now, in bytes; 0 where it cannot be read.
std::size_t resident_memory();

} // namespace troupe::metrics

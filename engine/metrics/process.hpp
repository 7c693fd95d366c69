#pragma once

#include <string_view>
#include <utility>
#include <vector>

namespace troupe::metrics {

/// The process_* values of this process, read from /proc now; what cannot be read is left out.
std::vector<std::pair<std::string_view, double>> process_values();

} // namespace troupe::metrics

#pragma once

#include <cstddef>

namespace troupe::http {

/// Raises how many files and connections the process may have open to the most that the system allows it (the
/// hard limit), and returns that. Shells and service managers start processes with 1,024.
std::size_t raise_descriptor_limit();

} // namespace troupe::http

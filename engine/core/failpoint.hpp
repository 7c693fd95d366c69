#pragma once

#include <string_view>

namespace troupe {

/// A place where a fault test may end or freeze the process. Does nothing: a test program links a definition
/// of its own in its place (tests/support/failpoints.cpp), so what users run has none compiled in.
///
/// Each name stands at one place, outside of locks.
void failpoint(std::string_view name) noexcept;

} // namespace troupe

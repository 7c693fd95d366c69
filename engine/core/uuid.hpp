#pragma once

#include <string>

namespace troupe {

/// A random UUID (RFC 9562, version 4): 36 lower-case characters.
std::string random_uuid();

} // namespace troupe

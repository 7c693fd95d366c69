#pragma once

#include <string>

namespace troupe {

/// Who runs this process, by the name that the system has for them: `alice`, or `uid 1000` where it has none.
/// What audits say where nobody named himself.
std::string this_user();

} // namespace troupe

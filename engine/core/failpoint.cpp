#include "engine/core/failpoint.hpp"

namespace troupe {

// Alone in its file: the linker takes it only where nobody else has defined it.
void failpoint(std::string_view) noexcept {}

} // namespace troupe

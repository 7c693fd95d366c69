#pragma once

#include "engine/handler/handler.hpp"

#include <memory>

namespace troupe {

/// What the handler answers; whatever it throws is a transient failure, but for `misconfigured`.
outcome run_handler(const blocking_handler& handler, const record& event, context& seen);

/// The same for one that answers `done` by itself.
void run_handler(const async_handler& handler, record_ptr event, std::shared_ptr<context> seen,
                 completion done);

} // namespace troupe

#pragma once

#include "engine/handler/handler.hpp"

namespace video {

/// The handlers that config/video.yaml names.
void add_handlers(troupe::handlers& to);

} // namespace video

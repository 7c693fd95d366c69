#include "apps/video/video.hpp"

namespace video {

void add_handlers(troupe::handlers&) {}

} // namespace video

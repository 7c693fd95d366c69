#pragma once

#include "apps/dashboard/panel.hpp"

namespace video {

/// The page of the dashboard that shows how far the videos are, and which are stuck: `videos`.
troupe::dashboard::panel videos_panel();

} // namespace video

#include "apps/video/steps.hpp"
#include "apps/video/video.hpp"

namespace video {

void add_handlers(troupe::handlers& to) {
  to.add("video.upload", upload);
  to.add("video.transcode", transcode);
  to.add("video.thumbnail", thumbnail);
  to.add_async("video.index", index);
}

} // namespace video

#include "apps/video/events.hpp"
#include "apps/video/steps.hpp"
#include "engine/core/uuid.hpp"

namespace video {

troupe::outcome upload(const troupe::record& request, troupe::context&) {
  auto what = read_request(request);
  if (!what) return undecodable(what.failure());
  what->video_id = troupe::random_uuid();
  return troupe::outcome::success({written(*what)}, R"({"video_id":")" + what->video_id + "\"}\n");
}

} // namespace video

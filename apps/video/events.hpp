#pragma once

#include "engine/core/record.hpp"
#include "engine/core/result.hpp"
#include "engine/handler/handler.hpp"

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

/// The events of the chain as JSON. What cannot be read is answered with a reason that names the field. A
/// video_id names a folder, and a format a file in it: neither is ever a path.
namespace video {

struct uploaded {
  std::string video_id, s3_key, user_id;
  std::int64_t size_bytes = 0;
};

struct transcoded {
  std::string video_id, user_id;
  std::vector<std::string> formats; ///< 720p, 1080p, …
  std::int64_t duration_seconds = 0;
};

struct ready {
  std::string video_id, user_id, thumbnail_url;
};

/// The body of POST /videos: an upload that has no video_id yet.
troupe::result<uploaded> read_request(const troupe::record& request);
troupe::result<uploaded> read_uploaded(const troupe::record& event);
troupe::result<transcoded> read_transcoded(const troupe::record& event);
/// Any of the three, told apart by their fields, so that topics may have other names.
troupe::result<std::variant<uploaded, transcoded, ready>> read_any(const troupe::record& event);

troupe::outgoing written(const uploaded& what);
troupe::outgoing written(const transcoded& what);
troupe::outgoing written(const ready& what);

troupe::outcome undecodable(const troupe::error& why);

} // namespace video

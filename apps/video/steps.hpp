#pragma once

#include "engine/handler/handler.hpp"

#include <memory>

/// The steps of the chain. None knows another: each reads an event and answers with the next one.
namespace video {

/// POST /videos: {s3_key, user_id, size_bytes} becomes video.uploaded under a new video_id, which is the
/// answer. A client that repeats itself sends an Idempotency-Key, which the engine keeps.
troupe::outcome upload(const troupe::record& request, troupe::context& seen);

/// video.uploaded to video.transcoded. Settings: `media`, the folder that stands for the bucket; `ffmpeg`,
/// auto or simulate; `latency` of the simulation, as 500ms, 2s or 1m. Idempotent: a rendition that is there
/// is not made again, and one that is not finished has another name.
troupe::outcome transcode(const troupe::record& event, troupe::context& seen);

/// video.transcoded to video.ready. Settings: `media`, as above; `base_url` of the thumbnails. Idempotent for
/// the same reason.
troupe::outcome thumbnail(const troupe::record& event, troupe::context& seen);

/// All three events into Redis, in any order and as often as they come: a video's stage only moves forward,
/// and the times of its stages are those first read.
void index(const troupe::record_ptr& event, const std::shared_ptr<troupe::context>& seen,
           const troupe::completion& done);

} // namespace video

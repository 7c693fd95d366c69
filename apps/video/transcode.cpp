#include "apps/video/events.hpp"
#include "apps/video/media.hpp"
#include "apps/video/steps.hpp"
#include "engine/config/values.hpp"

#include <algorithm>
#include <optional>
#include <thread>

namespace video {
namespace {

namespace fs = std::filesystem;
using troupe::milliseconds;
using troupe::outcome;

constexpr milliseconds step{50};

/// The settings are wrong for every event alike: none is spent, and the log says what to mend.
outcome bad_setting(const std::string& what) {
  return outcome::unavailable(what, {}, "settings");
}

outcome finished(const uploaded& from, std::vector<std::string> formats, std::int64_t duration_seconds) {
  return outcome::success(
      {written(transcoded{from.video_id, from.user_id, std::move(formats), duration_seconds})});
}

/// In small steps, so that it ends when it is no longer wanted.
outcome simulate(const uploaded& what, const troupe::context& seen) {
  const auto latency = troupe::config::parse_duration(seen.setting("latency", "2s"));
  if (!latency)
    return bad_setting("settings.latency: " + seen.setting("latency") +
                       " is no time such as 500ms, 2s or 1m");
  const auto end = std::chrono::steady_clock::now() + *latency;
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(end - std::chrono::steady_clock::now());
    if (left <= milliseconds{0}) return finished(what, {"720p", "1080p"}, 142);
    if (seen.cancelled()) return outcome::transient("transcoding took longer than it may", "deadline");
    std::this_thread::sleep_for(std::min(left, step));
  }
}

child make_rendition(const rendition& r, const fs::path& source, const fs::path& folder,
                     const troupe::context& seen) {
  return make(folder / (std::string{r.format} + ".mp4"), source, {},
              // An even width, and 4:2:0, are what players understand.
              {"-vf", "scale=-2:" + std::to_string(r.height), "-c:v", "libx264", "-preset", "veryfast",
               "-pix_fmt", "yuv420p", "-c:a", "aac", "-movflags", "+faststart", "-f", "mp4"},
              seen);
}

/// Nothing where ffmpeg is not installed.
std::optional<outcome> transcode_file(const uploaded& what, const fs::path& source, const fs::path& folder,
                                      const troupe::context& seen) {
  const auto probed = probe(source, seen);
  if (probed.how == child::end::not_installed) return std::nullopt;
  if (probed.how == child::end::refused)
    return outcome::permanent("ffprobe refuses " + what.s3_key + ": " + probed.reason, "media");
  if (probed.how != child::end::done) return failure_of("ffprobe", probed);
  const auto about = read_probe(probed.output);
  if (!about) return outcome::permanent(what.s3_key + " has no picture", "media");

  std::vector<std::string> formats;
  for (const auto& r : renditions_for(about->height)) {
    const auto made = make_rendition(r, source, folder, seen);
    if (made.how == child::end::not_installed) return std::nullopt;
    if (made.how != child::end::done) return failure_of("rendition " + std::string{r.format}, made);
    formats.emplace_back(r.format);
  }
  return finished(what, std::move(formats), about->duration_seconds);
}

} // namespace

outcome transcode(const troupe::record& event, troupe::context& seen) {
  const auto what = read_uploaded(event);
  if (!what) return undecodable(what.failure());
  const auto mode = seen.setting("ffmpeg", "auto");
  if (mode != "auto" && mode != "simulate")
    return bad_setting("settings.ffmpeg: " + mode + " is neither auto nor simulate");
  if (const fs::path media = seen.setting("media"); !media.empty() && mode == "auto") {
    const auto source = file_of(media, what->s3_key);
    if (!source)
      return outcome::permanent("s3_key leads out of the media folder: " + what->s3_key, "bad_path");
    std::error_code ignored;
    if (fs::is_regular_file(*source, ignored))
      if (auto real = transcode_file(*what, *source, media / what->video_id, seen)) return *real;
  }
  return simulate(*what, seen);
}

} // namespace video

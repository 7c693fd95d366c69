#include "apps/video/events.hpp"
#include "apps/video/media.hpp"
#include "apps/video/steps.hpp"

#include <optional>

namespace video {
namespace {

namespace fs = std::filesystem;
using troupe::outcome;

/// From a tenth into the video, since the first frame is often black; the first one where the pictures end
/// before, as they may under a longer sound.
child cut_frame(const transcoded& what, const fs::path& source, const fs::path& target,
                const troupe::context& seen) {
  const auto at = [&](std::int64_t second) {
    return make(target, source, {"-ss", std::to_string(second)},
                {"-frames:v", "1", "-q:v", "3", "-f", "mjpeg"}, seen);
  };
  const auto second = what.duration_seconds / 10;
  auto made = at(second);
  if (made.how == child::end::failed && second > 0) made = at(0);
  return made;
}

/// The first rendition; nothing where the transcoding was simulated.
std::optional<fs::path> rendition_of(const transcoded& what, const fs::path& folder) {
  if (what.formats.empty()) return std::nullopt;
  auto file = folder / (what.formats.front() + ".mp4");
  std::error_code ignored;
  if (!fs::is_regular_file(file, ignored)) return std::nullopt;
  return file;
}

} // namespace

outcome thumbnail(const troupe::record& event, troupe::context& seen) {
  const auto what = read_transcoded(event);
  if (!what) return undecodable(what.failure());
  if (const auto media = seen.setting("media"); !media.empty()) {
    const auto folder = fs::path{media} / what->video_id;
    if (const auto source = rendition_of(*what, folder)) {
      const auto made = cut_frame(*what, *source, folder / "thumbnail.jpg", seen);
      if (made.how != child::end::done && made.how != child::end::not_installed)
        return failure_of("the thumbnail", made);
    }
  }
  const auto base = seen.setting("base_url", "https://cdn.example.com");
  return outcome::success(
      {written(ready{what->video_id, what->user_id, base + "/" + what->video_id + "/thumbnail.jpg"})});
}

} // namespace video

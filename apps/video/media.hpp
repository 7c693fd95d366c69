#pragma once

#include "apps/video/child.hpp"
#include "engine/handler/handler.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The folder that stands for the bucket, and what ffmpeg makes in it.
namespace video {

/// The file of a key; nothing where the key leads out of the folder. It need not be there.
std::optional<std::filesystem::path> file_of(const std::filesystem::path& folder, const std::string& key);

struct rendition {
  std::string_view format; ///< 720p
  std::int64_t height = 0; ///< pixels
};
/// Those that are not larger than the source, or the smallest.
std::vector<rendition> renditions_for(std::int64_t source_height);

struct about_video {
  std::int64_t height = 0;           ///< pixels
  std::int64_t duration_seconds = 0; ///< rounded
};
/// Asks ffprobe, whose answer is JSON.
child probe(const std::filesystem::path& source, const troupe::context& seen);
/// Nothing where it has no picture.
std::optional<about_video> read_probe(const std::string& answer);

/// What ffmpeg makes of a source by these options, unless the target is there already. It gets its name when
/// it is whole, so that a crash leaves no half of it, and a repeat does only what is missing.
child make(const std::filesystem::path& target, const std::filesystem::path& source,
           const std::vector<std::string>& before_input, const std::vector<std::string>& options,
           const troupe::context& seen);

/// What a child that is not done means for the event: the media is at fault, or something that may pass.
troupe::outcome failure_of(const std::string& what, const child& ended);

} // namespace video

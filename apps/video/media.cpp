#include "apps/video/media.hpp"

#include "engine/core/uuid.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <cmath>
#include <cstdlib>
#include <system_error>

namespace video {
namespace {

namespace fs = std::filesystem;
using json = nlohmann::json;

constexpr std::array ladder{rendition{"480p", 480}, rendition{"720p", 720}, rendition{"1080p", 1080},
                            rendition{"4k", 2160}};

std::vector<std::string> joined(std::vector<std::string> first, const std::vector<std::string>& then) {
  first.insert(first.end(), then.begin(), then.end());
  return first;
}

/// A file whatever its name looks like; if it is a playlist, ffmpeg opens no network for it.
std::vector<std::string> input(const fs::path& source) {
  return {"-i", "file:" + source.string()};
}

std::string unfinished_prefix(const fs::path& target) {
  return "." + target.filename().string() + ".";
}

/// What crashes left of the target, now that it is there.
void sweep(const fs::path& target) {
  std::error_code ignored;
  std::vector<fs::path> left;
  for (fs::directory_iterator at{target.parent_path(), ignored}, end; !ignored && at != end;
       at.increment(ignored))
    if (at->path().filename().string().starts_with(unfinished_prefix(target))) left.push_back(at->path());
  for (const auto& path : left)
    fs::remove(path, ignored);
}

child failed(const std::string& what, const std::error_code& why) {
  return {child::end::failed, {}, what + ": " + why.message()};
}

/// A number as ffprobe writes them, in quotes; 0 where there is none.
std::int64_t whole_seconds(const json& format) {
  const auto at = format.find("duration");
  const auto* text = at == format.end() ? nullptr : at->get_ptr<const std::string*>();
  const double seconds = text ? std::strtod(text->c_str(), nullptr) : 0;
  return std::isfinite(seconds) && seconds > 0 && seconds < 1e9 ? std::llround(seconds) : 0;
}

} // namespace

std::optional<fs::path> file_of(const fs::path& folder, const std::string& key) {
  const fs::path relative{key};
  if (key.empty() || key.find('\0') != std::string::npos || relative.is_absolute()) return std::nullopt;
  for (const auto& step : relative)
    if (step == "..") return std::nullopt;
  return folder / relative;
}

std::vector<rendition> renditions_for(std::int64_t source_height) {
  std::vector<rendition> all{ladder.front()};
  for (std::size_t i = 1; i < ladder.size(); ++i)
    if (ladder[i].height <= source_height) all.push_back(ladder[i]);
  return all;
}

child probe(const fs::path& source, const troupe::context& seen) {
  return run(joined({"ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries",
                     "stream=height:format=duration", "-of", "json"},
                    input(source)),
             [&] { return seen.cancelled(); });
}

std::optional<about_video> read_probe(const std::string& answer) {
  const auto all = json::parse(answer, nullptr, /* throw */ false);
  if (!all.is_object()) return std::nullopt;
  const auto streams = all.find("streams"), format = all.find("format");
  if (streams == all.end() || !streams->is_array() || streams->empty() || !streams->front().is_object())
    return std::nullopt;
  const auto height = streams->front().find("height");
  if (height == streams->front().end() || !height->is_number_unsigned()) return std::nullopt;
  return about_video{height->get<std::int64_t>(),
                     format != all.end() && format->is_object() ? whole_seconds(*format) : 0};
}

child make(const fs::path& target, const fs::path& source, const std::vector<std::string>& before_input,
           const std::vector<std::string>& options, const troupe::context& seen) {
  std::error_code why;
  if (fs::exists(target, why)) return {child::end::done, {}, {}};
  fs::create_directories(target.parent_path(), why);
  if (why) return failed(target.parent_path().string(), why);
  // Unique, since a call that was given up may overlap the next one for a moment.
  const auto unfinished = target.parent_path() / (unfinished_prefix(target) + troupe::random_uuid());
  auto arguments = joined({"ffmpeg", "-nostdin", "-v", "error"}, before_input);
  arguments = joined(joined(std::move(arguments), input(source)), options);
  arguments.push_back("file:" + unfinished.string());
  auto ended = run(arguments, [&] { return seen.cancelled(); });
  // Past the last picture it writes nothing, and is content with that.
  if (ended.how == child::end::done && fs::file_size(unfinished, why) == 0)
    ended = {child::end::failed, {}, "ffmpeg made an empty file"};
  if (ended.how == child::end::done) {
    fs::rename(unfinished, target, why);
    std::error_code ignored;
    if (why && !fs::exists(target, ignored)) return failed(target.string(), why);
    sweep(target);
    return ended;
  }
  fs::remove(unfinished, why);
  return ended;
}

troupe::outcome failure_of(const std::string& what, const child& ended) {
  if (ended.how == child::end::cancelled)
    return troupe::outcome::transient(what + " took longer than it may", "deadline");
  return troupe::outcome::transient(what + ": " + ended.reason, "media");
}

} // namespace video

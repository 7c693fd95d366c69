#include "apps/video/panel.hpp"

#include "apps/dashboard/panel_parts.hpp"

#include <array>

namespace video {
namespace {

using namespace troupe;
using nlohmann::json;

/// A stage that videos leave, and the one that they get to.
struct step {
  const char *from, *to, *word, *handler;
};
constexpr std::array steps{step{"uploaded", "transcoded", "Transcoding", "video.transcode"},
                           step{"transcoded", "ready", "Thumbnail", "video.thumbnail"}};
constexpr const char* most_shown = "20";

// Of one step: how many wait; the median of how long the last ones took, in milliseconds; how many wait for
// more than three times as long, and those that wait longest. KEYS: the stage, how long the last ones took.
// ARGV: now, how many are shown.
constexpr const char* look = R"lua(
local waiting = redis.call('ZCARD', KEYS[1])
local took = redis.call('LRANGE', KEYS[2], 0, -1)
if #took == 0 then return {waiting, '', 0, {}} end
for i = 1, #took do took[i] = tonumber(took[i]) end
table.sort(took)
local median = took[math.floor((#took + 1) / 2)]
local limit = '(' .. string.format('%.0f', ARGV[1] - 3 * median)
return {waiting, tostring(median), redis.call('ZCOUNT', KEYS[1], '-inf', limit),
        redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', limit, 'WITHSCORES', 'LIMIT', 0, ARGV[2])}
)lua";

/// To the dead letters of a video: their key is its id. Whether there are any only Kafka knows.
json letters_of(const config::settings& s, const step& at, const std::string& video) {
  auto path = dashboard::letters_path(s, at.handler, video);
  return path.empty() ? json(nullptr) : json{{"text", "dead letters"}, {"href", std::move(path)}};
}

result<json> read(redis::client& redis, const config::settings& settings, std::int64_t now_ms) {
  std::vector<redis::command> all;
  for (const auto& s : steps)
    all.push_back({"EVAL", look, "2", std::string{"videos:stage:"} + s.from,
                   std::string{"videos:took:"} + s.to, std::to_string(now_ms), most_shown});
  all.push_back({"ZCARD", "videos:stage:ready"});
  const auto got = dashboard::ask_all(redis, std::move(all));
  if (!got) return got.failure();

  std::vector<dashboard::cells> stages, stuck;
  std::int64_t stuck_in_all = 0;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const auto& answer = (*got)[i].items;
    if (answer.size() != 4) return error{errc::broken, "Redis answered with something else"};
    const auto median = dashboard::number_in(answer[1]);
    const auto seconds = median ? json(*median / 1000) : json(nullptr);
    stuck_in_all += answer[2].integer;
    stages.push_back(
        {steps[i].word, answer[0].integer, seconds, median ? json(answer[2].integer) : json(nullptr)});
    const auto& oldest = answer[3].items;
    for (std::size_t v = 0; v + 1 < oldest.size(); v += 2)
      stuck.push_back({oldest[v].text, steps[i].word, dashboard::count_in(oldest[v + 1]), seconds,
                       letters_of(settings, steps[i], oldest[v].text)});
  }
  const auto count = [&](std::size_t i) { return std::optional{(*got)[i].items[0].integer}; };
  return json{
      {"title", "Videos"},
      {"at", now_ms},
      {"tiles", json::array({dashboard::tile("Uploaded, to be transcoded", "count", count(0)),
                             dashboard::tile("Transcoded, without thumbnail", "count", count(1)),
                             dashboard::tile("Ready", "count", std::optional{got->back().integer}),
                             dashboard::tile("Stuck", "count", std::optional{stuck_in_all})})},
      {"tables",
       {dashboard::table("Steps",
                         {{"Step", "text"}, {"Waiting", "count"}, {"Median", "seconds"}, {"Stuck", "count"}},
                         std::move(stages), "", "the median of the last 200 videos of the last 24 hours"),
        dashboard::table(
            "Stuck",
            {{"Video", "text"},
             {"In", "text"},
             {"Since", "ms_ago"},
             {"Median", "seconds"},
             {"If it failed", "text"}},
            std::move(stuck), "No video waits for more than three times the median of its step.",
            "the 20 of each step that wait longest; what failed for good is among the dead letters")}}};
}

} // namespace

dashboard::panel videos_panel() {
  return {"videos",
          [](const config::settings& s) { return dashboard::worker_with(s, "video.index") != nullptr; },
          read};
}

} // namespace video

#include "apps/video/events.hpp"
#include "apps/video/steps.hpp"
#include "engine/core/time.hpp"
#include "engine/redis/client.hpp"

namespace video {
namespace {

// Atomic, so that readers always find a video in exactly one stage. The three topics are read side by side,
// and again after a crash: a stage is only ever left for a later one. KEYS: the video, its user's videos, the
// videos in each stage, how long the last ones took from the stage before to this one. ARGV: video_id, stage,
// its time in milliseconds, the same as text, then fields and values.
constexpr const char* script = R"lua(
local stages = {uploaded = 1, transcoded = 2, ready = 3}
local id, stage, ms, at = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local is_first = redis.call('HSETNX', KEYS[1], stage .. '_at', at) == 1
redis.call('HSET', KEYS[1], unpack(ARGV, 5))

if is_first and stage == 'uploaded' then
  redis.call('ZADD', KEYS[2], ms, id)
else
  redis.call('ZADD', KEYS[2], 'NX', ms, id)
end

local before = stages[redis.call('HGET', KEYS[1], 'stage')] or 0
if stages[stage] <= before then return 0 end
if before > 0 then
  local since = redis.call('ZSCORE', KEYS[2 + before], id)
  redis.call('ZREM', KEYS[2 + before], id)
  if since and stages[stage] == before + 1 then
    redis.call('LPUSH', KEYS[6], math.max(0, ms - since))
    redis.call('LTRIM', KEYS[6], 0, 199)
    redis.call('EXPIRE', KEYS[6], 86400)
  end
end
redis.call('ZADD', KEYS[2 + stages[stage]], ms, id)
redis.call('HSET', KEYS[1], 'stage', stage)
return 1
)lua";

struct entry {
  std::string video_id, user_id, stage;
  std::vector<std::string> more; ///< fields and values of its own
};

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words)
    out += (out.empty() ? "" : ",") + word;
  return out;
}

entry entry_of(const uploaded& e) {
  return {
      e.video_id, e.user_id, "uploaded", {"s3_key", e.s3_key, "size_bytes", std::to_string(e.size_bytes)}};
}

entry entry_of(const transcoded& e) {
  return {e.video_id,
          e.user_id,
          "transcoded",
          {"formats", joined(e.formats), "duration_seconds", std::to_string(e.duration_seconds)}};
}

entry entry_of(const ready& e) {
  return {e.video_id, e.user_id, "ready", {"thumbnail_url", e.thumbnail_url}};
}

troupe::redis::command command_of(const entry& e, std::int64_t ms) {
  troupe::redis::command all{"EVAL",
                             script,
                             "6",
                             "video:" + e.video_id,
                             "videos:user:" + e.user_id,
                             "videos:stage:uploaded",
                             "videos:stage:transcoded",
                             "videos:stage:ready",
                             "videos:took:" + e.stage,
                             e.video_id,
                             e.stage,
                             std::to_string(ms),
                             troupe::rfc3339(ms),
                             "video_id",
                             e.video_id,
                             "user_id",
                             e.user_id};
  all.insert(all.end(), e.more.begin(), e.more.end());
  return all;
}

} // namespace

void index(const troupe::record_ptr& event, const std::shared_ptr<troupe::context>& seen,
           const troupe::completion& done) {
  const auto what = read_any(*event);
  if (!what) return done(undecodable(what.failure()));
  const auto ms = event->timestamp_ms >= 0 ? event->timestamp_ms : troupe::wall_ms();
  const auto entry = std::visit([](const auto& e) { return entry_of(e); }, *what);
  seen->redis().ask(command_of(entry, ms), [done](const auto& got) {
    done(got ? troupe::outcome::success() : troupe::outcome::failure(got.failure(), "redis"));
  });
}

} // namespace video

#include "apps/telemetry/telemetry.hpp"

#include "apps/telemetry/thresholds.hpp"

#include "engine/core/time.hpp"
#include "engine/redis/client.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace telemetry {

namespace {

using nlohmann::json;
using troupe::errc;
using troupe::error;
using troupe::outcome;
using troupe::result;

// A device was last seen at its newest event, which also says its status. Whatever comes again, or late,
// changes nothing. A few that were not seen in the day before the event are forgotten: more than come new. It
// is the event's own time that counts, so that an old one that is replayed makes room among older ones alone.
// KEYS: seen, status, thresholds. ARGV: device, milliseconds since the epoch, status, late_ms, silent_ms.
constexpr const char* update = R"lua(
redis.call('ZADD', KEYS[1], 'GT', ARGV[2], ARGV[1])
if tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1])) == tonumber(ARGV[2]) then
  redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
end
local day_before = string.format('(%.0f', ARGV[2] - 86400000)
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', day_before, 'LIMIT', 0, 16)) do
  redis.call('ZREM', KEYS[1], gone)
  redis.call('HDEL', KEYS[2], gone)
end
local held = redis.call('HMGET', KEYS[3], 'late_ms', 'silent_ms')
if held[1] ~= ARGV[4] or held[2] ~= ARGV[5] then
  redis.call('HSET', KEYS[3], 'late_ms', ARGV[4], 'silent_ms', ARGV[5])
end
)lua";

struct report {
  std::string device; ///< any bytes
  std::int64_t at_ms = 0;
  std::string status;
};

result<report> report_of(const troupe::record& record) {
  if (!record.key) return error{errc::usage, "the event has no key, which is the device"};
  if (record.timestamp_ms < 0) return error{errc::usage, "the event has no timestamp"};
  const auto event = json::parse(record.value.value_or(""), nullptr, false);
  if (!event.is_object()) return error{errc::usage, "the value is no JSON object"};
  const auto status = event.find("status");
  if (status == event.end() || !status->is_string())
    return error{errc::usage, "/status is missing or no string"};
  // A device whose clock is ahead would stay online, and hide its later events, until that time has come.
  const auto at = std::min(record.timestamp_ms, troupe::wall_ms());
  return report{*record.key, at, status->get<std::string>()};
}

troupe::redis::command command_of(const report& what, const thresholds& when) {
  return {"EVAL",
          update,
          "3",
          "devices:seen",
          "devices:status",
          "devices:thresholds",
          what.device,
          std::to_string(what.at_ms),
          what.status,
          std::to_string(when.late.count()),
          std::to_string(when.silent.count())};
}

/// Keeps when a device was last seen and what it said then.
void record_status(const troupe::record_ptr& event, const std::shared_ptr<troupe::context>& context,
                   const troupe::completion& done) {
  // Not the event's fault: it waits until the config is mended.
  const auto when =
      thresholds_of(context->setting("late_after", "2s"), context->setting("silent_after", "10s"));
  if (!when) return done(outcome::unavailable(when.failure().detail, {}, "settings"));
  const auto what = report_of(*event);
  if (!what) return done(outcome::permanent(what.failure().detail, "undecodable"));
  context->redis().ask(command_of(*what, *when), [done](const auto& got) {
    done(got ? outcome::success() : outcome::failure(got.failure(), "redis"));
  });
}

} // namespace

void add_handlers(troupe::handlers& to) {
  to.add_async("telemetry.record_status", record_status);
}

} // namespace telemetry

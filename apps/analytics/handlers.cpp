#include "apps/analytics/analytics.hpp"

#include "engine/aggregate/event_time.hpp"
#include "engine/core/time.hpp"
#include "engine/redis/client.hpp"

#include <nlohmann/json.hpp>

namespace analytics {

namespace {

using nlohmann::json;
using troupe::errc;
using troupe::error;
using troupe::outcome;
using troupe::result;
using troupe::aggregate::minute;

/// How many minutes after its begin a minute's sessions are forgotten.
constexpr minute kept = 10;
/// How many minutes the clocks of two hosts may make an event younger than now.
constexpr minute skew = 1;

// One script: a connection cut between two commands would leave a key that never expires.
// KEYS: the minute. ARGV: the session, when the key expires.
constexpr const char* add_session = R"lua(
redis.call('PFADD', KEYS[1], ARGV[1])
redis.call('EXPIREAT', KEYS[1], ARGV[2])
)lua";

struct sighting {
  std::string session;
  minute at = 0;
};

result<std::string> text_of(const json& event, const char* field) {
  const auto at = event.find(field);
  if (at == event.end() || !at->is_string())
    return error{errc::usage, std::string{"/"} + field + " is missing or no string"};
  return at->get<std::string>();
}

result<sighting> sighting_of(const troupe::record& record) {
  const auto event = json::parse(record.value.value_or(""), nullptr, false);
  if (!event.is_object()) return error{errc::usage, "the value is no JSON object"};
  auto session = text_of(event, "session_id");
  if (!session) return session.failure();
  const auto time = text_of(event, "timestamp");
  if (!time) return time.failure();
  const auto at = troupe::aggregate::minute_reader{}.read(*time);
  if (!at) return error{errc::usage, "/timestamp is no RFC 3339 time"};
  return sighting{std::move(*session), *at};
}

/// Whether a session seen then may still be active. A replay of the log goes over events long past.
bool recent(minute then) {
  const auto now = troupe::wall_ms() / 60'000;
  return then > now - kept && then <= now + skew;
}

/// Adds the session to the HyperLogLog of the event's minute. Adding it again changes nothing, so an event
/// may come any number of times.
void session_seen(const troupe::record_ptr& event, const std::shared_ptr<troupe::context>& context,
                  const troupe::completion& done) {
  const auto seen = sighting_of(*event);
  if (!seen) return done(outcome::permanent(seen.failure().detail, "undecodable"));
  if (!recent(seen->at)) return done(outcome::success());
  const auto key = "sessions:" + troupe::aggregate::shown(seen->at);
  const auto expires = std::to_string((seen->at + kept) * 60);
  context->redis().ask({"EVAL", add_session, "1", key, seen->session, expires}, [done](const auto& got) {
    done(got ? outcome::success() : outcome::failure(got.failure(), "redis"));
  });
}

} // namespace

void add_handlers(troupe::handlers& to) {
  to.add_async("analytics.session_seen", session_seen);
}

} // namespace analytics

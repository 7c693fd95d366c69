#include "apps/ecommerce/progress.hpp"

#include "apps/ecommerce/handlers.hpp"
#include "apps/ecommerce/minute.hpp"
#include "apps/ecommerce/order.hpp"
#include "engine/core/time.hpp"
#include "engine/redis/client.hpp"

#include <algorithm>
#include <optional>

namespace ecommerce {
namespace {

// A step that is done stays done, in whatever order the topics are read and however often. Of more than so
// many orders the earliest are forgotten; what comes of those keeps its hash for ten minutes, as does what
// comes before the order itself.
// KEYS: the order, the latest. ARGV: order_id, step, state, ms, cents, minute.
constexpr const char* note = R"lua(
local order, latest, id, step = KEYS[1], KEYS[2], ARGV[1], ARGV[2]
if step ~= 'placed' then
  if redis.call('HGET', order, step) ~= 'ok' then redis.call('HSET', order, step, ARGV[3]) end
  local whole = redis.call('HEXISTS', order, 'placed') == 1
  redis.call('EXPIRE', order, whole and 86400 or 600)
  return 1
end
redis.call('HSET', order, 'placed', ARGV[4], 'cents', ARGV[5], 'minute', ARGV[6])
redis.call('EXPIRE', order, 86400)
redis.call('ZADD', latest, ARGV[4], id)
redis.call('EXPIRE', latest, 86400)
for _, old in ipairs(redis.call('ZRANGE', latest, 0, -501)) do
  redis.call('ZREM', latest, old)
  redis.call('DEL', 'order:' .. old)
end
return 1
)lua";

constexpr std::int64_t day_ms = 86'400'000;

bool has_header(const troupe::record& event, std::string_view name) {
  return std::any_of(event.headers.begin(), event.headers.end(),
                     [&](const auto& h) { return h.name == name; });
}

std::string header_of(const troupe::record& event, std::string_view name) {
  for (const auto& h : event.headers)
    if (h.name == name) return h.value.value_or("");
  return {};
}

/// The step that the event is about; nothing where it is the order itself.
std::string step_of(const troupe::record& event, const troupe::context& context) {
  if (has_header(event, "error-class")) return header_of(event, "actor"); // a dead letter
  for (const auto step : progress::steps)
    if (context.setting(std::string{step}) == *event.topic) return std::string{step};
  return {};
}

std::optional<std::string> order_id_of(const troupe::record& event) {
  const auto body = nlohmann::json::parse(event.value.value_or(""), nullptr, false);
  if (!body.is_object()) return std::nullopt;
  const auto id = body.find("order_id");
  if (id == body.end() || !id->is_string()) return std::nullopt;
  return id->get<std::string>();
}

troupe::outcome write(troupe::context& context, const std::string& id, std::vector<std::string> what) {
  troupe::redis::command call{"EVAL", note, "2", "order:" + id, progress::latest_key, id};
  call.insert(call.end(), what.begin(), what.end());
  const auto answer = context.redis().ask(std::move(call));
  return answer ? troupe::outcome::success() : troupe::outcome::failure(answer.failure(), "redis");
}

} // namespace

// Idempotent, and indifferent to the order in which the topics are read. What is older than a day, as in a
// replay of the log, changes nothing.
troupe::outcome note_progress(const troupe::record& event, troupe::context& context) {
  const auto now = troupe::wall_ms();
  const auto at = event.timestamp_ms >= 0 ? event.timestamp_ms : now;
  if (at < now - day_ms) return troupe::outcome::success();
  if (const auto step = step_of(event, context); !step.empty()) {
    const auto id = order_id_of(event);
    if (!id) return troupe::outcome::success(); // of no order that anybody could look for
    const bool failed = has_header(event, "error-class");
    return write(context, *id, {step, failed ? event.id() : std::string{progress::done}});
  }
  const auto placed = read_order(event.value);
  if (!placed) return troupe::outcome::success(); // the other services say what is wrong with it
  return write(context, placed->order_id,
               {"placed", "", std::to_string(at), std::to_string(cents(placed->total)),
                minute_of(placed->created_at)});
}

} // namespace ecommerce

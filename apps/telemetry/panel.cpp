#include "apps/telemetry/panel.hpp"

#include "apps/dashboard/panel_parts.hpp"

namespace telemetry {
namespace {

using namespace troupe;
using nlohmann::json;

constexpr const char* most_shown = "120";

// KEYS: seen, status, thresholds. ARGV: now, how many are shown. Those that have been silent for longest come
// first.
constexpr const char* look = R"lua(
local held = redis.call('HMGET', KEYS[3], 'late_ms', 'silent_ms')
if not held[1] or not held[2] then return {} end
local late, silent = ARGV[1] - held[1], ARGV[1] - held[2]
local text = function(ms) return string.format('%.0f', ms) end
local seen = redis.call('ZRANGE', KEYS[1], 0, ARGV[2] - 1, 'WITHSCORES')
local said = {}
for i = 1, #seen, 2 do said[#said + 1] = redis.call('HGET', KEYS[2], seen[i]) or '' end
return {redis.call('ZCOUNT', KEYS[1], text(late), '+inf'),
        redis.call('ZCOUNT', KEYS[1], text(silent), '(' .. text(late)),
        redis.call('ZCOUNT', KEYS[1], '-inf', '(' .. text(silent)), text(late), text(silent), seen, said}
)lua";

std::vector<dashboard::cells> devices_in(const redis::reply& seen, const redis::reply& said,
                                         std::int64_t late, std::int64_t silent) {
  std::vector<dashboard::cells> rows;
  for (std::size_t i = 0; 2 * i + 1 < seen.items.size() && i < said.items.size(); ++i) {
    const auto at = dashboard::count_in(seen.items[2 * i + 1]);
    rows.push_back({seen.items[2 * i].text,
                    at >= late     ? "ok"
                    : at >= silent ? "wait"
                                   : "fail",
                    at >= late     ? "online"
                    : at >= silent ? "late"
                                   : "silent",
                    at, said.items[i].text});
  }
  return rows;
}

result<json> read(redis::client& redis, const config::settings&, std::int64_t now_ms) {
  const auto got = dashboard::ask_all(redis, {{"EVAL", look, "3", "devices:seen", "devices:status",
                                               "devices:thresholds", std::to_string(now_ms), most_shown}});
  if (!got) return got.failure();
  const auto& answer = got->front().items;
  std::optional<std::int64_t> online, late, silent;
  std::vector<dashboard::cells> rows;
  if (answer.size() == 7) { // otherwise no device was ever seen
    online = answer[0].integer;
    late = answer[1].integer;
    silent = answer[2].integer;
    rows = devices_in(answer[5], answer[6], dashboard::count_in(answer[3]), dashboard::count_in(answer[4]));
  }
  return json{{"title", "Devices"},
              {"at", now_ms},
              {"tiles", json::array({dashboard::tile("Online", "count", online),
                                     dashboard::tile("Late", "count", late),
                                     dashboard::tile("Silent", "count", silent)})},
              {"tables", json::array({dashboard::table("Devices",
                                                       {{"Device", "text"},
                                                        {"", "state"},
                                                        {"Presence", "text"},
                                                        {"Last seen", "ms_ago"},
                                                        {"Status", "text"}},
                                                       std::move(rows), "No device reported yet.",
                                                       "those that were silent longest, at most 120")})}};
}

} // namespace

dashboard::panel devices_panel() {
  return {"devices",
          [](const config::settings& s) {
            return dashboard::worker_with(s, "telemetry.record_status") != nullptr;
          },
          read};
}

} // namespace telemetry

#include "apps/ecommerce/panel.hpp"

#include "apps/dashboard/panel_parts.hpp"
#include "apps/ecommerce/minute.hpp"
#include "apps/ecommerce/progress.hpp"
#include "engine/core/time.hpp"

#include <algorithm>
#include <map>
#include <optional>

namespace ecommerce {
namespace {

using namespace troupe;
using nlohmann::json;

constexpr int minutes_shown = 60;
constexpr int orders_shown = 40;

// KEYS: the latest. ARGV: how many. For each: its id, whether its revenue is counted, its hash.
constexpr const char* latest = R"lua(
local all = {}
for i, id in ipairs(redis.call('ZREVRANGE', KEYS[1], 0, ARGV[1] - 1)) do
  local order = redis.call('HGETALL', 'order:' .. id)
  local minute = redis.call('HGET', 'order:' .. id, 'minute') or ''
  all[i] = {id, redis.call('SISMEMBER', 'orders:' .. minute .. ':seen', id), order}
end
return all
)lua";

struct order_seen {
  std::string id;
  bool in_revenue = false;
  std::map<std::string, std::string> fields;
  [[nodiscard]] std::string at(std::string_view name) const {
    const auto found = fields.find(std::string{name});
    return found == fields.end() ? std::string{} : found->second;
  }
};

std::vector<order_seen> orders_in(const redis::reply& list) {
  std::vector<order_seen> all;
  for (const auto& one : list.items) {
    if (one.items.size() != 3) continue;
    order_seen o{one.items[0].text, one.items[1].integer == 1, {}};
    const auto& hash = one.items[2].items;
    for (std::size_t i = 0; i + 1 < hash.size(); i += 2)
      o.fields[hash[i].text] = hash[i + 1].text;
    all.push_back(std::move(o));
  }
  return all;
}

/// Done, failed with the way to its dead letter, or to come.
json state_of(const std::string& step) {
  if (step.empty()) return "wait";
  if (step == progress::done) return "ok";
  const auto topic_end = step.find('/');
  if (topic_end == std::string::npos) return "fail";
  return {{"state", "fail"},
          {"href", "/dlq/" + step.substr(0, topic_end) + "?letter=" + step.substr(topic_end + 1)}};
}

std::string minute_at(std::int64_t ms) {
  return minute_of(rfc3339(ms));
}

struct minutes {
  std::int64_t from_ms = 0;
  std::vector<std::optional<std::int64_t>> orders; ///< none where it is not known
  std::vector<std::optional<double>> revenue;      ///< in whole units of the currency
  std::optional<std::int64_t> placed, cents;       ///< in all
};

minutes minutes_in(const redis::client::replies& got, std::int64_t from_ms) {
  minutes all;
  all.from_ms = from_ms;
  const auto& since = got[minutes_shown];
  for (std::size_t i = 0; i < minutes_shown; ++i) {
    const auto& sums = got[i].items;
    const bool counted = sums.size() == 2 && sums[0].kind != redis::reply::type::nil;
    const bool known = counted || (since.kind == redis::reply::type::text &&
                                   since.text <= minute_at(from_ms + static_cast<std::int64_t>(i) * 60'000));
    all.orders.emplace_back();
    all.revenue.emplace_back();
    if (!known) continue;
    const auto orders = counted ? dashboard::count_in(sums[0]) : 0;
    const auto cents = counted ? dashboard::count_in(sums[1]) : 0;
    all.orders.back() = orders;
    all.revenue.back() = static_cast<double>(cents) / 100;
    all.placed = all.placed.value_or(0) + orders;
    all.cents = all.cents.value_or(0) + cents;
  }
  return all;
}

std::string capital(std::string_view word) {
  std::string text{word};
  text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return text;
}

/// The matrix of orders and steps, and what the tiles say of it.
void add_matrix(json& shown, const std::vector<order_seen>& orders,
                const std::vector<std::string_view>& steps, bool revenue) {
  std::vector<std::pair<std::string, std::string>> columns{
      {"Order", "text"}, {"Placed", "ms_ago"}, {"Total", "money_cents"}};
  for (const auto step : steps)
    columns.emplace_back(capital(step), "state");
  if (revenue) columns.emplace_back("Analytics", "state");

  std::vector<dashboard::cells> rows;
  std::int64_t complete = 0, failed = 0;
  for (const auto& o : orders) {
    dashboard::cells row{o.id, nullptr, nullptr};
    if (const auto at = dashboard::number_in({redis::reply::type::text, o.at("placed"), 0, {}})) row[1] = *at;
    if (const auto cents = dashboard::number_in({redis::reply::type::text, o.at("cents"), 0, {}}))
      row[2] = *cents;
    for (const auto step : steps)
      row.push_back(state_of(o.at(step)));
    if (revenue) row.emplace_back(o.in_revenue ? "ok" : "wait");
    complete += std::all_of(row.begin() + 3, row.end(), [](const json& cell) { return cell == "ok"; });
    failed += std::any_of(row.begin() + 3, row.end(),
                          [](const json& cell) { return cell.is_object() || cell == "fail"; });
    rows.push_back(std::move(row));
  }
  const auto of = "of the latest " + std::to_string(rows.size());
  const auto share = rows.empty()
                         ? std::nullopt
                         : std::optional{static_cast<double>(complete) / static_cast<double>(rows.size())};
  shown["tiles"].push_back(dashboard::tile("Completed, " + of, "ratio", share));
  shown["tiles"].push_back(
      dashboard::tile("Failed, " + of, "count", rows.empty() ? std::nullopt : std::optional{failed}));
  shown["tables"].push_back(dashboard::table("Latest orders", columns, std::move(rows),
                                             "No order in the last 24 hours. Place one: curl -X POST "
                                             "localhost:8080/checkout -H 'X-Customer-ID: customer-1'"));
}

void add_minutes(json& shown, const minutes& m) {
  shown["tiles"].push_back(dashboard::tile("Orders, last whole minute", "count", m.orders.back()));
  shown["tiles"].push_back(dashboard::tile("Orders, last 60 minutes", "count", m.placed));
  shown["tiles"].push_back(dashboard::tile("Revenue, last 60 minutes", "money_cents", m.cents));
  shown["series"].push_back(dashboard::curve("Orders per minute", m.from_ms, 60'000, m.orders));
  shown["series"].push_back(dashboard::curve("Revenue per minute", m.from_ms, 60'000, m.revenue));
}

result<json> read(redis::client& redis, const config::settings& s, std::int64_t now_ms) {
  const bool revenue = dashboard::worker_with(s, "ecommerce.record_revenue") != nullptr;
  const auto* follows = dashboard::worker_with(s, "ecommerce.note_progress");
  const auto from_ms = (now_ms / 60'000 - minutes_shown) * 60'000; // the minute that goes on is not whole
  std::vector<redis::command> all;
  for (int i = 0; i < minutes_shown; ++i)
    all.push_back({"HMGET", "orders:" + minute_at(from_ms + i * 60'000), "orders", "revenue_cents"});
  all.push_back({"GET", counted_since_key});
  all.push_back({"EVAL", latest, "1", progress::latest_key, std::to_string(orders_shown)});
  const auto got = dashboard::ask_all(redis, std::move(all));
  if (!got) return got.failure();
  json shown{{"title", "Orders"},
             {"at", now_ms},
             {"tiles", json::array()},
             {"series", json::array()},
             {"tables", json::array()}};
  if (revenue) add_minutes(shown, minutes_in(*got, from_ms));
  if (!follows) return shown;
  std::vector<std::string_view> steps;
  for (const auto step : progress::steps)
    if (follows->settings.contains(std::string{step})) steps.push_back(step);
  add_matrix(shown, orders_in(got->back()), steps, revenue);
  return shown;
}

} // namespace

dashboard::panel orders_panel() {
  return {"orders",
          [](const config::settings& s) {
            return dashboard::worker_with(s, "ecommerce.record_revenue") != nullptr ||
                   dashboard::worker_with(s, "ecommerce.note_progress") != nullptr;
          },
          read};
}

} // namespace ecommerce

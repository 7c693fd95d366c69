#include "apps/analytics/minutes.hpp"

#include "apps/dashboard/panel_parts.hpp"

#include <algorithm>

namespace analytics {
namespace {

/// Nothing on the page reaches further back.
constexpr std::int64_t most_looked_at = 49 * 60;

// KEYS: what is remembered, then minutes, the earliest first. ARGV: which minute that is.
constexpr const char* find_first = R"lua(
local found = redis.call('GET', KEYS[1])
for i = 2, #KEYS do
  if found then break end
  if redis.call('EXISTS', KEYS[i]) == 1 then
    found = string.format('%.0f', ARGV[1] + i - 2)
    redis.call('SET', KEYS[1], found)
  end
end
return found
)lua";

} // namespace

std::vector<std::string> keys_of(const minute_sets& of, minute newest, std::int64_t count) {
  std::vector<std::string> all;
  for (std::int64_t ago = 0; ago < count; ++ago)
    all.push_back(of.key(newest - ago));
  return all;
}

troupe::result<std::optional<minute>> first_minutes::of(const minute_sets& sets, troupe::redis::client& redis,
                                                        const std::string& memo, minute now) {
  if (!sets) return std::optional<minute>{};
  auto& last = looks_[sets.name];
  // Before anything is counted every minute is soon enough for so many keys.
  if (last.found || last.at == now) return last.found;
  const auto count = std::min(sets.kept, most_looked_at);
  auto keys = keys_of(sets, now, count);
  troupe::redis::command ask{"EVAL", find_first, std::to_string(keys.size() + 1), memo + sets.name};
  ask.insert(ask.end(), keys.rbegin(), keys.rend());
  ask.push_back(std::to_string(now - count + 1));
  const auto got = redis.ask(std::move(ask));
  if (!got) return got.failure();
  last.at = now;
  if (troupe::dashboard::number_in(*got)) last.found = troupe::dashboard::count_in(*got);
  return last.found;
}

} // namespace analytics

#include "apps/analytics/top.hpp"

#include "apps/dashboard/panel_parts.hpp"

namespace analytics {
namespace {

using troupe::redis::command;

constexpr std::int64_t minute_ms = 60'000;
constexpr int hours = 24;
constexpr int minutes_of_hour = 60;
constexpr int minutes_of_day = hours * minutes_of_hour;
/// Events come late: an hour's sum is made when it is over for so long.
constexpr int settled_minutes = 10;
constexpr std::size_t most_made_at_once = 4;
constexpr int hour_kept_s = 50 * 3600, day_kept_s = 15, unfinished_kept_s = 2;
constexpr const char* most_of_an_hour = "1000";

// Of the earlier time only the first of the sum are read. The newest of its minutes counts in part, as the
// minute that goes on is not whole either.
// KEYS: the sum, what its first had before, what is added up, what came before, the newest minute first.
// ARGV: how long both are kept, how many members, how many are added up, how much of a minute is over.
constexpr const char* add_up = R"lua(
if redis.call('EXISTS', KEYS[1]) == 0 then
  local parts = tonumber(ARGV[3])
  redis.call('ZUNIONSTORE', KEYS[1], parts, unpack(KEYS, 3, 2 + parts))
  redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - ARGV[2])
  redis.call('ZINCRBY', KEYS[1], 0, '') -- there is a sum, though of nothing
  redis.call('EXPIRE', KEYS[1], ARGV[1])
  local first, before, any = redis.call('ZREVRANGE', KEYS[1], 0, 9), {}, false
  for i = 3 + parts, #KEYS do
    any = any or redis.call('ZCOUNT', KEYS[i], 1, '+inf') > 0
    local share = i == 3 + parts and ARGV[4] or 1
    for at, n in ipairs(redis.call('ZMSCORE', KEYS[i], unpack(first))) do
      before[at] = (before[at] or 0) + (n or 0) * share
    end
  end
  redis.call('DEL', KEYS[2])
  if any then -- without a single event it may be that nobody counted
    for at, name in ipairs(first) do redis.call('HSET', KEYS[2], name, before[at]) end
    redis.call('EXPIRE', KEYS[2], ARGV[1])
  end
end
)lua";

// KEYS: the sum, what its first had before.
constexpr const char* show = R"lua(
local first, all = redis.call('ZREVRANGE', KEYS[1], 0, 9, 'WITHSCORES'), {}
for i = 1, #first, 2 do
  all[#all + 1] = {first[i], first[i + 1], redis.call('HGET', KEYS[2], first[i])}
end
return all
)lua";

std::string before_of(const std::string& sum) {
  return sum + ":before";
}

/// `before`: none where the earlier time is not known, or of no interest.
command ask_sum(const std::string& into, int kept_s, const std::vector<std::string>& of,
                const std::vector<std::string>& before = {}, double minute_over = 1) {
  command all{"EVAL", std::string{add_up} + show, std::to_string(2 + of.size() + before.size()), into,
              before_of(into)};
  all.insert(all.end(), of.begin(), of.end());
  all.insert(all.end(), before.begin(), before.end());
  all.insert(all.end(), {std::to_string(kept_s), most_of_an_hour, std::to_string(of.size()),
                         std::to_string(minute_over)});
  return all;
}

double share_over(std::int64_t now_ms) {
  return static_cast<double>(now_ms % minute_ms) / static_cast<double>(minute_ms);
}

/// Whether Redis still has all that was counted since this minute.
bool is_kept(const minute_sets& of, minute first, minute now) {
  return first > now - of.kept;
}

} // namespace

command ask_top(const std::string& cache, int kept_s, std::int64_t now_ms, int minutes, const minute_sets& of,
                std::optional<minute> since) {
  const auto now = now_ms / minute_ms;
  const auto first_before = now - 2 * minutes + 1;
  std::vector<std::string> before;
  if (since && *since <= first_before && is_kept(of, first_before, now))
    before = keys_of(of, now - minutes, minutes);
  return ask_sum(cache, kept_s, keys_of(of, now, minutes), before, share_over(now_ms));
}

std::vector<ranked> read_top(const troupe::redis::reply& answer) {
  std::vector<ranked> all;
  for (const auto& one : answer.items)
    if (one.items.size() == 3)
      if (const auto n = troupe::dashboard::count_in(one.items[1]); n > 0)
        all.push_back({one.items[0].text, n, troupe::dashboard::number_in(one.items[2])});
  return all;
}

std::string day_top::hour_key(std::int64_t hour) const {
  return prefix_ + "hour:" + std::to_string(hour);
}

command day_top::ask() const {
  const auto sum = prefix_ + "day";
  return {"EVAL", show, "2", sum, before_of(sum)};
}

troupe::result<day_top::made> day_top::refresh(troupe::redis::client& redis, std::int64_t now_ms,
                                               std::optional<minute> since) const {
  const auto now = now_ms / minute_ms;
  const auto last_hour = (now - settled_minutes) / minutes_of_hour - 1; // over, and settled
  const auto whole_hours = hours - 1; // with the one that goes on these are 24
  const auto first_before = last_hour - hours - whole_hours + 1;
  std::vector<command> questions;
  for (auto hour = last_hour; hour >= first_before; --hour)
    questions.push_back({"EXISTS", hour_key(hour)});
  const auto there = troupe::dashboard::ask_all(redis, std::move(questions));
  if (!there) return there.failure();

  std::vector<command> making;
  bool more_to_make = false;
  const auto has_sum = [&](std::int64_t hour) {
    if ((*there)[static_cast<std::size_t>(last_hour - hour)].integer == 1) return true;
    if (!is_kept(of_, hour * minutes_of_hour, now)) return false;
    more_to_make = more_to_make || making.size() == most_made_at_once;
    if (making.size() == most_made_at_once) return false;
    making.push_back(ask_sum(hour_key(hour), hour_kept_s,
                             keys_of(of_, (hour + 1) * minutes_of_hour - 1, minutes_of_hour)));
    return true;
  };
  const auto add_hours = [&](std::vector<std::string>& parts, std::int64_t last) {
    int added = 0;
    for (auto hour = last; hour > last - whole_hours; --hour)
      if (has_sum(hour)) {
        parts.push_back(hour_key(hour));
        ++added;
      }
    return added;
  };
  const auto minutes_since = now - (last_hour + 1) * minutes_of_hour + 1;
  auto parts = keys_of(of_, now, minutes_since);
  const auto added = add_hours(parts, last_hour);
  auto before = keys_of(of_, now - minutes_of_day, minutes_since);
  const bool before_known = since && *since <= first_before * minutes_of_hour &&
                            is_kept(of_, now - minutes_of_day - minutes_since + 1, now);
  if (add_hours(before, last_hour - hours) < whole_hours || added < whole_hours || !before_known)
    before.clear();

  making.push_back({"DEL", prefix_ + "day"});
  making.push_back(ask_sum(prefix_ + "day", more_to_make ? unfinished_kept_s : day_kept_s, parts, before,
                           share_over(now_ms)));
  const auto got = troupe::dashboard::ask_all(redis, std::move(making));
  if (!got) return got.failure();
  return made{read_top(got->back()), added + 1};
}

} // namespace analytics

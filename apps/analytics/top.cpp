#include "apps/analytics/top.hpp"

#include "apps/dashboard/panel_parts.hpp"

#include <algorithm>

namespace analytics {
namespace {

using troupe::redis::command;

constexpr int hours = 24;
constexpr int minutes_of_hour = 60;
/// Events come late: an hour's sum is made when it is over for so long.
constexpr int settled_minutes = 10;
constexpr int most_made_at_once = 4;
constexpr int hour_kept_s = 26 * 3600, day_kept_s = 15, unfinished_kept_s = 2;
constexpr const char* most_of_an_hour = "1000";

// KEYS: the sum, what is added up. ARGV: how long it is kept, how many members.
constexpr const char* add_up = R"lua(
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('ZUNIONSTORE', KEYS[1], #KEYS - 1, unpack(KEYS, 2))
  redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - ARGV[2])
  redis.call('ZINCRBY', KEYS[1], 0, '') -- there is a sum, though of nothing
  redis.call('EXPIRE', KEYS[1], ARGV[1])
end
return redis.call('ZREVRANGE', KEYS[1], 0, 9, 'WITHSCORES')
)lua";

command ask_sum(const std::string& into, int kept_s, const std::vector<std::string>& of) {
  command all{"EVAL", add_up, std::to_string(of.size() + 1), into};
  all.insert(all.end(), of.begin(), of.end());
  all.insert(all.end(), {std::to_string(kept_s), most_of_an_hour});
  return all;
}

std::vector<std::string> keys_of(std::int64_t newest, std::int64_t minutes, const minute_key& key) {
  std::vector<std::string> all;
  for (std::int64_t ago = 0; ago < minutes; ++ago)
    all.push_back(key(newest - ago));
  return all;
}

} // namespace

command ask_top(const std::string& cache, int kept_s, std::int64_t newest, int minutes,
                const minute_key& key) {
  return ask_sum(cache, kept_s, keys_of(newest, minutes, key));
}

std::vector<std::pair<std::string, std::int64_t>> read_top(const troupe::redis::reply& answer) {
  std::vector<std::pair<std::string, std::int64_t>> all;
  for (std::size_t i = 0; i + 1 < answer.items.size(); i += 2)
    if (const auto n = troupe::dashboard::count_in(answer.items[i + 1]); n > 0)
      all.emplace_back(answer.items[i].text, n);
  return all;
}

std::string day_top::hour_key(std::int64_t hour) const {
  return prefix_ + "hour:" + std::to_string(hour);
}

command day_top::ask() const {
  return {"ZREVRANGE", prefix_ + "day", "0", std::to_string(most_shown - 1), "WITHSCORES"};
}

troupe::result<day_top::made> day_top::refresh(troupe::redis::client& redis, std::int64_t now_minute) const {
  const auto last_hour = (now_minute - settled_minutes) / minutes_of_hour - 1; // over, and settled
  const auto first_hour = last_hour - hours + 2; // with the one that goes on these are 24
  std::vector<command> questions;
  for (auto hour = last_hour; hour >= first_hour; --hour)
    questions.push_back({"EXISTS", hour_key(hour)});
  const auto there = troupe::dashboard::ask_all(redis, std::move(questions));
  if (!there) return there.failure();

  auto parts = keys_of(now_minute, now_minute - (last_hour + 1) * minutes_of_hour + 1, key_);
  std::vector<command> making;
  int missing = 0;
  for (auto hour = last_hour; hour >= first_hour; --hour) {
    if ((*there)[static_cast<std::size_t>(last_hour - hour)].integer == 0) {
      if (making.size() == most_made_at_once) {
        ++missing;
        continue;
      }
      making.push_back(ask_sum(hour_key(hour), hour_kept_s,
                               keys_of((hour + 1) * minutes_of_hour - 1, minutes_of_hour, key_)));
    }
    parts.push_back(hour_key(hour));
  }
  making.push_back({"DEL", prefix_ + "day"});
  making.push_back(ask_sum(prefix_ + "day", missing == 0 ? day_kept_s : unfinished_kept_s, parts));
  const auto got = troupe::dashboard::ask_all(redis, std::move(making));
  if (!got) return got.failure();
  return made{read_top(got->back()), hours - missing};
}

} // namespace analytics

#include "engine/flow/refused_partitions.hpp"

#include <utility>

namespace troupe::flow {

refused_partitions::wait refused_partitions::refused(partition_index which, std::string why,
                                                     steady_time now) {
  auto& it = waiting_[which];
  const bool news = it.tries == 0 || it.why != why;
  it.why = std::move(why);
  const auto delay = policy::delay_of(again_, ++it.tries, 0);
  it.due = now + delay;
  return {delay, news};
}

bool refused_partitions::taken(partition_index which) {
  return waiting_.erase(which) > 0;
}

std::optional<std::size_t> refused_partitions::longest_due(const std::vector<partition_index>& wanting,
                                                           steady_time now, bool last_chance) const {
  std::optional<std::size_t> first;
  steady_time since{};
  for (std::size_t i = 0; i < wanting.size(); ++i) {
    const auto at = waiting_.find(wanting[i]);
    if (at == waiting_.end() || (!last_chance && at->second.due > now)) continue;
    if (first && at->second.due >= since) continue;
    first = i;
    since = at->second.due;
  }
  return first;
}

std::vector<std::size_t> refused_partitions::next(const std::vector<partition_index>& wanting,
                                                  steady_time now, bool last_chance) {
  std::vector<std::size_t> others;
  for (std::size_t i = 0; i < wanting.size(); ++i)
    if (!waits(wanting[i])) others.push_back(i);
  const auto due = longest_due(wanting, now, last_chance);
  if (!due && others.empty()) return {};
  tried_one_ = due && (others.empty() || (!last_chance && !tried_one_));
  return tried_one_ ? std::vector{*due} : others;
}

} // namespace troupe::flow

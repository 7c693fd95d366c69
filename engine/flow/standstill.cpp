#include "engine/flow/dispatcher.hpp"

#include <algorithm>

// What of a dispatcher is under way or stands still: read, never changed.
namespace troupe::flow {

waiting_event dispatcher::describe(const task& t) {
  waiting_event w{waiting_event::reason::worker, t.event, t.partition, t.attempt, t.since, t.overdue, t.why};
  switch (t.at) {
  case stage::running:
    w.waits_for = waiting_event::reason::call;
    break;
  case stage::publishing:
    w.waits_for = waiting_event::reason::publish;
    break;
  case stage::parked:
    w.waits_for = waiting_event::reason::retry;
    break;
  case stage::held:
    w.waits_for = waiting_event::reason::brake;
    break;
  case stage::burying:
    w.waits_for = waiting_event::reason::dead_letter;
    break;
  case stage::queued:
  case stage::runnable:
  case stage::ready:
    break;
  }
  return w;
}

standstill dispatcher::look(std::size_t most_retries) const {
  std::vector<const task*> parked;
  parked.reserve(parked_);
  for (const auto& t : tasks_)
    if (t.live && t.at == stage::parked) parked.push_back(&t);
  const auto shown = std::min(most_retries, parked.size());
  std::partial_sort(parked.begin(), parked.begin() + static_cast<std::ptrdiff_t>(shown), parked.end(),
                    [](const task* a, const task* b) { return a->since < b->since; });
  standstill found;
  found.retries.reserve(shown);
  for (std::size_t i = 0; i < shown; ++i)
    found.retries.push_back(describe(*parked[i]));
  for (const auto& p : partitions_)
    if (!p.open.empty()) found.oldest.push_back(describe(*find(p.open.front())));
  return found;
}

std::vector<write_dead_letter> dispatcher::unburied() const {
  std::vector<write_dead_letter> all;
  for (std::uint32_t i = 0; i < tasks_.size(); ++i)
    if (const auto& t = tasks_[i]; t.live && t.at == stage::burying)
      all.push_back({id_of(i), t.event, t.why, t.partition});
  return all;
}

std::vector<publish_events> dispatcher::unpublished() const {
  std::vector<publish_events> all;
  for (std::uint32_t i = 0; i < tasks_.size(); ++i)
    if (const auto& t = tasks_[i]; t.live && t.at == stage::publishing && !t.publish_due)
      all.push_back(to_publish(id_of(i), t));
  return all;
}

} // namespace troupe::flow

#include "engine/flow/dispatcher.hpp"

#include <algorithm>

// What of a dispatcher stands still: read, never changed.
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
  std::vector<const task*> oldest(partitions_.size(), nullptr);
  std::vector<const task*> parked;
  parked.reserve(parked_);
  for (const auto& t : tasks_) {
    if (!t.live) continue;
    auto& first = oldest[t.partition];
    if (!first || t.event->offset < first->event->offset) first = &t;
    if (t.at == stage::parked) parked.push_back(&t);
  }
  const auto shown = std::min(most_retries, parked.size());
  std::partial_sort(parked.begin(), parked.begin() + static_cast<std::ptrdiff_t>(shown), parked.end(),
                    [](const task* a, const task* b) { return a->since < b->since; });
  standstill found;
  found.retries.reserve(shown);
  for (std::size_t i = 0; i < shown; ++i)
    found.retries.push_back(describe(*parked[i]));
  for (const auto* first : oldest)
    if (first) found.oldest.push_back(describe(*first));
  return found;
}

} // namespace troupe::flow

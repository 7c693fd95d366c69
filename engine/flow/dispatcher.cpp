#include "engine/flow/dispatcher.hpp"

#include <algorithm>
#include <utility>

namespace troupe::flow {

dispatcher::dispatcher(dispatch_rules rules, std::uint64_t seed)
    : rules_{rules}, breaker_{rules.breaker}, brake_{rules.flood}, random_{seed} {}

double dispatcher::random() {
  return std::uniform_real_distribution<double>{0, 1}(random_);
}

const dispatcher::task* dispatcher::find(task_id id) const {
  const auto index = static_cast<std::uint32_t>(id);
  if (index >= tasks_.size()) return nullptr;
  const auto& t = tasks_[index];
  return t.live && t.serial == id >> 32 ? &t : nullptr;
}

dispatcher::task* dispatcher::find(task_id id) {
  return const_cast<task*>(std::as_const(*this).find(id));
}

task_id dispatcher::id_of(std::uint32_t index) const {
  return static_cast<task_id>(tasks_[index].serial) << 32 | index;
}

std::uint32_t dispatcher::new_task() {
  std::uint32_t index = 0;
  if (free_.empty()) {
    index = static_cast<std::uint32_t>(tasks_.size());
    tasks_.emplace_back();
  } else {
    index = free_.back();
    free_.pop_back();
  }
  auto& t = tasks_[index];
  const auto serial = t.serial + 1;
  t = {};
  t.serial = serial;
  t.live = true;
  return index;
}

void dispatcher::forget(task_id id, task& t) {
  if (t.in_mailbox) --mailbox_;
  switch (t.at) {
  case stage::running:
    call_over(id, t);
    break;
  case stage::publishing:
    --publishing_;
    break;
  case stage::burying:
    --burying_;
    break;
  case stage::parked:
    --parked_;
    break;
  case stage::queued:
  case stage::runnable:
  case stage::ready:
  case stage::held:
    break;
  }
  --partitions_[t.partition].tasks;
  t.live = false;
  t.event.reset();
  t.events.clear();
  t.why = {};
  free_.push_back(static_cast<std::uint32_t>(id));
}

void dispatcher::add_partition(partition_index which) {
  if (which >= partitions_.size()) partitions_.resize(which + 1);
  partitions_[which] = {};
  partitions_[which].live = true;
}

void dispatcher::drop_partition(partition_index which, steady_time now) {
  if (which >= partitions_.size() || !partitions_[which].live) return;
  auto& p = partitions_[which];
  for (std::uint32_t i = 0; i < tasks_.size() && p.tasks > 0; ++i) {
    auto& t = tasks_[i];
    if (!t.live || t.partition != which) continue;
    const auto id = id_of(i);
    if (probe_ == id) {
      probe_.reset();
      breaker_.probe_ended(false, now);
    }
    forget(id, t);
  }
  p = {};
  std::erase(waiting_, which);
  std::erase_if(ready_, [&](task_id id) { return !find(id); });
  std::erase_if(first_, [&](task_id id) { return !find(id); });
  std::erase_if(held_, [&](task_id id) { return !find(id); });
  fill_mailbox(); // the places that came free: no one else would fill them if nothing is ready now
}

lane_table::index dispatcher::lane_of(partition_state& p, const record& event) const {
  if (rules_.order_by == ordering::partition) return p.lanes.find_or_add({}); // one for all
  if (rules_.order_by == ordering::none || !event.key) return lane_table::none;
  return p.lanes.find_or_add(*event.key);
}

void dispatcher::offer(partition_index which, std::vector<admitted> events, steady_time now) {
  auto& p = partitions_[which];
  if (!p.live) return;
  for (auto& e : events) {
    const auto index = new_task();
    auto& t = tasks_[index];
    p.open.push_back(id_of(index));
    t.partition = which;
    t.slot = e.slot;
    t.event = std::move(e.event);
    t.crashed = e.crashed;
    t.home = lane_of(p, *t.event);
    ++p.tasks;
    if (t.home != lane_table::none) {
      auto& lane = p.lanes[t.home];
      const auto before = std::exchange(lane.last, index);
      if (before != no_task) {
        tasks_[before].behind = index;
        continue;
      }
      lane.first = index;
    }
    make_runnable(id_of(index), t, now);
  }
  fill_mailbox();
}

bool dispatcher::wants_more(partition_index which) const {
  return which < partitions_.size() && partitions_[which].live && partitions_[which].runnable.empty();
}

void dispatcher::make_runnable(task_id id, task& t, steady_time now, bool first) {
  if (t.crashed.crashes >= rules_.most_crashes) {
    condemn(id, t);
    return;
  }
  t.since = now;
  if (first) {
    t.at = stage::ready;
    first_.push_back(id);
    return;
  }
  t.at = stage::runnable;
  auto& p = partitions_[t.partition];
  if (p.runnable.empty()) waiting_.push_back(t.partition);
  p.runnable.push_back(id);
}

// It waits as a dead letter that the flood brake holds would: tick() buries it.
void dispatcher::condemn(task_id id, task& t) {
  const auto times = std::to_string(t.crashed.crashes);
  t.why = {"the process crashed " + times +
               " times while it ran the handler of this event; it is not called again",
           "crash-loop", t.crashed.crashes, t.crashed.first_ms, t.crashed.last_ms};
  t.at = stage::held;
  held_.push_back(id);
}

// One event of each waiting partition in turn, so that none starves the others.
void dispatcher::fill_mailbox() {
  while (mailbox_ < rules_.mailbox && !waiting_.empty()) {
    const auto which = waiting_.front();
    waiting_.pop_front();
    auto& p = partitions_[which];
    const auto id = p.runnable.front();
    p.runnable.pop_front();
    if (!p.runnable.empty()) waiting_.push_back(which);
    auto& t = *find(id);
    t.at = stage::ready;
    t.in_mailbox = true;
    ++mailbox_;
    ready_.push_back(id);
  }
}

/// Those at the head of their partition overtake the others, but with every second call at most: a key of
/// which there is more than can be done must not take all of a small pool.
const std::deque<task_id>& dispatcher::line() const {
  return first_.empty() || (overtaken_ && !ready_.empty()) ? ready_ : first_;
}

bool dispatcher::next_is_suspect() const {
  return starts_calls() && anybody_ready() && !must_wait() && find(line().front())->crashed.crashes > 0;
}

// What hangs is not waited for: it may never end.
bool dispatcher::must_wait() const {
  return alone_ || (running_ > overdue_ && find(line().front())->crashed.crashes > 0);
}

void dispatcher::call_over(task_id id, task& t) {
  --running_;
  if (std::exchange(t.overdue, false)) --overdue_;
  if (alone_ == id) alone_.reset();
}

std::optional<call_handler> dispatcher::next(steady_time now) {
  if (!starts_calls() || !anybody_ready() || must_wait()) return std::nullopt;
  const bool probing = !breaker_.closed();
  if (probing) {
    const auto due = breaker_.probe_due();
    if (!due || *due > now) return std::nullopt;
    breaker_.probe_started();
  }
  overtaken_ = &line() == &first_;
  auto& from = overtaken_ ? first_ : ready_;
  const auto id = from.front();
  from.pop_front();
  auto& t = *find(id);
  if (probing) probe_ = id;
  if (t.in_mailbox) {
    t.in_mailbox = false;
    --mailbox_;
    fill_mailbox();
  }
  t.at = stage::running;
  ++running_;
  const bool alone = t.crashed.crashes > 0;
  if (alone) alone_ = id;
  return call_handler{id, t.event, t.attempt, t.since, alone};
}

void dispatcher::note_failure(task& t, const std::string& reason, const std::string& error_class,
                              std::int64_t wall) const {
  if (t.why.first_failed_ms == 0) t.why.first_failed_ms = wall;
  t.why.failed_ms = wall;
  t.why.reason = reason;
  t.why.error_class = error_class;
  t.why.attempts = t.attempt;
}

void dispatcher::park(task_id id, task& t, steady_time due) {
  t.at = stage::parked;
  t.since = due;
  ++parked_;
  due_.push({due, id});
}

void dispatcher::settle_breaker(task_id id, task& t, bool ok, const outcome& result, steady_time now,
                                std::vector<action>& out) {
  if (probe_ == id) {
    probe_.reset();
    breaker_.probe_ended(ok, now, result.retry_after);
    if (!ok) return;
    brake_.release();
    out.push_back(notice{notice::kind::breaker_closed, t.event, "a probe succeeded", {}});
    bury_held(now, out);
    return;
  }
  // That an event is bad says nothing about the downstream.
  if (result.kind == verdict::permanent) return;
  if (breaker_.record(ok, result.kind == verdict::unavailable, now, result.retry_after))
    out.push_back(notice{notice::kind::breaker_opened, t.event, result.reason, result.error_class});
}

void dispatcher::called(task_id id, outcome result, steady_time now, std::int64_t wall,
                        std::vector<action>& out) {
  auto* t = find(id);
  if (!t || t->at != stage::running) return;
  call_over(id, *t);
  t->at = stage::ready;
  settle_breaker(id, *t, result.kind == verdict::success, result, now, out);
  switch (result.kind) {
  case verdict::success:
    if (result.events.empty()) {
      brake_.record(false);
      finish(id, *t, now, out);
    } else {
      t->at = stage::publishing;
      ++publishing_;
      t->events = std::move(result.events);
      out.push_back(to_publish(id, *t));
    }
    return;
  case verdict::transient:
    note_failure(*t, result.reason, result.error_class, wall);
    retry_or_give_up(id, *t, result, now, out);
    return;
  case verdict::permanent:
    note_failure(*t, result.reason, result.error_class, wall);
    give_up(id, *t, now, out);
    return;
  case verdict::unavailable:
    // Spends no attempt and keeps its key; it waits for the breaker with the others, behind them, so that
    // the next probe is another key's.
    ready_.push_back(id);
    return;
  }
}

void dispatcher::retry_or_give_up(task_id id, task& t, const outcome& result, steady_time now,
                                  std::vector<action>& out) {
  const auto delay = policy::next_delay(rules_.retry, t.attempt, random());
  if (!delay) {
    give_up(id, t, now, out);
    return;
  }
  out.push_back(notice{notice::kind::retry, t.event, result.reason, result.error_class});
  ++t.attempt;
  // A downstream may ask for more time than a clock holds.
  const auto most = std::chrono::floor<milliseconds>(steady_time::max() - std::max(now, steady_time{}));
  park(id, t, now + std::min(std::max(*delay, result.retry_after.value_or(milliseconds{0})), most));
}

void dispatcher::overdue(task_id id, steady_time now) {
  auto* t = find(id);
  if (t && t->at == stage::running && !std::exchange(t->overdue, true)) ++overdue_;
  if (alone_ == id) alone_.reset();
  if (probe_ != id) return;
  probe_.reset();
  breaker_.probe_ended(false, now);
}

void dispatcher::worker_died(task_id id, steady_time now, std::int64_t wall, std::vector<action>& out) {
  auto* t = find(id);
  if (!t || t->at != stage::running) return;
  call_over(id, *t);
  const auto result = outcome::transient("the worker died", "worker_died");
  if (probe_ == id) settle_breaker(id, *t, false, result, now, out);
  note_failure(*t, result.reason, result.error_class, wall);
  retry_or_give_up(id, *t, result, now, out);
}

void dispatcher::give_up(task_id id, task& t, steady_time now, std::vector<action>& out) {
  if (pull_brake(t.event, t.why, now, out)) {
    bury(id, t, out);
  } else if (brake_.pulled()) {
    // At most one dead letter per open_for: the others keep their keys until then.
    t.at = stage::held;
    held_.push_back(id);
    bury_held(now, out);
  } else {
    bury(id, t, out);
  }
}

/// Counts a dead letter; true if it pulled the brake.
bool dispatcher::pull_brake(const record_ptr& event, const failure_record& why, steady_time now,
                            std::vector<action>& out) {
  if (!brake_.record(true)) return false;
  breaker_.trip(now);
  next_burial_ = now + rules_.breaker.open_for;
  out.push_back(notice{notice::kind::flood, event, why.reason, why.error_class});
  return true;
}

publish_events dispatcher::to_publish(task_id id, const task& t) {
  return {id, t.events, t.partition, t.event, t.attempt};
}

void dispatcher::bury(task_id id, task& t, std::vector<action>& out) {
  t.at = stage::burying;
  ++burying_;
  out.push_back(write_dead_letter{id, t.event, t.why, t.partition});
}

void dispatcher::finish(task_id id, task& t, steady_time now, std::vector<action>& out) {
  out.push_back(event_done{t.partition, t.slot, std::move(t.event)});
  const auto home = t.home;
  const auto successor = t.behind;
  auto& p = partitions_[t.partition];
  forget(id, t);
  while (!p.open.empty() && !find(p.open.front()))
    p.open.pop_front();
  if (home == lane_table::none) return;
  if (successor == no_task) {
    p.lanes.remove(home);
    return;
  }
  p.lanes[home].first = successor;
  const auto next = id_of(successor);
  make_runnable(next, tasks_[successor], now, p.open.front() == next);
  fill_mailbox();
}

void dispatcher::published(task_id id, const std::optional<error>& failure, steady_time now,
                           std::int64_t wall, std::vector<action>& out) {
  auto* t = find(id);
  if (!t || t->at != stage::publishing || t->publish_due) return;
  if (!failure) {
    --publishing_;
    t->at = stage::ready;
    brake_.record(false);
    finish(id, *t, now, out);
  } else if (failure->code == errc::too_large) {
    --publishing_;
    t->at = stage::ready;
    t->events.clear();
    note_failure(*t, failure->detail, "too_large", wall);
    give_up(id, *t, now, out);
  } else {
    // The handler did its work: only the publish is repeated, the key stays held.
    t->publish_due = true;
    due_.push({now + policy::delay_of(rules_.retry, ++t->tries, random()), id});
    out.push_back(notice{notice::kind::retry, t->event, failure->detail, "publish"});
  }
}

void dispatcher::dead_letter_written(task_id id, steady_time now, std::vector<action>& out) {
  auto* t = find(id);
  if (!t || t->at != stage::burying) return;
  --burying_;
  t->at = stage::ready;
  finish(id, *t, now, out);
}

void dispatcher::held_back(task_id id, steady_time now, std::vector<action>& out) {
  auto* t = find(id);
  if (!t || t->at != stage::publishing || t->publish_due) return;
  --publishing_;
  t->at = stage::ready;
  finish(id, *t, now, out);
}

void dispatcher::held_was_published() {
  brake_.record(false);
}

// Its key went on long ago: the brake stops what is to come, not this one.
void dispatcher::held_is_dead(const record_ptr& event, const failure_record& why, steady_time now,
                              std::vector<action>& out) {
  pull_brake(event, why, now, out);
}

void dispatcher::tick(steady_time now, std::vector<action>& out) {
  while (!due_.empty() && due_.top().at <= now) {
    const auto id = due_.top().id;
    due_.pop();
    auto* t = find(id);
    if (!t) continue;
    if (t->at == stage::parked) {
      --parked_;
      t->at = stage::ready;
      t->since = now;
      ready_.push_back(id);
    } else if (t->at == stage::publishing && t->publish_due) {
      t->publish_due = false;
      out.push_back(to_publish(id, *t));
    }
  }
  bury_held(now, out);
}

// One per open_for while the brake is pulled, all of them once it is released. None in a drain: it would
// start what the stop then cuts, and the next start would bury it again.
void dispatcher::bury_held(steady_time now, std::vector<action>& out) {
  while (!draining_ && !held_.empty() && (!brake_.pulled() || next_burial_ <= now)) {
    if (brake_.pulled()) next_burial_ = now + std::max(rules_.breaker.open_for, milliseconds{1});
    const auto id = held_.front();
    held_.pop_front();
    bury(id, *find(id), out);
  }
}

std::optional<steady_time> dispatcher::next_due() const {
  std::optional<steady_time> due;
  const auto consider = [&](steady_time t) { due = due ? std::min(*due, t) : t; };
  if (!due_.empty()) consider(due_.top().at);
  if (!draining_ && !held_.empty()) consider(brake_.pulled() ? next_burial_ : steady_time{});
  if (starts_calls() && anybody_ready() && !must_wait())
    if (const auto probe = breaker_.probe_due()) consider(*probe);
  return due;
}

void dispatcher::change(const dispatch_rules& rules) {
  const auto order = rules_.order_by;
  rules_ = rules;
  rules_.order_by = order;
  breaker_.change(rules.breaker);
  brake_.change(rules.flood);
  fill_mailbox();
}

void dispatcher::reset_breaker(std::vector<action>& out) {
  breaker_.reset();
  brake_.reset();
  probe_.reset(); // what still runs is a call like any other
  bury_held({}, out);
}

} // namespace troupe::flow

#include "actors/supervisor.hpp"

#include "engine/log/log.hpp"

#include <algorithm>

// What operators see of a pool, and what they want of it.
namespace troupe::actors {
namespace {

/// An event that has not moved for so long blocks its partition; a sooner one is on its way.
constexpr milliseconds blocks_after{2000};

std::string_view words_for(flow::waiting_event::reason why) {
  using enum flow::waiting_event::reason;
  switch (why) {
  case call:
    return "its handler runs";
  case worker:
    return "it waits for a worker";
  case retry:
    return "it waits to be tried again";
  case publish:
    return "what it publishes is not acknowledged";
  case dead_letter:
    return "its dead letter is not acknowledged";
  case brake:
    return "its dead letter is held back by the flood brake";
  }
  return {};
}

state::parked_event parked(const std::string& actor, const flow::waiting_event& e, steady_time now,
                           std::int64_t wall) {
  state::parked_event p;
  p.actor = actor;
  p.topic = *e.event->topic;
  p.partition = e.event->partition;
  p.offset = e.event->offset;
  p.due_ms = wall + std::chrono::duration_cast<milliseconds>(e.since - now).count();
  p.since_ms = e.why.first_failed_ms;
  p.attempt = e.attempt;
  p.error = e.why.reason;
  p.error_class = e.why.error_class;
  return p;
}

/// nullopt: it is on its way.
std::optional<state::blocker> blocker_of(const flow::waiting_event& e, steady_time now, std::int64_t wall) {
  const bool failed = e.why.first_failed_ms > 0;
  if (e.since == steady_time{} && !failed) return std::nullopt;
  const auto since =
      failed ? e.why.first_failed_ms : wall - std::chrono::duration_cast<milliseconds>(now - e.since).count();
  if (wall - since < blocks_after.count()) return std::nullopt;
  std::string why =
      e.overdue ? "its handler is past its deadline and blocks" : std::string{words_for(e.waits_for)};
  if (failed)
    why += ", attempt " + std::to_string(e.attempt) + ": " + e.why.reason.substr(0, state::longest_error);
  return state::blocker{e.event->offset, since, std::move(why)};
}

} // namespace

std::string supervisor_state::pool_in_words() const {
  state::desired now;
  now.paused = pool->paused();
  now.workers = spec.pool.workers;
  return in_words(now);
}

/// The file's pool, with what operators want over it.
void supervisor_state::obey_desired() {
  const auto before = pool_in_words();
  const auto& file = std::get<config::worker_actor>(actor.kind).pool;
  const auto wanted = shared->desired.of(actor.name).value_or(state::desired{});
  pool->pause(wanted.paused);
  resize(std::min(wanted.workers.value_or(file.workers), spec.pool.max_workers));
  if (const auto now = pool_in_words(); now != before)
    log::info("pool_changed", "the pool was changed",
              {{"actor", actor.name}, {"before", before}, {"after", now}, {"by", wanted.by}});
}

state::answer supervisor_state::obey(const pool_order& what) {
  state::answer said;
  said.before = pool_in_words();
  const auto wanted = shared->desired.of(actor.name);
  obey_desired();
  if (what.reset) pool->reset_breaker(actions);
  said.after = pool_in_words();
  said.done = !wanted || wanted->workers.value_or(0) <= spec.pool.max_workers;
  if (!said.done)
    said.text =
        "max_workers of this process is " + std::to_string(spec.pool.max_workers) + ": raise it in its file";
  return said;
}

pool_report supervisor_state::report() const {
  const auto now = std::chrono::steady_clock::now();
  const auto wall = wall_ms();
  pool_report all;
  all.actor = actor.name;
  all.pool.workers = spec.pool.workers;
  all.pool.busy = busy_slots();
  all.pool.most_workers = spec.pool.max_workers;
  all.pool.queued = pool->mailbox();
  all.pool.capacity = spec.pool.mailbox;
  all.pool.parked = pool->parked();
  all.pool.paused = pool->paused();
  all.pool.breaker_open = !pool->breaker_closed();
  const auto still = pool->look(state::most_retries);
  for (const auto& e : still.retries)
    all.parked.push_back(parked(actor.name, e, now, wall));
  for (const auto& e : still.oldest)
    if (auto b = blocker_of(e, now, wall)) all.blocked[{*e.event->topic, e.event->partition}] = std::move(*b);
  return all;
}

} // namespace troupe::actors

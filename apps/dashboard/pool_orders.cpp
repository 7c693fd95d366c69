#include "apps/dashboard/pool_orders.hpp"

#include "engine/core/uuid.hpp"

#include <algorithm>

namespace troupe {

std::optional<std::string> objection(const config::settings& s, const std::string& action,
                                     const std::string& actor, const std::optional<unsigned>& workers) {
  if (!state::action_named(action)) return "'" + action + "' is none of pause, resume, resize, reset";
  const auto at =
      std::find_if(s.actors.begin(), s.actors.end(), [&](const auto& a) { return a.name == actor; });
  if (at == s.actors.end()) {
    std::string names;
    for (const auto& a : s.actors)
      if (std::holds_alternative<config::worker_actor>(a.kind)) names += (names.empty() ? "" : ", ") + a.name;
    return "the config has no actor '" + actor + "'; those with a pool: " + (names.empty() ? "none" : names);
  }
  const auto* w = std::get_if<config::worker_actor>(&at->kind);
  if (!w) return "'" + actor + "' has no pool: only actors with a handler and `consume` have one";
  if ((action == "resize") != workers.has_value())
    return workers ? action + " takes no number" : "resize needs the number of workers";
  if (workers && (*workers < 1 || *workers > w->pool.max_workers))
    return "'" + actor + "' can have 1 to " + std::to_string(w->pool.max_workers) +
           " workers; more need a higher pool.max_workers in its file";
  return std::nullopt;
}

state::order new_order(const std::string& action, const std::string& actor, std::optional<unsigned> workers,
                       const std::string& by) {
  const auto now = wall_ms();
  return {random_uuid(), *state::action_named(action), actor, workers, by, now, now + order_patience.count()};
}

std::vector<std::string> live_instances(const state::overview& o) {
  std::vector<std::string> live;
  for (const auto& i : o.instances)
    if (i.presence == state::presence::live) live.push_back(i.id);
  return live;
}

bool all_answered(const std::map<std::string, state::answer>& answers, const std::vector<std::string>& of) {
  return std::all_of(of.begin(), of.end(), [&](const auto& i) { return answers.contains(i); });
}

std::size_t done_in(const std::map<std::string, state::answer>& answers, const std::vector<std::string>& of) {
  return static_cast<std::size_t>(std::count_if(of.begin(), of.end(), [&](const auto& i) {
    const auto at = answers.find(i);
    return at != answers.end() && at->second.done;
  }));
}

std::string outcome_of(const std::map<std::string, state::answer>& answers,
                       const std::vector<std::string>& of) {
  return std::to_string(done_in(answers, of)) + " of " + std::to_string(of.size()) + " processes did it";
}

} // namespace troupe

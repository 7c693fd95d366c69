#include "apps/dashboard/commands_api.hpp"

#include "apps/dashboard/answers.hpp"
#include "apps/dashboard/pool_orders.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace troupe::dashboard {
namespace {

using nlohmann::json;

constexpr std::size_t most_waiting = 16;
constexpr std::size_t most_remembered = 200;
constexpr milliseconds look_every{500};
constexpr const char* place = "/api/v1/commands/";

json as_json(const std::map<std::string, state::answer>& answers) {
  auto all = json::object();
  for (const auto& [instance, a] : answers)
    all[instance] = {
        {"done", a.done}, {"runs_it", a.runs_it}, {"before", a.before}, {"after", a.after}, {"text", a.text}};
  return all;
}

/// A whole number that a pool could have; nothing where there is none.
std::optional<unsigned> workers_in(const json& body) {
  const auto at = body.find("workers");
  if (at == body.end() || !at->is_number_unsigned()) return std::nullopt;
  return static_cast<unsigned>(std::min<std::uint64_t>(at->get<std::uint64_t>(), 1'000'000));
}

} // namespace

commands_api::commands_api(const present_config& config, std::shared_ptr<redis::client> redis)
    : config_{config}, redis_{std::move(redis)}, clerk_{most_waiting}, notary_{look_every,
                                                                               [this] { conclude(); }} {}

std::vector<endpoint> commands_api::endpoints() {
  return {{"POST", "/api/v1/commands", true,
           [this](const http::request& asked, const visitor& who, http::reply to) {
             clerk_.hand_in(std::move(to),
                            [this, asked, by = who.user](http::reply& back) { give(asked, by, back); });
           }},
          {"GET", std::string{place} + '*', false,
           [this](const http::request& asked, const visitor&, http::reply to) {
             clerk_.hand_in(std::move(to), [this, id = std::string{rest_of(asked, place)}](
                                               http::reply& back) { tell(id, back); });
           }}};
}

void commands_api::give(const http::request& asked, const std::string& by, http::reply& to) {
  const auto body = object_in(asked);
  const auto action = body ? text_in(*body, "action") : std::nullopt;
  const auto actor = body ? text_in(*body, "actor") : std::nullopt;
  if (!action || !actor)
    return to(problem(400, R"(write {"action": "pause|resume|resize|reset", "actor": NAME, "workers": N})"));
  const auto workers = workers_in(*body);
  const auto settings = config_.get();
  if (const auto why = objection(*settings, *action, *actor, workers)) return to(problem(400, *why));
  const auto seen = state::reader{redis_, settings->app}.read(wall_ms());
  if (!seen) return to(problem(seen.failure()));
  given one{new_order(*action, *actor, workers, by), live_instances(*seen), false};
  const auto was = state::give(*redis_, state::layout{settings->app}, one.what);
  if (!was) return to(problem(was.failure()));
  const auto id = one.what.id;
  {
    const std::lock_guard hold{lock_};
    given_.push_back(std::move(one));
    if (given_.size() > most_remembered) given_.pop_front();
  }
  to(json_answer({{"id", id}}, 202));
}

void commands_api::tell(const std::string& id, http::reply& to) {
  const auto settings = config_.get();
  const auto answers = state::answers_to(*redis_, state::layout{settings->app}, id);
  if (!answers) return to(problem(answers.failure()));
  std::optional<std::size_t> expected;
  {
    const std::lock_guard hold{lock_};
    for (const auto& g : given_)
      if (g.what.id == id) expected = g.live.size();
  }
  // Another process gave it, or this one in a former life.
  if (!expected && answers->empty())
    return to(problem(404, "no command of this id was given within the last hour"));
  to(json_answer(
      {{"id", id}, {"answers", as_json(*answers)}, {"expected", expected.value_or(answers->size())}}));
}

/// What became of each order, once all have answered or nobody will any more.
void commands_api::conclude() {
  std::vector<given> open;
  {
    const std::lock_guard hold{lock_};
    std::copy_if(given_.begin(), given_.end(), std::back_inserter(open),
                 [](const given& g) { return !g.concluded; });
  }
  const state::layout keys{config_.get()->app};
  for (const auto& g : open) {
    const auto answers = state::answers_to(*redis_, keys, g.what.id);
    if (!answers || (!all_answered(*answers, g.live) && wall_ms() < g.what.deadline_ms)) continue;
    if (!state::conclude(*redis_, keys, g.what, outcome_of(*answers, g.live))) continue;
    const std::lock_guard hold{lock_};
    for (auto& one : given_)
      if (one.what.id == g.what.id) one.concluded = true;
  }
}

} // namespace troupe::dashboard

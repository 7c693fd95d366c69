#include "apps/dashboard/reading_api.hpp"

#include "apps/dashboard/answers.hpp"
#include "apps/dashboard/history.hpp"
#include "apps/dashboard/live_document.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>

namespace troupe::dashboard {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr std::size_t most_readings = 16, most_taps = 4;
constexpr std::size_t longest_value = 1024;
constexpr std::size_t most_charts = 64;
constexpr std::size_t most_entries = 1000, usual_entries = 200;
constexpr std::string_view actors = "/api/v1/actors/", config_end = "/config";

const config::actor* actor_of(const config::settings& s, std::string_view name) {
  const auto at =
      std::find_if(s.actors.begin(), s.actors.end(), [&](const config::actor& a) { return a.name == name; });
  return at == s.actors.end() ? nullptr : &*at;
}

http::response no_such_actor(std::string_view name) {
  return problem(404, "the config has no actor '" + std::string{name} + "'");
}

json event_json(const record& e, bool payloads) {
  json j{{"topic", *e.topic}, {"partition", e.partition}, {"offset", e.offset}};
  if (e.timestamp_ms >= 0) j["timestamp"] = e.timestamp_ms;
  if (!payloads) return j;
  if (e.key) j["key"] = e.key->substr(0, longest_value);
  if (e.value) {
    j["value"] = e.value->substr(0, longest_value);
    if (e.value->size() > longest_value) j["cut"] = true;
  }
  return j;
}

} // namespace

reading_api::reading_api(const present_config& config, std::shared_ptr<redis::client> redis)
    : config_{config}, redis_{std::move(redis)}, archivist_{most_readings}, tapster_{most_taps} {}

std::vector<endpoint> reading_api::endpoints() {
  return {
      {"GET", "/api/v1/history", false,
       [this](const http::request& asked, const visitor&, http::reply to) {
         archivist_.hand_in(std::move(to), [this, asked](http::reply& back) { history(asked, back); });
       }},
      {"GET", "/api/v1/audit", false,
       [this](const http::request& asked, const visitor&, http::reply to) {
         archivist_.hand_in(std::move(to), [this, asked](http::reply& back) { audit(asked, back); });
       }},
      {"GET", std::string{actors} + '*', false,
       [this](const http::request& asked, const visitor&, http::reply to) { to(config_of(asked)); }},
      {"GET", "/api/v1/tap", false, [this](const http::request& asked, const visitor& who, http::reply to) {
         tapster_.hand_in(std::move(to), [this, asked, payloads = who.reads_payloads](http::reply& back) {
           tap(asked, payloads, back);
         });
       }}};
}

void reading_api::history(const http::request& asked, http::reply& to) {
  const auto actor = parameter(asked, "actor").value_or("");
  const auto over = parameter(asked, "window").value_or("15m");
  if (over != "15m" && over != "24h") return to(problem(400, "window is 15m or 24h"));
  const auto settings = config_.get();
  const auto name = actor == "(all)" ? "" : actor;
  if (!name.empty() && !actor_of(*settings, name)) return to(no_such_actor(name));
  // Many look at the same charts, whose steps are longer than this.
  const auto now = std::chrono::steady_clock::now();
  std::erase_if(charts_, [&](const auto& one) { return now - one.second.at > 3s; });
  auto& known = charts_[{name, over}];
  if (known.text.empty()) {
    const auto made = read_history(*redis_, settings->app, name,
                                   over == "24h" ? window::day : window::quarter_of_an_hour, wall_ms());
    if (!made) {
      charts_.erase({name, over});
      return to(problem(made.failure()));
    }
    known = {now, text_of(*made)};
  }
  to({.content_type = "application/json", .body = known.text});
  if (charts_.size() > most_charts) charts_.clear();
}

void reading_api::audit(const http::request& asked, http::reply& to) {
  const auto before = parameter(asked, "before").value_or("");
  std::size_t most = usual_entries;
  if (const auto text = parameter(asked, "max")) {
    const auto [end, failed] = std::from_chars(text->data(), text->data() + text->size(), most);
    if (failed != std::errc{} || end != text->data() + text->size() || most == 0)
      return to(problem(400, "max is a number, as in max=200"));
  }
  if (before.find_first_not_of("0123456789-") != std::string::npos)
    return to(problem(400, "before is the id of an entry"));
  const auto found = state::reader{redis_, config_.get()->app}.audit(before, std::min(most, most_entries));
  if (!found) return to(problem(found.failure()));
  auto entries = json::array();
  for (const auto& e : *found)
    entries.push_back(as_json(e));
  to(json_answer({{"entries", std::move(entries)}}));
}

http::response reading_api::config_of(const http::request& asked) const {
  auto name = rest_of(asked, actors);
  if (!name.ends_with(config_end)) return problem(404, "the API has no such place; did you mean /config?");
  name.remove_suffix(config_end.size());
  const auto settings = config_.get();
  const auto* actor = actor_of(*settings, name);
  if (!actor) return no_such_actor(name);
  return json_answer({{"place", actor->where}, {"text", actor->text}});
}

void reading_api::tap(const http::request& asked, bool payloads, http::reply& to) {
  const auto settings = config_.get();
  const auto name = parameter(asked, "actor").value_or("");
  const auto* actor = actor_of(*settings, name);
  if (!actor) return to(no_such_actor(name));
  const auto found = taps_.newest(*settings, *actor);
  if (!found) return to(problem(found.failure()));
  auto events = json::array();
  for (const auto& e : *found)
    events.push_back(event_json(e, payloads));
  to(json_answer({{"events", std::move(events)}}));
}

} // namespace troupe::dashboard

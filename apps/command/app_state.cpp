#include "apps/command/app_state.hpp"

#include "apps/command/words.hpp"

#include <algorithm>

namespace troupe {
namespace {

using nlohmann::json;

/// Open dead letters in the topics that this actor's go to.
std::optional<std::int64_t> dead_letters_of(const config::actor& a, const state::overview& o) {
  if (kind_of(a) != "handler" || o.instances.empty()) return std::nullopt; // nobody ever counted them
  std::int64_t open = 0;
  for (const auto& [topic, n] : o.dead_letters)
    if (buries_in(a, topic)) open += n;
  return open;
}

std::string workers_cell(const std::optional<state::actor_view>& v) {
  if (!v || !v->workers) return std::string{words::unknown};
  const auto workers = std::to_string(*v->workers);
  if (v->paused > 0 && v->paused == v->reporting) return "paused/" + workers;
  if (v->breaker_open > 0 && v->breaker_open == v->reporting) return "broken/" + workers;
  return std::to_string(v->busy.value_or(0)) + '/' + workers;
}

std::string queue_cell(const std::optional<state::actor_view>& v) {
  if (!v || !v->queued || !v->capacity) return std::string{words::unknown};
  return std::to_string(*v->queued) + '/' + std::to_string(*v->capacity);
}

/// What is unusual about it: partial sums, what operators want, a pool that is open or paused in places.
std::string remarks(const std::optional<state::actor_view>& v, const state::overview& o) {
  if (!v) return {};
  std::string text;
  const auto add = [&](const std::string& one) { text += (text.empty() ? "" : ", ") + one; };
  if (v->reporting > 0 && v->reporting < o.expected)
    add(std::to_string(v->reporting) + '/' + std::to_string(o.expected) + " reporting");
  if (v->breaker_open > 0) add("breaker open");
  if (v->desired && (v->desired->paused || v->desired->workers))
    add(in_words(v->desired) + ": " + v->desired->by + ' ' + words::ago(v->desired->at_ms, o.at_ms));
  return text;
}

json desired_json(const std::optional<state::desired>& d) {
  if (!d) return nullptr;
  return {{"paused", d->paused}, {"workers", known(d->workers)}, {"by", d->by}, {"at", rfc3339(d->at_ms)}};
}

json actor_json(const actor_row& r) {
  const auto v = r.seen.value_or(state::actor_view{});
  json j{{"name", r.name}, {"kind", r.kind}, {"reporting", v.reporting}};
  j["workers"] = known(v.workers);
  j["busy"] = known(v.busy);
  j["max_workers"] = known(v.most_workers);
  j["queued"] = known(v.queued);
  j["capacity"] = known(v.capacity);
  j["paused"] = v.workers ? json(v.paused) : json(nullptr);
  j["breaker_open"] = v.workers ? json(v.breaker_open) : json(nullptr);
  j["per_second"] = known(v.per_second);
  j["errors_per_second"] = known(v.errors_per_second);
  j["p50_s"] = known(v.p50_s);
  j["p95_s"] = known(v.p95_s);
  j["p99_s"] = known(v.p99_s);
  j["retries"] = known(r.retries);
  j["dlq"] = known(r.dead_letters);
  j["lag"] = known(r.lag);
  j["behind_s"] = known(r.behind_s);
  j["desired"] = desired_json(v.desired);
  return j;
}

json instance_json(const state::instance_view& i) {
  return {{"id", i.id},
          {"host", i.host},
          {"pid", known(i.pid)},
          {"version", i.version},
          {"config", i.config_digest},
          {"state", name_of(i.presence)},
          {"phase", i.phase},
          {"beat", rfc3339(i.beat_ms)},
          {"started", i.start_ms ? json(rfc3339(*i.start_ms)) : json(nullptr)},
          {"resident_bytes", known(i.resident_bytes)},
          {"cpu_s", known(i.cpu_seconds)}};
}

} // namespace

std::string text_of(const json& j) {
  return j.dump(-1, ' ', false, json::error_handler_t::replace) + '\n';
}

std::vector<actor_row> rows_of(const config::settings& s, const state::overview& o) {
  std::vector<actor_row> rows;
  for (const auto& a : s.actors) {
    actor_row r{a.name, kind_of(a), {}, {}, {}, {}, {}};
    if (const auto at = o.actors.find(a.name); at != o.actors.end()) r.seen = at->second;
    if (r.seen && r.seen->parked) r.retries = static_cast<std::int64_t>(*r.seen->parked);
    r.dead_letters = dead_letters_of(a, o);
    if (r.seen) {
      r.lag = r.seen->lag;
      r.behind_s = r.seen->behind_s;
    }
    rows.push_back(std::move(r));
  }
  return rows;
}

void fill_lag(std::vector<actor_row>& rows, const config::settings& s, group_watch& watch,
              std::int64_t now_ms) {
  std::vector<std::string> unknown;
  for (const auto& a : s.actors)
    if (consume_of(a) &&
        std::any_of(rows.begin(), rows.end(), [&](const auto& r) { return r.name == a.name && !r.lag; }))
      unknown.push_back(a.name);
  if (unknown.empty()) return;
  const auto found = watch.look(unknown, milliseconds{3000});
  if (!found) return;
  for (auto& r : rows) {
    const auto at = found->find(r.name);
    const auto of =
        std::find_if(s.actors.begin(), s.actors.end(), [&](const auto& a) { return a.name == r.name; });
    if (at == found->end() || of == s.actors.end()) continue;
    const auto start = consume_of(*of)->start;
    r.lag = 0;
    r.behind_s = 0;
    for (const auto& p : at->second) {
      *r.lag += lag_of(p, start);
      const auto behind = behind_of(p, start, now_ms);
      if (!behind)
        r.behind_s.reset();
      else if (r.behind_s)
        r.behind_s = std::max(*r.behind_s, *behind);
    }
  }
}

std::string shown(const std::vector<actor_row>& rows, const state::overview& o) {
  std::vector<std::vector<std::string>> cells{
      {"ACTOR", "WORKERS", "QUEUE", "EV/S", "P99", "RETRY", "DLQ", "LAG", "BEHIND", ""}};
  for (const auto& r : rows) {
    const auto& v = r.seen;
    cells.push_back({r.name, workers_cell(v), queue_cell(v), words::rate(v ? v->per_second : std::nullopt),
                     words::latency(v ? v->p99_s : std::nullopt), words::count(r.retries),
                     words::count(r.dead_letters), words::count(r.lag), words::span(r.behind_s),
                     remarks(v, o)});
  }
  return words::table(cells);
}

std::string shown_instances(const state::overview& o) {
  std::vector<std::vector<std::string>> cells{
      {"INSTANCE", "STATE", "BEAT", "HOST", "PID", "MEMORY", "VERSION"}};
  for (const auto& i : o.instances) {
    const auto memory =
        i.resident_bytes ? std::to_string(*i.resident_bytes >> 20) + " MiB" : std::string{words::unknown};
    const auto state =
        i.presence == state::presence::live && i.phase != "running" ? i.phase : name_of(i.presence);
    cells.push_back({i.id, state, words::ago(i.beat_ms, o.at_ms), i.host,
                     i.pid ? std::to_string(*i.pid) : "–", memory, i.version});
  }
  return words::table(cells);
}

json as_json(const std::vector<actor_row>& rows, const state::overview& o) {
  json all{{"schema", 1}, {"at", rfc3339(o.at_ms)}, {"expected", o.expected}};
  all["instances"] = json::array();
  for (const auto& i : o.instances)
    all["instances"].push_back(instance_json(i));
  all["actors"] = json::array();
  for (const auto& r : rows)
    all["actors"].push_back(actor_json(r));
  return all;
}

} // namespace troupe

#include "apps/dashboard/live_document.hpp"

#include "apps/dashboard/actor_facts.hpp"
#include "apps/dashboard/figures.hpp"
#include "apps/dashboard/partitions.hpp"

#include <algorithm>
#include <optional>

namespace troupe::dashboard {
namespace {

using nlohmann::json;

constexpr std::size_t most_retries = 100;

std::string handler_text(const config::worker_actor& w) {
  if (const auto* named = std::get_if<config::named_handler>(&w.handler)) return named->name;
  if (std::holds_alternative<config::simulate_handler>(w.handler)) return "simulate";
  // Its URL may hold a password or a token.
  auto url = std::get<config::http_handler>(w.handler).url;
  url = url.substr(0, url.find('?'));
  const auto host = url.find("://"), at = url.rfind('@');
  if (host != std::string::npos && at != std::string::npos && at > host) url.erase(host + 3, at - host - 2);
  return url;
}

json topics_of(const config::actor& a) {
  if (const auto* consume = consume_of(a)) return consume->topics;
  if (const auto* i = std::get_if<config::ingest_actor>(&a.kind)) return json::array({i->topic});
  return json::array({std::get<config::generate_actor>(a.kind).topic});
}

/// Those by the file, and those that there are.
json dead_letter_topics_of(const config::actor& a, const state::overview& o) {
  const auto& w = std::get<config::worker_actor>(a.kind);
  std::vector<std::string> all;
  if (!w.dlq.topic.empty())
    all.push_back(w.dlq.topic);
  else if (!w.consume.is_pattern())
    for (const auto& t : w.consume.topics)
      all.push_back(config::default_dlq(t, a.name));
  for (const auto& [topic, n] : o.dead_letters)
    if (buries_in(a, topic) && std::find(all.begin(), all.end(), topic) == all.end()) all.push_back(topic);
  return all;
}

const char* name_of(config::order_by what) {
  if (what == config::order_by::key) return "key";
  return what == config::order_by::partition ? "partition" : "none";
}

json from_file(const config::actor& a, const state::overview& o) {
  json j{{"kind", kind_of(a)}, {"topics", topics_of(a)}, {"file", {{"place", a.where}}}};
  if (o.at_ms != 0) j["reporting"] = 0;
  if (const auto* consume = consume_of(a)) j["group"] = consume->group;
  if (const auto* w = std::get_if<config::worker_actor>(&a.kind)) {
    j["handler"] = handler_text(*w);
    j["order_by"] = name_of(w->pool.order_by);
    j["dlq_topics"] = dead_letter_topics_of(a, o);
    j["file"]["workers"] = w->pool.workers;
    j["max_workers_each"] = w->pool.max_workers;
  } else if (const auto* i = std::get_if<config::ingest_actor>(&a.kind); i && !i->handler.empty()) {
    j["handler"] = i->handler;
  }
  return j;
}

void add_view(json& j, const state::actor_view& v) {
  j["reporting"] = v.reporting;
  put(j, "workers", v.workers);
  put(j, "busy", v.busy);
  put(j, "max_workers", v.most_workers);
  put(j, "queued", v.queued);
  put(j, "capacity", v.capacity);
  put(j, "parked", v.parked);
  if (v.workers) {
    j["paused"] = v.paused;
    j["breaker_open"] = v.breaker_open;
  }
  put(j, "per_second", v.per_second);
  put(j, "errors_per_second", v.errors_per_second);
  put(j, "p50_s", v.p50_s);
  put(j, "p95_s", v.p95_s);
  put(j, "p99_s", v.p99_s);
  if (v.desired && (v.desired->paused || v.desired->workers)) {
    json d{{"by", v.desired->by}, {"at", v.desired->at_ms}};
    if (v.desired->paused) d["paused"] = true;
    put(d, "workers", v.desired->workers);
    j["desired"] = std::move(d);
  }
}

json actors_of(const config::settings& s, const state::overview& o, const kafka_view& kafka,
               const partitions& all, const tendencies& t) {
  json actors = json::object();
  for (const auto& a : s.actors) {
    auto j = from_file(a, o);
    if (const auto at = o.actors.find(a.name); at != o.actors.end()) add_view(j, at->second);
    if (consume_of(a)) add_lag(j, a, o, kafka, all);
    if (const auto at = t.trend.find(a.name); at != t.trend.end() && j.contains("behind_s"))
      j["trend"] = rounded(at->second);
    if (kind_of(a) == "handler" && !o.instances.empty()) {
      std::int64_t open = 0;
      for (const auto& [topic, n] : o.dead_letters)
        if (buries_in(a, topic)) open += n;
      j["dead_letters"] = open;
    }
    actors[a.name] = std::move(j);
  }
  for (const auto& [name, v] : o.actors) {
    if (v.reporting == 0 || actors.contains(name)) continue; // processes with another file know it
    json j{{"kind", v.kind}, {"topics", json::array()}};
    if (!v.group.empty()) j["group"] = v.group;
    add_view(j, v);
    actors[name] = std::move(j);
  }
  return actors;
}

json instances_of(const state::overview& o, const tendencies& t) {
  json all = json::object();
  for (const auto& i : o.instances) {
    json j{{"host", i.host},
           {"version", i.version},
           {"config", i.config_digest},
           {"state", state::name_of(i.presence)},
           {"phase", i.phase},
           {"beat", i.beat_ms}};
    put(j, "pid", i.pid);
    put(j, "started", i.start_ms);
    put(j, "resident_bytes", i.resident_bytes);
    put(j, "cpu_s", i.cpu_seconds);
    if (const auto at = t.cpu_share.find(i.id);
        at != t.cpu_share.end() && i.presence == state::presence::live)
      j["cpu_share"] = rounded(at->second);
    all[i.id] = std::move(j);
  }
  return all;
}

/// The sum or the most of what all actors that have such a figure know of it; nothing where one does not.
template <class T, class Join>
std::optional<T> over(const json& actors, const char* name, const std::vector<std::string>& whose,
                      Join join) {
  std::optional<T> sum;
  for (const auto& who : whose) {
    const auto& a = actors.at(who);
    const auto at = a.find(name);
    if (at == a.end()) return std::nullopt;
    sum = sum ? join(*sum, at->template get<T>()) : at->template get<T>();
  }
  return sum;
}

json summary_of(const config::settings& s, const state::overview& o, const json& actors) {
  json j{{"live", o.live}, {"expected", o.expected}};
  std::vector<std::string> readers;
  for (const auto& a : s.actors)
    if (consume_of(a)) readers.push_back(a.name);
  const auto sum = [](auto a, auto b) { return a + b; };
  put(j, "lag", over<std::int64_t>(actors, "lag", readers, sum));
  put(j, "behind_s",
      over<double>(actors, "behind_s", readers, [](double a, double b) { return std::max(a, b); }));
  if (o.live > 0) {
    double done = 0, failed = 0;
    std::uint64_t parked = 0;
    for (const auto& [name, v] : o.actors) {
      done += v.per_second.value_or(0);
      failed += v.errors_per_second.value_or(0);
      parked += v.parked.value_or(0);
    }
    j["per_second"] = rounded(done);
    j["errors_per_second"] = rounded(failed);
    j["retries"] = parked;
    put(j, "p99_s", o.p99_s);
  }
  if (!o.instances.empty()) {
    std::int64_t open = 0;
    for (const auto& [topic, n] : o.dead_letters)
      open += n;
    j["dead_letters"] = open;
  }
  return j;
}

json retries_of(const state::overview& o) {
  json all = json::array();
  for (const auto& r : o.retries) {
    if (all.size() == most_retries) break;
    json j{{"actor", r.actor}, {"topic", r.topic}, {"partition", r.partition},    {"offset", r.offset},
           {"due", r.due_ms},  {"error", r.error}, {"error_class", r.error_class}};
    put(j, "since", r.since_ms);
    put(j, "attempt", r.attempt);
    all.push_back(std::move(j));
  }
  return all;
}

json dead_letters_of(const config::settings& s, const state::overview& o) {
  json all = json::object();
  for (const auto& [topic, n] : o.dead_letters) {
    json j{{"open", n}};
    for (const auto& a : s.actors)
      if (buries_in(a, topic)) j["actor"] = a.name;
    all[topic] = std::move(j);
  }
  return all;
}

json with_heading(const config::settings& s) {
  return {{"schema", 1},
          {"app", s.app},
          {"interval_ms", s.dashboard.interval.count()},
          {"panels", json::object()}};
}

json kafka_json(const kafka_view& kafka) {
  json j{{"up", kafka.up}};
  if (!kafka.trouble.empty()) j["trouble"] = kafka.trouble;
  return j;
}

} // namespace

json as_json(const state::audit_entry& e) {
  json j{{"id", e.entry},    {"at", e.at_ms},      {"by", e.by},      {"action", e.action},
         {"actor", e.actor}, {"before", e.before}, {"after", e.after}};
  if (!e.id.empty()) j["order"] = e.id;
  if (!e.result.empty()) j["result"] = e.result;
  return j;
}

std::vector<std::string> untold_actors(const config::settings& s, const state::overview& o) {
  std::vector<std::string> all;
  for (const auto& a : s.actors) {
    if (!consume_of(a)) continue;
    bool any = false, whole = true;
    for (const auto& p : o.partitions)
      if (reads(a, p.group, p.topic)) {
        any = true;
        whole = whole && is_fresh(p, o) && p.lag();
      }
    if (!any || !whole) all.push_back(a.name);
  }
  return all;
}

json live_document(const config::settings& s, const state::overview& o, const kafka_view& kafka,
                   const tendencies& t) {
  auto doc = with_heading(s);
  doc["at"] = o.at_ms;
  doc["redis"] = {{"up", true}};
  doc["kafka"] = kafka_json(kafka);
  const auto all = partitions_of(s, o, kafka);
  auto& shown = doc["partitions"] = json::object();
  for (const auto& [name, p] : all) {
    auto& j = shown[name] = p.shown;
    put(j, "lag", p.lag);
    put(j, "behind_s", p.behind_s);
  }
  doc["actors"] = actors_of(s, o, kafka, all, t);
  doc["instances"] = instances_of(o, t);
  doc["summary"] = summary_of(s, o, doc["actors"]);
  doc["retries"] = retries_of(o);
  doc["dead_letters"] = dead_letters_of(s, o);
  auto& audit = doc["audit"] = json::array();
  for (const auto& e : o.audit)
    audit.push_back(as_json(e));
  return doc;
}

json first_document(const config::settings& s) {
  auto doc = with_heading(s);
  const state::overview nothing;
  doc["redis"] = {{"up", false}};
  doc["kafka"] = {{"up", false}};
  doc["partitions"] = json::object();
  doc["actors"] = actors_of(s, nothing, {}, {}, {});
  doc["instances"] = json::object();
  doc["summary"] = json::object();
  doc["retries"] = json::array();
  doc["dead_letters"] = json::object();
  doc["audit"] = json::array();
  return doc;
}

} // namespace troupe::dashboard

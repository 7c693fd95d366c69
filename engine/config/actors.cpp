#include "engine/config/actors.hpp"

#include "engine/config/reader.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace troupe::config {
namespace {

constexpr std::array<kinds, 4> each_kind{ingests, handles, aggregates, generates};

/// The keys of kind in a map, in the order of the grammar.
std::vector<kinds> kinds_in(const node& keys) {
  std::vector<kinds> found;
  for (const auto k : each_kind)
    if (keys.find(kind_name(k))) found.push_back(k);
  // An ingest may have a handler.
  if (found.size() == 2 && found[0] == ingests && found[1] == handles) found.pop_back();
  return found;
}

std::optional<kinds> kind_of(const entry& written, const node* defaults, problem_list& problems) {
  const auto own = kinds_in(written.value);
  const auto path = "actors." + written.key;
  if (own.size() > 1) {
    const auto* second = written.value.find(kind_name(own[1]));
    problems.error(second->at, path + " has both '" + std::string{kind_name(own[0])} + "' and '" +
                                   std::string{kind_name(own[1])} + "'; make it two actors");
    return std::nullopt;
  }
  if (!own.empty()) return own.front();
  const auto lent = defaults ? kinds_in(*defaults) : std::vector<kinds>{};
  if (lent.size() == 1) return lent.front();
  problems.error(written.at,
                 written.value.find("consume")
                     ? path + " consumes, but has neither 'handler' nor 'aggregate'"
                     : path + " needs one of 'ingest', 'handler' (with 'consume'), 'aggregate' (with "
                              "'consume') or 'generate'");
  return std::nullopt;
}

node fitting(const node& defaults, kinds kind) {
  node out;
  out.is = node::shape::map;
  out.at = defaults.at;
  for (const auto& e : defaults.entries) {
    const auto* f = find_field("actor", e.key);
    if (!f || (f->fits & kind) == 0) continue;
    // A default handler is none of an ingest, which works without.
    if (kind == ingests && f->name == kind_name(handles)) continue;
    out.entries.push_back(e);
  }
  return out;
}

order_by to_order(const std::string& word) {
  return word == "partition" ? order_by::partition : word == "none" ? order_by::none : order_by::key;
}

acks to_acks(const std::string& word) {
  return word == "1" ? acks::one : acks::all;
}

policy::backoff_kind to_backoff(const std::string& word) {
  using policy::backoff_kind;
  return word == "constant"      ? backoff_kind::constant
         : word == "linear"      ? backoff_kind::linear
         : word == "exponential" ? backoff_kind::exponential
                                 : backoff_kind::quadratic;
}

std::map<std::string, std::string> to_map(const reader& from, std::string_view name) {
  std::map<std::string, std::string> all;
  for (auto& [key, value] : from.pairs(name))
    all.insert_or_assign(key, std::move(value));
  return all;
}

consume to_consume(const reader& from) {
  return {.topics = from.texts("topic"),
          .group = from.text("group"),
          .start = from.text("start") == "latest" ? start_at::latest : start_at::earliest,
          .is_static = from.boolean("static"),
          .window = from.count("window"),
          .window_bytes = from.size("window_bytes")};
}

handler to_handler(const reader& from) {
  const auto* how = from.find("handler");
  if (how && how->scalar()) return named_handler{how->text};
  const auto keys = from.in("handler");
  if (keys.has("http")) return http_handler{keys.text("http")};
  const auto simulated = keys.in("simulate");
  return simulate_handler{simulated.duration("latency"), simulated.ratio("fail"),
                          simulated.ratio("permanent")};
}

pool to_pool(const reader& from) {
  pool p{.workers = from.count("workers"),
         .max_workers = from.count("max_workers"),
         .mailbox = from.count("mailbox"),
         .order_by = to_order(from.text("order_by"))};
  if (!from.has("max_workers")) p.max_workers = std::max(p.max_workers, p.workers);
  return p;
}

worker_actor to_worker(const reader& from) {
  worker_actor w;
  w.consume = to_consume(from.in("consume"));
  w.handler = to_handler(from);
  w.pool = to_pool(from.in("pool"));
  w.deadline = from.duration("deadline");
  const auto retries = from.in("retry");
  w.retry = {.attempts = retries.count("attempts"),
             .backoff = to_backoff(retries.text("backoff")),
             .initial = retries.duration("initial"),
             .max = retries.duration("max"),
             .jitter = retries.ratio("jitter")};
  const auto brake = from.in("breaker");
  w.breaker = {brake.ratio("failure_ratio"), brake.count("over"), brake.duration("open_for")};
  const auto dead = from.in("dlq");
  w.dlq = {.topic = dead.text("topic"),
           .create = dead.boolean("create"),
           .flood = {dead.in("flood").ratio("ratio"), dead.in("flood").count("run")}};
  if (from.has("publish")) {
    const auto to = from.in("publish");
    w.publish = publish{to.text("topic"), to.text("key"), to_acks(to.text("acks")), to.duration("timeout")};
  }
  w.guarantee = from.text("guarantee") == "exactly_once" ? guarantee::exactly_once : guarantee::at_least_once;
  w.settings = to_map(from, "settings");
  return w;
}

aggregate_actor to_aggregate(const reader& from) {
  aggregate_actor a;
  a.consume = to_consume(from.in("consume"));
  const auto keys = from.in("aggregate");
  a.where = keys.pairs("where");
  a.count_by = keys.text("count_by");
  a.into = keys.text("into");
  if (keys.has("per_minute")) {
    const auto minutes = keys.in("per_minute");
    a.per_minute = per_minute{minutes.text("into"), minutes.duration("keep")};
  }
  a.event_time = keys.text("event_time");
  a.flush_every = keys.in("flush").duration("every");
  a.flush_max_keys = keys.in("flush").count("max_keys");
  return a;
}

ingest_actor to_ingest(const reader& whole) {
  const auto from = whole.in("ingest");
  ingest_actor i;
  const auto route = from.text("route");
  const auto blank = route.find(' ');
  i.method = route.substr(0, blank);
  i.path = blank == std::string::npos ? "" : route.substr(route.find_first_not_of(' ', blank));
  i.listen = from.text("listen");
  i.topic = from.text("topic");
  constexpr std::string_view header = "header:";
  const auto key = from.text("key");
  if (key.starts_with(header))
    i.key_header = key.substr(header.size());
  else
    i.key = key;
  i.acks = to_acks(from.text("acks"));
  i.timeout = from.duration("timeout");
  i.require = from.pairs("require");
  i.stamp = from.text("stamp");
  i.batch = from.boolean("batch");
  i.cors = from.text("cors");
  i.respond = from.count("respond");
  const auto limits = from.in("limits");
  i.limits = {limits.size("body"), limits.size("headers"), limits.duration("read"), limits.duration("idle"),
              limits.count("connections")};
  if (const auto* how = whole.find("handler"); how && how->scalar()) i.handler = how->text;
  i.deadline = whole.duration("deadline");
  i.settings = to_map(whole, "settings");
  return i;
}

generate_actor to_generate(const reader& from) {
  generate_actor g;
  g.topic = from.text("topic");
  g.key = from.text("key");
  if (from.has("keys")) g.keys = from.count("keys");
  g.value = from.text("value");
  g.every = from.duration("every");
  g.acks = to_acks(from.text("acks"));
  g.timeout = from.duration("timeout");
  return g;
}

} // namespace

std::optional<cast_member> cast(const entry& written, const node* defaults, checker& check,
                                problem_list& problems) {
  if (!written.value.map()) return std::nullopt;
  const auto kind = kind_of(written, defaults, problems);
  if (!kind) return std::nullopt;
  const auto path = "actors." + written.key;
  for (const auto& e : written.value.entries)
    if (const auto* f = find_field("actor", e.key); f && (f->fits & *kind) == 0)
      problems.error(e.at, "'" + e.key + "' does not fit " + path + ", which " +
                               (*kind == handles ? "calls a handler"
                                                 : "is made by '" + std::string{kind_name(*kind)} + "'"));
  cast_member who{written.key, written.at, *kind, written.value};
  if (defaults) who.keys = merged(fitting(*defaults, *kind), written.value, "handler");
  if (const auto* own = written.value.find("settings"))
    if (const auto* how = who.keys.find("handler"); !how || !how->value.scalar())
      problems.error(own->at, "settings are for a handler of the program's own, which " + path + " has not");
  if ((*kind == handles || *kind == aggregates) && !who.keys.find("consume"))
    problems.error(written.at, path + " needs the key 'consume'");
  check.needed(who.keys, "actor", path, written.at);
  return who;
}

actor to_actor(const cast_member& who, const problem_list& problems) {
  const reader from{&who.keys, "actor"};
  actor a{who.name, worker_actor{}, problems.where(who.at), problems.block(who.at)};
  if (who.kind == aggregates)
    a.kind = to_aggregate(from);
  else if (who.kind == ingests)
    a.kind = to_ingest(from);
  else if (who.kind == generates)
    a.kind = to_generate(from.in("generate"));
  else
    a.kind = to_worker(from);
  return a;
}

} // namespace troupe::config

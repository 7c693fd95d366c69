#include "engine/state/recorder.hpp"

#include "engine/state/parse.hpp"
#include "engine/state/scripts.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>

namespace troupe::state {
namespace {

using nlohmann::json;

/// Counts to add to one hash.
struct addition {
  std::string key;
  std::chrono::seconds kept{0}; ///< 0: for ever
  std::vector<std::pair<std::string, std::uint64_t>> fields;
};

/// What has been added up so far.
struct sums {
  std::map<std::string, totals> events;
  std::map<std::string, buckets> latencies;
  std::map<std::string, std::uint64_t> dead_letters;
};

struct batch {
  std::uint64_t number = 0;
  redis::command script;
  sums after;
};

std::string seconds(std::chrono::seconds s) {
  return std::to_string(s.count());
}

/// Where a process's sums began anew (they never do while it lives) nothing is taken back.
std::uint64_t grown(std::uint64_t now, std::uint64_t before) {
  return now > before ? now - before : 0;
}

sums sums_of(const snapshot& now) {
  sums all;
  for (const auto& [name, a] : now.actors) {
    all.events[name] = a.so_far;
    all.latencies[name] = a.latency;
  }
  all.dead_letters = now.dead_letters;
  return all;
}

std::string pool_text(const actor_state& a) {
  json j{{"kind", a.kind}};
  if (!a.group.empty()) j["group"] = a.group;
  if (a.pool) {
    j["workers"] = a.pool->workers;
    j["busy"] = a.pool->busy;
    j["max"] = a.pool->most_workers;
    j["queued"] = a.pool->queued;
    j["cap"] = a.pool->capacity;
    j["parked"] = a.pool->parked;
    j["paused"] = a.pool->paused;
    j["breaker"] = a.pool->breaker_open;
  }
  return text_of(j);
}

std::string lag_text(const partition_state& p, std::int64_t at, const std::string& source) {
  json j{{"committed", p.committed}, {"at", at}, {"source", source}};
  if (p.end) j["end"] = *p.end;
  if (p.start) j["start"] = *p.start;
  if (p.oldest_ms) j["oldest_ms"] = *p.oldest_ms;
  if (p.blocked)
    j["blocked"] = {{"offset", p.blocked->offset}, {"since", p.blocked->since_ms}, {"why", p.blocked->why}};
  return text_of(j);
}

std::string parked_text(const parked_event& e) {
  return text_of({{"attempt", e.attempt},
                  {"error", e.error.substr(0, longest_error)},
                  {"error_type", e.error_class},
                  {"since", e.since_ms}});
}

} // namespace

struct recorder::books : std::enable_shared_from_this<books> {
  books(std::shared_ptr<redis::client> c, const std::string& app, identity me, std::function<void()> on_drop)
      : to{std::move(c)}, keys{app}, who{std::move(me)}, dropped{std::move(on_drop)} {}

  std::shared_ptr<redis::client> to;
  const layout keys;
  const identity who;

  std::mutex lock;
  std::function<void()> dropped; ///< none once the recorder is gone
  std::condition_variable free;
  bool under_way = false;
  std::uint64_t number = 0;
  sums acknowledged;
  std::optional<batch> unsure; ///< whether Redis applied it is not known

  bool begin();
  void send(const snapshot& now);
  void answered(batch sent, const result<redis::client::replies>& got, std::size_t commands);
  batch difference(const snapshot& now);
  void describe(const snapshot& now, std::vector<redis::command>& to) const;
  void describe_retries(const snapshot& now, std::vector<redis::command>& to) const;
};

/// False, and counted, where a batch is under way.
bool recorder::books::begin() {
  const std::lock_guard hold{lock};
  if (!std::exchange(under_way, true)) return true;
  if (dropped) dropped();
  return false;
}

batch recorder::books::difference(const snapshot& now) {
  const auto second = now.at_ms / 1000;
  addition latency{keys.latencies(second), second_kept, {}};
  addition dead{keys.dead_letters(), std::chrono::seconds{0}, {}};
  std::vector<std::pair<std::string, std::uint64_t>> events;
  batch made{++number, {}, sums_of(now)};
  const auto note = [](auto& into, std::string field, std::uint64_t n) {
    if (n > 0) into.emplace_back(std::move(field), n);
  };
  for (const auto& [name, a] : now.actors) {
    const auto& before = acknowledged.events[name];
    note(events, name + "/ok", grown(a.so_far.ok, before.ok));
    note(events, name + "/err", grown(a.so_far.err, before.err));
    note(events, name + "/retry", grown(a.so_far.retry, before.retry));
    note(events, name + "/dlq", grown(a.so_far.dead, before.dead));
    const auto& took = acknowledged.latencies[name];
    for (std::size_t i = 0; i < a.latency.size(); ++i)
      note(latency.fields, name + "/b" + std::to_string(i), grown(a.latency[i], took[i]));
  }
  for (const auto& [topic, n] : now.dead_letters)
    note(dead.fields, topic, grown(n, acknowledged.dead_letters[topic]));
  auto told = events;
  told.emplace_back(layout::told_field, 1);
  const std::vector<addition> all{{keys.by_second(second), second_kept, told},
                                  {keys.by_minute(second), minute_kept, told},
                                  {keys.by_day(second), day_kept, events},
                                  latency,
                                  dead};
  auto& words = made.script;
  words = {"EVAL", add_once_script, std::to_string(all.size() + 1), keys.flush()};
  for (const auto& a : all)
    words.push_back(a.key);
  words.insert(words.end(),
               {who.id, std::to_string(who.start_ms), std::to_string(made.number), seconds(flush_kept)});
  for (const auto& a : all) {
    words.insert(words.end(), {seconds(a.kept), std::to_string(a.fields.size())});
    for (const auto& [field, n] : a.fields)
      words.insert(words.end(), {field, std::to_string(n)});
  }
  return made;
}

void recorder::books::describe_retries(const snapshot& now, std::vector<redis::command>& out) const {
  const auto due = keys.retries(who.id), why = keys.retry_notes(who.id);
  out.push_back({"DEL", due, why});
  if (now.parked.empty()) return;
  redis::command times{"ZADD", due}, notes{"HSET", why};
  for (std::size_t i = 0; i < std::min(now.parked.size(), most_retries); ++i) {
    const auto& e = now.parked[i];
    const auto name =
        e.actor + '/' + e.topic + '/' + std::to_string(e.partition) + '/' + std::to_string(e.offset);
    times.insert(times.end(), {std::to_string(e.due_ms), name});
    notes.insert(notes.end(), {name, parked_text(e)});
  }
  out.push_back(std::move(times));
  out.push_back(std::move(notes));
  for (const auto& key : {due, why})
    out.push_back({"EXPIRE", key, seconds(instance_kept)});
}

/// What replaces what was there: to write it twice does no harm.
void recorder::books::describe(const snapshot& now, std::vector<redis::command>& out) const {
  const bool over = now.phase == "stopped";
  const auto kept = seconds(over ? std::chrono::seconds{stopped_kept} : instance_kept);
  const auto me = keys.instance(who.id), pools = keys.pools(who.id);
  out.push_back({"SET", keys.schema(), "1"});
  out.push_back({"ZADD", keys.instances(), std::to_string(now.at_ms), who.id});
  const auto forgotten = now.at_ms - std::chrono::milliseconds{stopped_kept}.count();
  out.push_back({"ZREMRANGEBYSCORE", keys.instances(), "-inf", '(' + std::to_string(forgotten)});
  redis::command about{"HSET",     me,
                       "host",     who.host,
                       "pid",      std::to_string(who.pid),
                       "version",  who.version,
                       "start_ms", std::to_string(who.start_ms),
                       "state",    now.phase,
                       "cfg_sha",  who.config_digest};
  if (now.resident_bytes) about.insert(about.end(), {"rss", std::to_string(*now.resident_bytes)});
  if (now.cpu_seconds) about.insert(about.end(), {"cpu", std::to_string(*now.cpu_seconds)});
  out.push_back(std::move(about));
  out.push_back({"EXPIRE", me, kept});
  out.push_back({"DEL", pools});
  if (!over && !now.actors.empty()) {
    redis::command each{"HSET", pools};
    for (const auto& [name, a] : now.actors)
      each.insert(each.end(), {name, pool_text(a)});
    out.push_back(std::move(each));
    out.push_back({"EXPIRE", pools, kept});
  }
  describe_retries(now, out);
  if (now.partitions.empty()) return;
  redis::command lag{"HSET", keys.lag()};
  for (const auto& p : now.partitions)
    lag.insert(lag.end(),
               {p.group + '/' + p.topic + '/' + std::to_string(p.partition), lag_text(p, now.at_ms, who.id)});
  out.push_back(std::move(lag));
  out.push_back({"EXPIRE", keys.lag(), seconds(lag_kept)});
}

void recorder::books::send(const snapshot& now) {
  std::vector<redis::command> all{{"MULTI"}};
  describe(now, all);
  batch what;
  {
    const std::lock_guard hold{lock};
    what = unsure ? *unsure : difference(now);
  }
  all.push_back(what.script);
  all.push_back({"EXEC"});
  const auto commands = all.size();
  to->send(std::move(all),
           [self = shared_from_this(), what, commands](const result<redis::client::replies>& got) {
             self->answered(what, got, commands);
           });
}

void recorder::books::answered(batch sent, const result<redis::client::replies>& got, std::size_t commands) {
  const auto failed = [](const redis::reply& r) { return r.kind == redis::reply::type::failure; };
  // A transaction of which one command fails is applied all the same; its script is what counts.
  const bool executed = got && got->size() == commands && got->back().kind == redis::reply::type::list &&
                        !got->back().items.empty();
  const bool added = executed && !failed(got->back().items.back());
  const bool all_well = added && std::none_of(got->back().items.begin(), got->back().items.end(), failed);
  const std::lock_guard hold{lock};
  if (!all_well && dropped) dropped();
  if (added) {
    acknowledged = std::move(sent.after);
    unsure.reset();
  } else if (!got && got.failure().code == errc::timeout) {
    unsure = std::move(sent);
  } else if (got) {
    unsure.reset(); // Redis refused it: nothing of it was applied
  }
  under_way = false;
  free.notify_all();
}

recorder::recorder(std::shared_ptr<redis::client> to, const std::string& app, identity who,
                   std::function<void()> dropped)
    : books_{std::make_shared<books>(std::move(to), app, std::move(who), std::move(dropped))} {}
recorder::~recorder() {
  const std::lock_guard hold{books_->lock};
  books_->dropped = nullptr;
}

void recorder::record(const snapshot& now) {
  if (books_->begin()) books_->send(now);
}

void recorder::record_last(const snapshot& now, milliseconds at_most) {
  const auto wait = [&] {
    std::unique_lock hold{books_->lock};
    return books_->free.wait_for(hold, at_most, [&] { return !books_->under_way; });
  };
  if (!wait()) return;
  record(now);
  wait();
}

} // namespace troupe::state

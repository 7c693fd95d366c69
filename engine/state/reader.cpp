#include "engine/state/reader.hpp"

#include "engine/state/parse.hpp"
#include "engine/state/scripts.hpp"

#include <algorithm>
#include <cstdlib>
#include <span>
#include <tuple>

namespace troupe::state {
namespace {

using nlohmann::json;
using redis::reply;

constexpr int latency_slots = 7; ///< a minute, and the one that has begun

/// A score as Redis writes it, which may be 1.7e+12.
std::int64_t score(const std::string& text) {
  return static_cast<std::int64_t>(std::strtod(text.c_str(), nullptr));
}

/// The parts of a/b/3: what a name may hold of slashes belongs to the first part.
std::vector<std::string> split_from_the_end(std::string_view text, std::size_t parts) {
  std::vector<std::string> found(parts);
  for (std::size_t i = parts; i-- > 1;) {
    const auto at = text.rfind('/');
    if (at == std::string_view::npos) return {};
    found[i] = text.substr(at + 1);
    text = text.substr(0, at);
  }
  found[0] = text;
  return found;
}

template <class T>
void add(std::optional<T>& sum, const std::optional<T>& more) {
  if (more) sum = sum.value_or(T{}) + *more;
}

instance_view instance_in(const reply& one, std::int64_t now_ms) {
  instance_view i;
  i.id = one.items[0].text;
  i.beat_ms = score(one.items[1].text);
  each_field(one.items[2], [&](const std::string& name, const std::string& value) {
    if (name == "host") i.host = value;
    if (name == "version") i.version = value;
    if (name == "cfg_sha") i.config_digest = value;
    if (name == "state") i.phase = value;
    if (name == "pid") i.pid = number<std::int64_t>(value);
    if (name == "start_ms") i.start_ms = number<std::int64_t>(value);
    if (name == "rss") i.resident_bytes = number<std::uint64_t>(value);
    if (name == "cpu") i.cpu_seconds = std::strtod(value.c_str(), nullptr);
  });
  i.presence = presence_of(i.beat_ms, i.phase == "stopped", now_ms);
  return i;
}

void add_actor(overview& all, const std::string& name, const std::string& text) {
  const auto j = json::parse(text, nullptr, false);
  if (!j.is_object()) return;
  auto& a = all.actors[name];
  ++a.reporting;
  a.kind = in<std::string>(j, "kind").value_or("");
  a.group = in<std::string>(j, "group").value_or("");
  add(a.workers, in<std::uint64_t>(j, "workers"));
  add(a.busy, in<std::uint64_t>(j, "busy"));
  add(a.most_workers, in<std::uint64_t>(j, "max"));
  add(a.queued, in<std::uint64_t>(j, "queued"));
  add(a.capacity, in<std::uint64_t>(j, "cap"));
  add(a.parked, in<std::uint64_t>(j, "parked"));
  a.paused += in<bool>(j, "paused").value_or(false) ? 1U : 0U;
  a.breaker_open += in<bool>(j, "breaker").value_or(false) ? 1U : 0U;
}

void add_retries(overview& all, const reply& one) {
  const auto &due = one.items[4].items, &notes = one.items[5].items;
  for (std::size_t i = 0; 2 * i + 1 < due.size() && i < notes.size(); ++i) {
    // A topic has no slashes; an actor's name neither.
    const auto parts = split_from_the_end(due[2 * i].text, 4);
    if (parts.empty()) continue;
    retry_view r;
    r.instance = one.items[0].text;
    r.actor = parts[0];
    r.topic = parts[1];
    r.partition = number<std::int32_t>(parts[2]).value_or(-1);
    r.offset = number<std::int64_t>(parts[3]).value_or(-1);
    r.due_ms = score(due[2 * i + 1].text);
    if (const auto j = json::parse(notes[i].text, nullptr, false); j.is_object()) {
      r.attempt = in<unsigned>(j, "attempt");
      r.since_ms = in<std::int64_t>(j, "since");
      r.error = in<std::string>(j, "error").value_or("");
      r.error_class = in<std::string>(j, "error_type").value_or("");
    }
    all.retries.push_back(std::move(r));
  }
}

void add_instances(overview& all, const reply& list) {
  for (const auto& one : list.items) {
    if (one.items.size() != 6) continue;
    auto i = instance_in(one, all.at_ms);
    const bool live = i.presence == presence::live;
    if (live) ++all.live;
    if (live || i.presence == presence::late) ++all.expected;
    all.instances.push_back(std::move(i));
    if (!live) continue; // what it said last is not so any more
    each_field(one.items[3],
               [&](const std::string& name, const std::string& text) { add_actor(all, name, text); });
    add_retries(all, one);
  }
  std::sort(all.retries.begin(), all.retries.end(),
            [](const retry_view& a, const retry_view& b) { return a.due_ms < b.due_ms; });
}

void add_partitions(overview& all, const reply& hash) {
  each_field(hash, [&](const std::string& name, const std::string& text) {
    const auto parts = split_from_the_end(name, 3);
    const auto j = json::parse(text, nullptr, false);
    if (parts.empty() || !j.is_object()) return;
    partition_view p;
    p.group = parts[0];
    p.topic = parts[1];
    p.partition = number<std::int32_t>(parts[2]).value_or(-1);
    p.source = in<std::string>(j, "source").value_or("");
    p.at_ms = in<std::int64_t>(j, "at").value_or(0);
    p.committed = in<std::int64_t>(j, "committed");
    p.start = in<std::int64_t>(j, "start");
    p.end = in<std::int64_t>(j, "end");
    p.oldest_ms = in<std::int64_t>(j, "oldest_ms");
    if (const auto b = j.find("blocked"); b != j.end() && b->is_object())
      p.blocked = blocker{in<std::int64_t>(*b, "offset").value_or(-1),
                          in<std::int64_t>(*b, "since").value_or(0), in<std::string>(*b, "why").value_or("")};
    all.partitions.push_back(std::move(p));
  });
  std::sort(all.partitions.begin(), all.partitions.end(), [](const auto& a, const auto& b) {
    return std::tie(a.group, a.topic, a.partition) < std::tie(b.group, b.topic, b.partition);
  });
}

/// Lag per actor, from the partitions of its group that were told just now.
void add_lag(overview& all) {
  for (auto& [name, a] : all.actors) {
    if (a.group.empty()) continue;
    bool whole = true, any = false;
    std::int64_t lag = 0;
    std::optional<double> behind;
    for (const auto& p : all.partitions) {
      if (p.group != a.group || all.at_ms - p.at_ms > stale_after.count()) continue;
      any = true;
      if (const auto n = p.lag())
        lag += *n;
      else
        whole = false;
      if (const auto s = p.behind_s(all.at_ms)) behind = std::max(behind.value_or(0), *s);
    }
    if (any && whole) {
      a.lag = lag;
      a.behind_s = lag == 0 ? 0.0 : behind;
    }
  }
}

/// Rates, once somebody is there to count: then a second without events is one with 0.
void add_rates(overview& all, std::span<const reply> seconds) {
  std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> done_and_failed;
  for (const auto& hash : seconds)
    each_field(hash, [&](const std::string& field, const std::string& n) {
      const auto at = field.rfind('/');
      if (at == std::string::npos) return;
      auto& sum = done_and_failed[field.substr(0, at)];
      const auto what = field.substr(at + 1);
      if (what == "ok" || what == "dlq") sum.first += number<std::uint64_t>(n).value_or(0);
      if (what == "err") sum.second += number<std::uint64_t>(n).value_or(0);
    });
  for (auto& [name, a] : all.actors) {
    if (a.kind == "generate") continue; // nobody counts what it sends
    const auto& [done, failed] = done_and_failed[name];
    a.per_second = static_cast<double>(done) / rate_seconds;
    a.errors_per_second = static_cast<double>(failed) / rate_seconds;
  }
}

void add_latencies(overview& all, std::span<const reply> slots) {
  std::map<std::string, buckets> sums;
  for (const auto& hash : slots)
    each_field(hash, [&](const std::string& field, const std::string& n) {
      const auto at = field.rfind("/b");
      if (at == std::string::npos) return;
      const auto i = number<std::size_t>(std::string_view{field}.substr(at + 2));
      if (i && *i < buckets{}.size()) sums[field.substr(0, at)][*i] += number<std::uint64_t>(n).value_or(0);
    });
  buckets whole{};
  for (const auto& [name, counts] : sums) {
    for (std::size_t i = 0; i < whole.size(); ++i)
      whole[i] += counts[i];
    const auto a = all.actors.find(name);
    if (a == all.actors.end()) continue;
    a->second.p50_s = quantile(counts, 0.5);
    a->second.p95_s = quantile(counts, 0.95);
    a->second.p99_s = quantile(counts, 0.99);
  }
  all.p99_s = quantile(whole, 0.99);
}

std::vector<audit_entry> audit_in(const reply& stream) {
  std::vector<audit_entry> all;
  for (const auto& entry : stream.items) {
    if (entry.items.size() != 2) continue;
    audit_entry e;
    e.entry = entry.items[0].text;
    each_field(entry.items[1], [&](const std::string& name, const std::string& value) {
      if (name == "at") e.at_ms = number<std::int64_t>(value).value_or(0);
      if (name == "id") e.id = value;
      if (name == "by") e.by = value;
      if (name == "action") e.action = value;
      if (name == "actor") e.actor = value;
      if (name == "before") e.before = value;
      if (name == "after") e.after = value;
      if (name == "result") e.result = value;
    });
    all.push_back(std::move(e));
  }
  return all;
}

} // namespace

presence presence_of(std::int64_t beat_ms, bool stopped, std::int64_t now_ms) {
  if (stopped) return presence::stopped;
  const auto silent = now_ms - beat_ms;
  if (silent > lost_after.count()) return presence::lost;
  return silent > late_after.count() ? presence::late : presence::live;
}

std::string name_of(presence what) {
  switch (what) {
  case presence::live:
    return "live";
  case presence::late:
    return "late";
  case presence::lost:
    return "lost";
  case presence::stopped:
    return "stopped";
  }
  return {};
}

std::optional<std::int64_t> partition_view::lag() const {
  if (!committed || !end) return std::nullopt;
  return std::max<std::int64_t>(0, *end - std::max(*committed, start.value_or(0)));
}

std::optional<double> partition_view::behind_s(std::int64_t now_ms) const {
  const auto messages = lag();
  if (messages == 0) return 0.0;
  if (!messages || !oldest_ms) return std::nullopt;
  return static_cast<double>(std::max<std::int64_t>(0, now_ms - *oldest_ms)) / 1000;
}

reader::reader(std::shared_ptr<redis::client> from, const std::string& app)
    : from_{std::move(from)}, keys_{app} {}

result<overview> reader::read(std::int64_t now_ms, std::size_t audited) {
  std::vector<redis::command> all{
      {"EVAL", instances_script, "1", keys_.instances(), std::to_string(most_retries)},
      {"HGETALL", keys_.lag()},
      {"HGETALL", keys_.desired()},
      {"HGETALL", keys_.dead_letters()},
      {"XREVRANGE", keys_.audit(), "+", "-", "COUNT", std::to_string(audited)}};
  const auto first_second = all.size();
  const auto now_s = now_ms / 1000;
  // Processes write once a second: the last two are not whole yet.
  for (int i = 0; i < rate_seconds; ++i)
    all.push_back({"HGETALL", keys_.by_second(now_s - 2 - i)});
  for (int i = 0; i < latency_slots; ++i)
    all.push_back({"HGETALL", keys_.latencies(now_s - 10 * i)});
  const auto got = from_->call(std::move(all));
  if (!got) return got.failure();
  for (const auto& r : *got)
    if (r.kind == reply::type::failure) return error{errc::refused, "Redis answered: " + r.text};

  const std::span answers{*got};
  overview o;
  o.at_ms = now_ms;
  add_instances(o, answers[0]);
  add_partitions(o, answers[1]);
  each_field(answers[2], [&](const std::string& name, const std::string& text) {
    if (auto d = decode_desired(text)) o.actors[name].desired = std::move(d);
  });
  each_field(answers[3], [&](const std::string& topic, const std::string& n) {
    o.dead_letters[topic] = number<std::int64_t>(n).value_or(0);
  });
  o.audit = audit_in(answers[4]);
  add_lag(o);
  if (o.live > 0) add_rates(o, answers.subspan(first_second, rate_seconds));
  add_latencies(o, answers.subspan(first_second + rate_seconds));
  return o;
}

result<std::vector<audit_entry>> reader::audit(const std::string& before, std::size_t most) {
  const auto got = from_->ask(
      {"XREVRANGE", keys_.audit(), before.empty() ? "+" : '(' + before, "-", "COUNT", std::to_string(most)});
  if (!got) return got.failure();
  return audit_in(*got);
}

} // namespace troupe::state

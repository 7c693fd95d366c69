#include "engine/aggregate/count_store.hpp"

#include "engine/aggregate/event_time.hpp"
#include "engine/aggregate/scripts.hpp"
#include "engine/aggregate/template_key.hpp"
#include "engine/core/failpoint.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <unordered_map>

namespace troupe::aggregate {

namespace {

using redis::command;
using redis::reply;
using answer = result<reply>;

std::string field_of(const topic_partition& where) {
  return where.topic + '/' + std::to_string(where.partition);
}

/// What a failure means for the caller. In all of these nothing was changed.
error meaning_of(const std::string& text) {
  const auto is = [&](std::string_view code) { return text.starts_with(code); };
  if (is("CROSSSLOT"))
    return {errc::bad_config,
            "redis: " + text +
                " (give `app`, `into` and `per_minute.into` the same {tag}, so that their keys "
                "lie in one slot of the cluster)"};
  if (text.find("Error compiling script") != std::string::npos)
    return {errc::bad_config, "redis: Redis 7 or newer is required (" + text + ")"};
  if (is("WRONGTYPE") || is("NOPERM")) return {errc::refused, "redis: " + text};
  return {errc::unavailable, "redis: " + text};
}

answer only(result<redis::client::replies>&& got) {
  if (!got) return got.failure();
  auto& first = got->front();
  if (first.kind == reply::type::failure) return meaning_of(first.text);
  return std::move(first);
}

std::optional<std::int64_t> integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

error not_ours(const std::string& key) {
  return {errc::refused,
          "redis: " + key + " does not hold what an aggregator writes (remove it, or --rebuild)"};
}

/// Of ledger, digest and positions.
result<stored> stored_of(const answer& got, const std::string& key) {
  if (!got) return got.failure();
  if (got->kind != reply::type::list || got->items.size() < 2) return not_ours(key);
  stored out{got->items[0].text, got->items[1].text, {}};
  for (std::size_t i = 2; i < got->items.size(); ++i) {
    const auto& item = got->items[i];
    const auto value = item.kind == reply::type::text ? integer(item.text) : std::nullopt;
    if (!value && item.kind != reply::type::nil) return not_ours(key);
    out.positions.push_back(value);
  }
  return out;
}

result<flush_answer> position_answer(const std::string& text, const std::string& key) {
  const auto value = integer(text);
  if (!value) return flush_answer{flush_answer::kind::refused, 0, not_ours(key).detail};
  return flush_answer{flush_answer::kind::position, *value, {}};
}

result<flush_answer> flush_answer_of(const answer& got, const std::string& key) {
  using kind = flush_answer::kind;
  if (!got) {
    if (got.failure().code == errc::refused) return flush_answer{kind::refused, 0, got.failure().detail};
    return got.failure();
  }
  const auto& items = got->items;
  const std::string what = items.empty() ? "" : items[0].text;
  const std::string detail = items.size() < 2 ? "" : items[1].text;
  if (what == "applied") return flush_answer{};
  if (what == "no_ledger") return flush_answer{kind::no_ledger, 0, {}};
  if (what == "other_ledger") return flush_answer{kind::other_ledger, 0, {}};
  if (what == "no_position") return flush_answer{kind::no_position, 0, {}};
  if (what == "position") return position_answer(detail, key);
  if (what == "refused") return flush_answer{kind::refused, 0, "redis: " + detail};
  return error{errc::broken, "redis: the flush script answered \"" + what + "\""};
}

/// A delta with each key once: the script checks each by itself, and a key given twice could pass twice and
/// fail in the sum.
struct distinct_counts {
  struct minute_set {
    std::string_view key;
    std::int64_t expire_at;
    std::size_t members = 0;
    std::vector<const minute_counts*> parts;
  };
  std::vector<std::pair<std::string_view, std::int64_t>> totals;
  std::vector<minute_set> sets;
  std::size_t members = 0;

  explicit distinct_counts(const delta& all) {
    // Redis refuses an expiry beyond 2^63 ms, and a script that is refused half-way leaves a half behind.
    constexpr std::int64_t latest = 1'000'000'000'000;
    std::unordered_map<std::string_view, std::size_t> place;
    totals.reserve(all.totals.size());
    for (const auto& t : all.totals) {
      const auto [at, fresh] = place.try_emplace(t.key, totals.size());
      if (fresh)
        totals.emplace_back(t.key, t.count);
      else
        totals[at->second].second += t.count;
    }
    place.clear();
    for (const auto& m : all.minutes) {
      const auto [at, fresh] = place.try_emplace(m.key, sets.size());
      if (fresh) sets.push_back({m.key, -latest, 0, {}});
      auto& set = sets[at->second];
      set.expire_at = std::clamp(m.expire_at, set.expire_at, latest);
      set.members += m.members.size();
      set.parts.push_back(&m);
      members += m.members.size();
    }
  }
};

bool countable(const delta& counts) {
  const auto positive = [](const auto& c) { return c.count > 0; };
  return std::all_of(counts.totals.begin(), counts.totals.end(), positive) &&
         std::all_of(counts.minutes.begin(), counts.minutes.end(), [&](const auto& set) {
           return std::all_of(set.members.begin(), set.members.end(), positive);
         });
}

redis::wire_command begin_script(std::string_view verb, std::string_view script, std::size_t keys,
                                 std::size_t args) {
  redis::wire_command c{3 + keys + args};
  c.add(verb);
  c.add(script);
  c.add(static_cast<std::int64_t>(keys));
  return c;
}

/// A flush as it is sent.
struct flush_order {
  std::string positions, ledger, field;
  std::int64_t from = 0, to = 0;
  std::shared_ptr<const delta> counts;

  redis::wire_command operator()(std::string_view verb, std::string_view script) const {
    const distinct_counts all{*counts};
    const auto totals = all.totals.size(), sets = all.sets.size();
    auto c = begin_script(verb, script, 1 + totals + sets, 6 + totals + 2 * sets + 2 * all.members);
    c.add(positions);
    for (const auto& [key, count] : all.totals)
      c.add(key);
    for (const auto& s : all.sets)
      c.add(s.key);
    c.add(ledger);
    c.add(field);
    c.add(from);
    c.add(to);
    c.add(static_cast<std::int64_t>(totals));
    c.add(static_cast<std::int64_t>(sets));
    for (const auto& [key, count] : all.totals)
      c.add(count);
    for (const auto& s : all.sets) {
      c.add(s.expire_at);
      c.add(static_cast<std::int64_t>(s.members));
      for (const auto* part : s.parts)
        for (const auto& m : part->members) {
          c.add(m.member);
          c.add(m.count);
        }
    }
    return c;
  }
};

/// A script's call with few words.
struct script_order {
  std::vector<std::string> keys, args;

  redis::wire_command operator()(std::string_view verb, std::string_view script) const {
    auto c = begin_script(verb, script, keys.size(), args.size());
    for (const auto& k : keys)
      c.add(k);
    for (const auto& a : args)
      c.add(a);
    return c;
  }
};

constexpr const char* scan_step = "1000";

} // namespace

struct count_store::impl : std::enable_shared_from_this<impl> {
  std::shared_ptr<redis::client> client;
  std::string key;

  /// Runs a script by its name, and by its text where Redis does not know it: after a restart, a failover or
  /// SCRIPT FLUSH. `order` writes the call, a second time then.
  template <class Order>
  void run(const script& what, Order order, std::function<void(answer)> done) {
    auto call = order("EVALSHA", what.sha1);
    client->send(std::move(call), [self = shared_from_this(), &what, order = std::move(order),
                                   done = std::move(done)](result<redis::client::replies> got) mutable {
      if (!got || got->front().kind != reply::type::failure || !got->front().text.starts_with("NOSCRIPT"))
        return done(only(std::move(got)));
      self->client->send(
          order("EVAL", what.text),
          [done = std::move(done)](result<redis::client::replies> second) { done(only(std::move(second))); });
    });
  }

  void one(command words, std::function<void(answer)> done) {
    client->send({std::move(words)}, [done = std::move(done)](result<redis::client::replies> got) {
      done(only(std::move(got)));
    });
  }

  void look(const std::string& field, const std::string& ledger, std::int64_t from,
            callback<flush_answer> done) {
    one({"HMGET", key, "ledger", field}, [=, k = key, done = std::move(done)](const answer& got) {
      if (!got || got->items.size() != 2) return done(flush_answer_of(got, k));
      const auto& held = got->items;
      using kind = flush_answer::kind;
      if (held[0].kind == reply::type::nil) return done(flush_answer{kind::no_ledger, 0, {}});
      if (held[0].text != ledger) return done(flush_answer{kind::other_ledger, 0, {}});
      if (held[1].kind == reply::type::nil) return done(flush_answer{kind::no_position, 0, {}});
      if (held[1].text == std::to_string(from)) return done(flush_answer{});
      done(position_answer(held[1].text, k));
    });
  }
};

namespace {

/// One kind of keys to remove.
struct sweep {
  template_key keys;
  std::string glob;
  std::string type;
};

/// What is left to do of an erasure, step by step on the client's thread.
template <class Store>
struct erasure : std::enable_shared_from_this<erasure<Store>> {
  std::shared_ptr<Store> store;
  std::vector<sweep> sweeps; ///< the last one is first
  std::int64_t removed = 0;
  std::function<void(result<std::int64_t>)> done;

  void scan(const std::string& cursor) {
    if (sweeps.empty()) return finish();
    const auto& s = sweeps.back();
    store->one({"SCAN", cursor, "MATCH", s.glob, "COUNT", scan_step, "TYPE", s.type},
               [self = this->shared_from_this()](const answer& got) { self->found(got); });
  }

  void found(const answer& got) {
    if (!got) return done(got.failure());
    if (got->items.size() != 2) return done(error{errc::broken, "redis: SCAN answered something else"});
    command unlink{"UNLINK"};
    for (const auto& k : got->items[1].items)
      if (sweeps.back().keys.value_in(k.text)) unlink.push_back(k.text);
    const auto cursor = got->items[0].text;
    if (unlink.size() == 1) return next(cursor);
    store->one(std::move(unlink), [self = this->shared_from_this(), cursor](const answer& gone) {
      if (!gone) return self->done(gone.failure());
      self->removed += gone->integer;
      self->next(cursor);
    });
  }

  void next(const std::string& cursor) {
    if (cursor == "0") sweeps.pop_back();
    scan(cursor);
  }

  void finish() {
    store->run(end_erase_script(), script_order{{store->key}, {}},
               [self = this->shared_from_this()](const answer& got) {
                 if (!got) return self->done(got.failure());
                 self->done(self->removed);
               });
  }
};

} // namespace

count_store::count_store(std::shared_ptr<redis::client> client, std::string app, std::string group)
    : impl_{std::make_shared<impl>()} {
  impl_->client = std::move(client);
  impl_->key = std::move(app) + ":positions:" + std::move(group);
}

void count_store::read(std::vector<topic_partition> where, callback<stored> done) {
  command words{"HMGET", impl_->key, "ledger", "digest"};
  for (const auto& w : where)
    words.push_back(field_of(w));
  impl_->one(std::move(words),
             [key = impl_->key, done = std::move(done)](const answer& got) { done(stored_of(got, key)); });
}

void count_store::claim(std::string ledger, std::string digest, std::vector<initial_position> missing,
                        callback<stored> done) {
  std::vector<std::string> args{std::move(ledger), std::move(digest)};
  for (const auto& m : missing) {
    args.push_back(field_of(m.where));
    args.push_back(std::to_string(m.offset));
  }
  impl_->run(claim_script(), script_order{{impl_->key}, std::move(args)},
             [key = impl_->key, done = std::move(done)](const answer& got) { done(stored_of(got, key)); });
}

void count_store::flush(const topic_partition& where, const std::string& ledger, std::int64_t from,
                        std::int64_t to, std::shared_ptr<const delta> counts, callback<flush_answer> done) {
  if (counts->totals.empty() && counts->minutes.empty() && from == to)
    return impl_->look(field_of(where), ledger, from, std::move(done));
  if (!countable(*counts) || to < from) {
    // Through the client, since callbacks run on its thread.
    return impl_->client->send(std::vector<command>{}, [done = std::move(done)](const auto&) {
      done(error{errc::usage, "redis: counts are positive, and a position never moves back"});
    });
  }
  impl_->run(flush_script(), flush_order{impl_->key, ledger, field_of(where), from, to, std::move(counts)},
             [key = impl_->key, done = std::move(done)](const answer& got) {
               failpoint("flush_answered");
               done(flush_answer_of(got, key));
             });
}

void count_store::rewind(const topic_partition& where, const std::string& ledger, std::int64_t from,
                         std::int64_t to, callback<flush_answer> done) {
  impl_->run(
      flush_script(),
      flush_order{impl_->key, ledger, field_of(where), from, to, std::make_shared<const delta>()},
      [key = impl_->key, done = std::move(done)](const answer& got) { done(flush_answer_of(got, key)); });
}

void count_store::adopt(std::string digest, callback<bool> done) {
  impl_->run(adopt_script(), script_order{{impl_->key}, {std::move(digest)}},
             [done = std::move(done)](const answer& got) {
               if (!got) return done(got.failure());
               done(got->integer == 1);
             });
}

void count_store::erase(const tally_spec& spec, callback<std::int64_t> done) {
  auto job = std::make_shared<erasure<impl>>();
  job->store = impl_;
  job->done = std::move(done);
  if (!spec.minute_into.empty()) {
    const template_key keys{spec.minute_into, "{minute}"};
    std::string digits;
    for (const char c : shown(0))
      digits += c >= '0' && c <= '9' ? std::string{"[0-9]"} : std::string{c};
    job->sweeps.push_back({keys, keys.glob(digits), "zset"});
  }
  const template_key keys{spec.into, "{value}"};
  job->sweeps.push_back({keys, keys.glob("*"), "string"});
  // The hash stays to the end, and says that it is nobody's: an erasure cut off half-way is noticed at the
  // next start, since the digest fits nothing, and can be repeated.
  impl_->run(begin_erase_script(), script_order{{impl_->key}, {}}, [job](const answer& got) {
    if (!got) return job->done(got.failure());
    job->removed = got->integer;
    job->scan("0");
  });
}

std::string digest_of(const std::vector<std::string>& topics, const tally_spec& spec) {
  // Each piece with its length, so that no two specs make the same text; what has no order is sorted.
  std::string text;
  const auto add = [&](std::string_view piece) {
    text.append(std::to_string(piece.size())).append(":").append(piece);
  };
  auto names = topics;
  std::sort(names.begin(), names.end());
  auto where = spec.where;
  std::sort(where.begin(), where.end());
  add(std::to_string(names.size()));
  for (const auto& n : names)
    add(n);
  add(std::to_string(where.size()));
  for (const auto& [at, value] : where) {
    add(at);
    add(value);
  }
  add(spec.count_by);
  add(spec.into);
  add(spec.minute_into);
  return sha256_hex(text, 16);
}

} // namespace troupe::aggregate

#include "engine/config/actors.hpp"
#include "engine/config/reader.hpp"
#include "engine/config/values.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace troupe::config {
namespace {

constexpr std::size_t longest_topic = 249;

/// The topic of a list that reads `topic`, be it by a pattern; nothing where none does.
const std::string* reads(const std::vector<std::string>& topics, const std::string& topic) {
  for (const auto& t : topics)
    if (t == topic || (t.starts_with('^') && pattern_matches(t, topic))) return &t;
  return nullptr;
}

const std::string* both_read(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  for (const auto& t : a)
    if (t.starts_with('^')) {
      for (const auto& other : b)
        if (reads(a, other)) return &other;
    } else if (reads(b, t)) {
      return &t;
    }
  return nullptr;
}

void check_loops(const cast_member& who, problem_list& problems) {
  const reader from{&who.keys, "actor"};
  const auto topics = from.in("consume").texts("topic");
  const auto refuse = [&](std::string_view section, const std::string& loop) {
    const auto* to = from.in(section).find("topic");
    if (!to || !to->scalar() || to->text.starts_with('^') || !reads(topics, to->text)) return;
    problems.error(to->at, "actors." + who.name + " reads this topic itself: " + loop);
  };
  refuse("dlq", "its dead letters would come back for ever; name another one");
  refuse("publish", "its own events would come back for ever; name another one");
}

void check_dlq_names(const cast_member& who, problem_list& problems) {
  const reader from{&who.keys, "actor"};
  const auto* topic = from.in("consume").find("topic");
  if (!topic || from.in("dlq").has("topic")) return;
  const auto longest =
      longest_topic - std::min(longest_topic, who.name.size() + std::string_view{"..replay"}.size());
  for (const auto& t : from.in("consume").texts("topic"))
    if (!t.starts_with('^') && t.size() <= longest_topic && t.size() > longest)
      problems.error(topic->at,
                     "with the name of this actor, the dead-letter or replay topic would be longer than "
                     "249 characters; shorten the actor's name");
}

void check_pool(const cast_member& who, problem_list& problems) {
  const auto pool = reader{&who.keys, "actor"}.in("pool");
  const auto* most = pool.find("max_workers");
  if (most && most->scalar() && parse_count(most->text) && pool.count("max_workers") < pool.count("workers"))
    problems.error(most->at, "max_workers is smaller than workers (" + std::to_string(pool.count("workers")) +
                                 "); raise it, or leave it out");
}

/// What is published outside of a transaction's reach would not be exactly once.
void check_guarantee(const cast_member& who, problem_list& problems) {
  const reader from{&who.keys, "actor"};
  if (from.text("guarantee") != "exactly_once") return;
  const auto* acks = from.in("publish").find("acks");
  if (acks && acks->scalar() && acks->text == "1")
    problems.error(acks->at, "exactly_once needs publish.acks: all: what one broker alone has taken may be "
                             "gone when the transaction commits");
}

void check_retry(const cast_member& who, problem_list& problems) {
  const auto retry = reader{&who.keys, "actor"}.in("retry");
  const auto* max = retry.find("max");
  if (max && retry.has("initial") && retry.duration("max") < retry.duration("initial"))
    problems.warning(max->at, "retry.max is shorter than retry.initial, so that every wait is retry.max");
}

/// A handler of another kind has no answer to give.
void check_ingest(const cast_member& who, problem_list& problems) {
  const auto* how = who.keys.find("handler");
  if (how && !how->value.scalar())
    problems.error(how->value.at, "the handler of an ingest is one of the program's own, by its name");
}

/// Ingests may share an address: then each has its own route, and the server one set of limits.
void check_addresses(const std::vector<cast_member>& all, problem_list& problems) {
  std::map<std::string, const cast_member*> listening;
  std::map<std::pair<std::string, std::string>, const cast_member*> routes;
  for (const auto& who : all) {
    if (who.kind != ingests) continue;
    const auto from = reader{&who.keys, "actor"}.in("ingest");
    const auto *at = from.find("listen"), *route = from.find("route");
    if (!at || !route || !at->scalar() || !route->scalar()) continue;
    const auto other = [&](const cast_member& w) {
      return "actors." + w.name + " (" + problems.where(w.at) + ")";
    };
    const auto [same, fresh] = routes.emplace(std::pair{at->text, route->text}, &who);
    if (!fresh) problems.error(route->at, other(*same->second) + " has this route already");
    const auto [first, alone] = listening.emplace(at->text, &who);
    if (alone) continue;
    const auto theirs = reader{&first->second->keys, "actor"}.in("ingest").in("limits");
    const auto mine = from.in("limits");
    for (const auto* name : {"headers", "body"})
      if (mine.size(name) != theirs.size(name))
        problems.error(at->at, other(*first->second) + " listens here with another limits." + name +
                                   "; give both the same");
    for (const auto* name : {"read", "idle"})
      if (mine.duration(name) != theirs.duration(name))
        problems.error(at->at, other(*first->second) + " listens here with another limits." + name +
                                   "; give both the same");
    if (mine.count("connections") != theirs.count("connections"))
      problems.error(at->at, other(*first->second) +
                                 " listens here with another limits.connections; give both the same");
  }
}

struct reading {
  const cast_member* who;
  std::vector<std::string> topics;
  const node* group;
};

void check_group(const std::vector<reading>& members, problem_list& problems) {
  for (std::size_t i = 1; i < members.size(); ++i) {
    const auto& mine = members[i];
    for (std::size_t j = 0; j < i; ++j) {
      const auto& other = members[j];
      const auto names = "actors." + other.who->name + " (" + problems.where(other.who->at) + ")";
      if (const auto* topic = both_read(mine.topics, other.topics)) {
        problems.error(mine.group->at,
                       names + " reads " + quoted(*topic) +
                           " in this group too, so that each would get a part of the events only; "
                           "give each its own group");
        break;
      }
      if (mine.who->kind == aggregates && other.who->kind == aggregates) {
        problems.error(mine.group->at,
                       names + " counts in this group too, and the group is whose positions Redis "
                               "keeps; give each its own group");
        break;
      }
      problems.warning(mine.group->at, names +
                                           " is in this group too, with other topics: what joins or leaves "
                                           "interrupts both; better give each its own group");
    }
  }
}

} // namespace

void check_rules_within(const cast_member& who, problem_list& problems) {
  if (who.kind == handles) {
    check_loops(who, problems);
    check_dlq_names(who, problems);
    check_pool(who, problems);
    check_guarantee(who, problems);
    check_retry(who, problems);
  }
  if (who.kind == ingests) check_ingest(who, problems);
}

void check_rules_between(const std::vector<cast_member>& all, problem_list& problems) {
  std::map<std::string, std::vector<reading>> groups;
  std::map<std::pair<std::string, std::string>, const cast_member*> counted;
  const auto count_into = [&](const cast_member& who, const std::string& kind, const node* into) {
    if (!into || !into->scalar()) return;
    const auto [first, fresh] = counted.emplace(std::pair{kind, into->text}, &who);
    if (!fresh)
      problems.error(into->at, "actors." + first->second->name + " (" + problems.where(first->second->at) +
                                   ") counts into the same keys; give each its own");
  };
  for (const auto& who : all) {
    const reader from{&who.keys, "actor"};
    if (who.kind == aggregates) {
      count_into(who, "into", from.in("aggregate").find("into"));
      count_into(who, "per_minute", from.in("aggregate").in("per_minute").find("into"));
    }
    const auto* group = from.in("consume").find("group");
    if ((who.kind == handles || who.kind == aggregates) && group && group->scalar() && !group->broken)
      groups[group->text].push_back({&who, from.in("consume").texts("topic"), group});
  }
  for (const auto& [name, members] : groups)
    check_group(members, problems);
  check_addresses(all, problems);
}

void check_dashboard(const node& root, problem_list& problems) {
  const auto* section = root.find("dashboard");
  if (!section || !section->value.map()) return;
  const reader from = reader{&root, ""}.in("dashboard");
  if (from.has("listen") && !from.text("listen").empty() && !root.find("redis"))
    problems.error(section->at, "the dashboard shows what processes tell in Redis; write redis: { url: … }");
  const auto* auth = from.find("auth");
  if (!auth) return;
  const auto operators = from.in("auth").pairs("operators"), viewers = from.in("auth").pairs("viewers");
  if (operators.empty() && viewers.empty())
    problems.error(auth->at,
                   "dashboard.auth names nobody, so nobody could log in; name operators or viewers, "
                   "or leave it out");
  for (const auto& [name, hash] : viewers)
    if (std::any_of(operators.begin(), operators.end(), [&](const auto& o) { return o.first == name; }))
      problems.error(auth->at, quoted(name) + " is among the operators and the viewers; keep one");
}

void check_rules_with_kafka(const node& root, const std::vector<cast_member>& all, problem_list& problems) {
  if (reader{&root, ""}.in("kafka").texts("brokers") != std::vector<std::string>{"embedded"}) return;
  for (const auto& who : all) {
    const reader from{&who.keys, "actor"};
    const auto* promised = from.find("guarantee");
    if (who.kind == handles && promised && from.text("guarantee") == "exactly_once")
      problems.error(promised->at,
                     "the embedded broker only pretends to have transactions: it commits no offsets "
                     "in them, and what was aborted stays readable; use a real broker, or "
                     "at_least_once");
  }
}

} // namespace troupe::config

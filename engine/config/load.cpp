#include "engine/config/load.hpp"

#include "engine/config/actors.hpp"
#include "engine/config/check.hpp"
#include "engine/config/interpolate.hpp"
#include "engine/config/overrides.hpp"
#include "engine/config/reader.hpp"
#include "engine/config/yaml.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include <sys/stat.h>
#include <unistd.h>

namespace troupe::config {
namespace {

constexpr std::size_t most_actors = 1000;
constexpr std::size_t largest_file = (std::size_t{1} << 20) + 1; ///< one byte more than is accepted

/// Actors join; any other section stands in one file, or says the same in each.
void join(node& all, node one, problem_list& problems) {
  for (auto& e : one.entries) {
    auto* known = all.find(e.key);
    if (!known) {
      all.entries.push_back(std::move(e));
    } else if (e.key == "actors" && known->value.map() && e.value.map()) {
      for (auto& a : e.value.entries) {
        if (const auto* twin = known->value.find(a.key))
          problems.error(a.at, "the actor " + quoted(a.key) + " is already in " + problems.where(twin->at) +
                                   "; names are unique over all files");
        else
          known->value.entries.push_back(std::move(a));
      }
    } else if (e.key == "actors" && known->value.nothing()) {
      known->value = std::move(e.value);
    } else if (!(e.key == "actors" && e.value.nothing()) && !same(known->value, e.value)) {
      problems.error(e.at, quoted(e.key) + " says something else than in " + problems.where(known->at) +
                               "; keep it in one file, or equal");
    }
  }
}

/// All files as one tree. `whole` is false if a file could not be read, so that what is missing says nothing.
node read_files(const inputs& from, problem_list& problems, bool& whole) {
  node all;
  all.is = node::shape::map;
  for (const auto& file : from.files) {
    const auto origin = problems.add_origin({file.file, {}});
    auto text = std::string_view{file.text};
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    if (text.size() < largest_file) problems.set_lines(origin, lines_of(text));
    std::optional<node> root;
    if (readable_text(text, origin, problems)) root = parse_yaml(text, origin, problems);
    if (root && !root->map()) {
      auto at = root->at;
      at.origin = origin;
      at.line = std::max(at.line, 1); // of an empty file there is none
      at.column = std::max(at.column, 1);
      problems.error(at, root->nothing()
                             ? "the file is empty; it starts with 'version: 1', 'app: NAME' and 'actors:'"
                             : "the file must be a map of keys such as 'version: 1', 'app: NAME' and "
                               "'actors:'");
      root.reset();
    }
    if (!root) {
      whole = false;
      continue;
    }
    interpolate(*root, from.environment, problems);
    if (all.entries.empty()) all.at = root->at;
    join(all, std::move(*root), problems);
  }
  return all;
}

kafka to_kafka(const reader& from) {
  kafka k;
  k.brokers.clear();
  for (const auto& b : from.texts("brokers"))
    k.brokers += (k.brokers.empty() ? "" : ",") + b;
  const auto fill = [&](properties& into, std::string_view name) {
    for (auto& [key, value] : from.pairs(name))
      into[key] = value;
  };
  fill(k.properties, "properties");
  fill(k.consumer, "consumer");
  fill(k.producer, "producer");
  return k;
}

dashboard to_dashboard(const reader& from) {
  dashboard d;
  d.listen = from.text("listen");
  d.in_run = from.has("listen") && !d.listen.empty();
  d.interval = from.duration("interval");
  d.hosts = from.texts("hosts");
  d.asks_who = from.has("auth");
  const auto auth = from.in("auth");
  for (auto& [name, hash] : auth.pairs("operators"))
    d.operators.insert_or_assign(name, std::move(hash));
  for (auto& [name, hash] : auth.pairs("viewers"))
    d.viewers.insert_or_assign(name, std::move(hash));
  return d;
}

settings to_settings(const node& root, const std::vector<cast_member>& cast, const problem_list& problems) {
  const reader from{&root, ""};
  settings s;
  s.app = from.text("app");
  s.kafka = to_kafka(from.in("kafka"));
  s.redis_url = from.in("redis").text("url");
  s.names_redis = root.find("redis") != nullptr;
  s.admin_listen = from.in("admin").text("listen");
  s.dashboard = to_dashboard(from.in("dashboard"));
  s.shutdown_deadline = from.in("shutdown").duration("deadline");
  s.shutdown_revoke = from.in("shutdown").duration("revoke");
  s.instance = from.text("instance");
  s.state = from.text("state");
  s.memory_limit = from.in("limits").size("memory");
  s.log_level = from.in("log").text("level");
  for (const auto& who : cast)
    s.actors.push_back(to_actor(who, problems));
  return s;
}

/// FNV-1a: it tells files apart, it need not resist anybody.
std::string digest_of(const std::vector<source>& files) {
  std::uint64_t sum = 0xcbf29ce484222325;
  for (const auto& file : files)
    for (const char c : file.text + '\0')
      sum = (sum ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(sum));
  return text.data();
}

std::vector<cast_member> read_actors(const node& root, checker& check, problem_list& problems) {
  std::vector<cast_member> all;
  const auto* actors = root.find("actors");
  if (!actors || !actors->value.map()) return all;
  if (actors->value.entries.size() > most_actors) {
    problems.error(actors->at, "more than 1000 actors; spread them over several processes");
    return all;
  }
  const auto* defaults = root.find("defaults");
  const auto* under = defaults && defaults->value.map() ? &defaults->value : nullptr;
  for (const auto& a : actors->value.entries)
    if (auto who = cast(a, under, check, problems)) all.push_back(std::move(*who));
  return all;
}

std::optional<std::string> read_file(const std::string& path, std::string& text) {
  const auto why = [] { return "can't be read: " + std::generic_category().message(errno); };
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return why();
  if (S_ISDIR(info.st_mode)) return "is a folder; name the files in it";
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> in{std::fopen(path.c_str(), "rb"), std::fclose};
  if (!in) return why();
  std::array<char, 65'536> part{};
  while (text.size() <= largest_file) {
    const auto n = std::fread(part.data(), 1, part.size(), in.get());
    if (n == 0) break;
    text.append(part.data(), n);
  }
  if (std::ferror(in.get()) != 0) return why();
  return std::nullopt;
}

problem without_place(std::string file, std::string text) {
  problem p;
  p.file = std::move(file);
  p.text = std::move(text);
  return p;
}

} // namespace

loaded load(const inputs& from) {
  problem_list problems;
  bool whole = !from.files.empty();
  auto root = read_files(from, problems, whole);
  override_from_environment(root, from.environment, problems);
  override_from_flags(root, from.set, from.environment, problems);

  checker check{from, problems};
  check.section(root, "", "");
  if (whole) {
    auto top = root.at;
    top.line = std::max(top.line, 1);
    top.column = std::max(top.column, 1);
    if (!root.find("version")) problems.error(top, "the key 'version' is missing; write 'version: 1'");
    if (!root.find("app"))
      problems.error(top, "the key 'app' is missing; write 'app: NAME', the prefix of its Redis keys");
    const auto* actors = root.find("actors");
    if (!actors || actors->value.nothing() || (actors->value.map() && actors->value.entries.empty()))
      problems.error(actors ? actors->at : top, "there are no actors; write at least one under 'actors:'");
  }
  const auto cast = read_actors(root, check, problems);
  for (const auto& who : cast)
    check_rules_within(who, problems);
  check_rules_between(cast, problems);
  check_rules_with_kafka(root, cast, problems);
  check_dashboard(root, problems);

  loaded out;
  if (!problems.any_errors() && whole) {
    out.config = to_settings(root, cast, problems);
    out.config->digest = digest_of(from.files);
  }
  out.problems = problems.take();
  if (from.files.empty()) out.problems.push_back(without_place("", "no configuration file was named"));
  return out;
}

loaded load_files(
    const std::vector<std::string>& paths, const std::vector<std::string>& set,
    const std::vector<std::string>& handlers,
    std::function<std::optional<std::string>(const std::string&, const std::string&, const std::string&)>
        check_property) {
  inputs from;
  from.handlers = handlers;
  from.check_property = std::move(check_property);
  std::vector<problem> unread;
  for (const auto& path : paths) {
    source file{path, {}};
    if (const auto why = read_file(path, file.text))
      unread.push_back(without_place(path, "the file " + *why));
    else
      from.files.push_back(std::move(file));
  }
  for (const auto& one : set) {
    const auto equals = one.find('=');
    if (equals == std::string::npos || equals == 0)
      unread.push_back(
          without_place("--set", quoted(one) + " is not KEY=VALUE; write --set actors.NAME.pool.workers=16"));
    else
      from.set.emplace_back(one.substr(0, equals), one.substr(equals + 1));
  }
  for (char** variable = environ; variable && *variable; ++variable) {
    const std::string_view text{*variable};
    if (const auto equals = text.find('='); equals != text.npos)
      from.environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  if (!unread.empty() && from.files.empty()) return {std::nullopt, std::move(unread)};
  auto out = load(from);
  if (!unread.empty()) {
    out.config.reset();
    out.problems.insert(out.problems.begin(), unread.begin(), unread.end());
  }
  return out;
}

} // namespace troupe::config

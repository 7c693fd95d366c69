#include "engine/config/overrides.hpp"

#include "engine/config/fields.hpp"
#include "engine/config/interpolate.hpp"
#include "engine/config/nearest.hpp"
#include "engine/config/yaml.hpp"

#include <algorithm>
#include <functional>
#include <optional>
#include <string_view>

namespace troupe::config {
namespace {

/// Lower case, '-' and '.' as '_': how names of the environment are compared.
std::string folded(std::string_view text) {
  std::string out{text};
  for (auto& c : out)
    c = c == '-' || c == '.' ? '_' : c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

std::vector<std::string> split(std::string_view text, std::string_view by) {
  std::vector<std::string> parts;
  for (;;) {
    const auto at = text.find(by);
    parts.emplace_back(text.substr(0, at));
    if (at == text.npos) return parts;
    text.remove_prefix(at + by.size());
  }
}

bool takes_words(type kind) {
  return kind != type::section && kind != type::topics && kind != type::brokers && kind != type::hosts &&
         kind != type::call;
}

/// One override on its way into the tree.
class override_path {
public:
  override_path(node& root, std::vector<std::string> steps, bool exact, const place& from,
                problem_list& problems)
      : root_{root}, steps_{std::move(steps)}, exact_{exact}, from_{from}, problems_{problems} {}

  /// `make` turns the text into a value, told whether its words are meant as they are.
  void put(const std::function<std::optional<node>(bool words)>& make) {
    node* at = &root_;
    std::string section, path;
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      const auto* f = field_named(section, steps_[i]);
      if (!f) return unknown(section, path, steps_[i]);
      path += (path.empty() ? "" : ".") + std::string{f->name};
      const bool last = i + 1 == steps_.size();
      if (f->is == type::actors) {
        auto* actors = at->find(f->name);
        if (last) return complain(path + " can't be replaced as a whole; name an actor and its key");
        auto* who = actors && actors->value.map() ? actor_named(actors->value, steps_[++i]) : nullptr;
        if (!who) return;
        path += "." + who->key;
        if (i + 1 == steps_.size())
          return complain(path + " can't be replaced as a whole; name one of its keys");
        at = &who->value;
        section = "actor";
        continue;
      }
      if (last) return store(*at, std::string{f->name}, make(takes_words(f->is) && !is_map(f->is)));
      if (is_map(f->is)) {
        at = &map_at(*at, std::string{f->name});
        return store(*at, rest_of(i + 1, *at), make(true));
      }
      if (f->is != type::section && f->is != type::call) return complain(path + " has no keys of its own");
      at = &map_at(*at, std::string{f->name});
      section = section_of(*f);
    }
  }

private:
  static bool is_map(type kind) {
    return kind == type::client_properties || kind == type::conditions || kind == type::settings ||
           kind == type::shapes || kind == type::accounts;
  }

  [[nodiscard]] bool equal(std::string_view word, std::string_view name) const {
    return exact_ ? word == name : folded(word) == folded(name);
  }

  [[nodiscard]] const field* field_named(const std::string& section, const std::string& word) const {
    for (const auto* f : fields_of(section))
      if (equal(word, f->name)) return f;
    return nullptr;
  }

  void complain(std::string what) { problems_.error(from_, std::move(what)); }

  void unknown(const std::string& section, const std::string& path, const std::string& word) {
    std::vector<std::string> known;
    for (const auto* f : fields_of(section))
      known.emplace_back(f->name);
    const auto near = nearest(exact_ ? word : folded(word), known);
    complain("unknown key " + quoted(exact_ ? word : folded(word)) + (path.empty() ? "" : " in " + path) +
             (near ? "; did you mean '" + *near + "'?" : ""));
  }

  entry* actor_named(node& actors, const std::string& word) {
    std::vector<std::string> names;
    entry* found = nullptr;
    for (auto& a : actors.entries) {
      names.push_back(a.key);
      if (!equal(word, a.key)) continue;
      if (found) {
        complain("this means both actors." + found->key + " and actors." + a.key +
                 "; use --set, which is exact");
        return nullptr;
      }
      found = &a;
    }
    if (!found) {
      const auto near = nearest(exact_ ? word : folded(word), names);
      complain("there is no actor " + quoted(exact_ ? word : folded(word)) +
               (near ? "; did you mean '" + *near + "'?" : ""));
    } else if (!found->value.map()) {
      return nullptr; // told where it stands
    }
    return found;
  }

  /// What is left of the path as one key: librdkafka's names hold dots, which variables can't.
  [[nodiscard]] std::string rest_of(std::size_t from, const node& map) const {
    std::string name;
    for (auto i = from; i < steps_.size(); ++i)
      name += (i > from ? (exact_ ? "." : "__") : "") + steps_[i];
    if (exact_) return name;
    for (const auto& e : map.entries)
      if (folded(e.key) == folded(name)) return e.key;
    name = folded(name);
    std::replace(name.begin(), name.end(), '_', '.');
    return name;
  }

  node& map_at(node& in, const std::string& name) {
    auto* e = in.find(name);
    if (!e) {
      in.entries.push_back({name, from_, {}});
      e = &in.entries.back();
    }
    // A word is replaced by the map that an override goes into: handler: name by handler: { http: … }.
    if (!e->value.map()) {
      e->value = {};
      e->value.is = node::shape::map;
      e->value.at = from_;
    }
    return e->value;
  }

  void store(node& in, const std::string& name, std::optional<node> value) {
    if (!value) return;
    if (auto* e = in.find(name)) {
      e->at = from_;
      e->value = std::move(*value);
    } else {
      in.entries.push_back({name, from_, std::move(*value)});
    }
  }

  node& root_;
  std::vector<std::string> steps_;
  bool exact_;
  place from_;
  problem_list& problems_;
};

void stand_at(node& n, const place& at, bool secret) {
  n.at = at;
  n.secret = n.secret || secret;
  for (auto& e : n.entries) {
    e.at = at;
    stand_at(e.value, at, secret);
  }
  for (auto& i : n.items)
    stand_at(i, at, secret);
}

/// Words are taken as they are, since a password may hold what YAML would read as a comment; quotes around
/// the whole are taken off as in YAML. Everything else is YAML.
std::optional<node> value_of(const std::string& text, bool words, bool secret, const place& at,
                             const std::map<std::string, std::string>& environment, problem_list& problems) {
  node n;
  problem_list inner;
  inner.add_origin({"", {}});
  const bool readable = readable_text(text, 0, inner);
  std::optional<node> parsed;
  if (readable && (!words || text.starts_with('"') || text.starts_with('\'')))
    parsed = parse_yaml(text, 0, inner);
  if (!readable || (!words && (!parsed || inner.any_errors()))) {
    const auto why = inner.take();
    problems.error(at, why.empty() ? "the value can't be read" : why.front().text);
    return std::nullopt;
  }
  if (parsed && !inner.any_errors() && (!words || parsed->scalar())) {
    n = std::move(*parsed);
  } else {
    n.is = node::shape::scalar;
    n.text = text;
  }
  stand_at(n, at, secret);
  interpolate(n, environment, problems);
  return n;
}

} // namespace

void override_from_environment(node& root, const std::map<std::string, std::string>& environment,
                               problem_list& problems) {
  constexpr std::string_view prefix = "TROUPE_";
  for (const auto& [name, text] : environment) {
    if (!name.starts_with(prefix)) continue;
    auto steps = split(std::string_view{name}.substr(prefix.size()), "__");
    const auto top = fields_of("");
    const auto known = std::find_if(top.begin(), top.end(),
                                    [&](const field* f) { return folded(f->name) == folded(steps[0]); });
    if (known == top.end()) continue;
    const bool section = (*known)->is == type::section || (*known)->is == type::actors;
    // TROUPE_VERSION and TROUPE_KAFKA may well be something of the deployment's own.
    if (steps.size() == 1 && (section || (*known)->name == "version")) continue;
    place at;
    at.origin = problems.add_origin({"environment", {name}});
    const auto& value = text;
    override_path{root, std::move(steps), false, at, problems}.put(
        [&](bool words) { return value_of(value, words, true, at, environment, problems); });
  }
}

void override_from_flags(node& root, const std::vector<std::pair<std::string, std::string>>& set,
                         const std::map<std::string, std::string>& environment, problem_list& problems) {
  for (const auto& [key, text] : set) {
    auto steps = split(key, ".");
    const auto* secret = steps.size() > 1 ? find_field(steps[0], steps[1]) : nullptr;
    const bool hidden = (secret && (secret->secret || secret->is == type::client_properties)) ||
                        names_secret(key) || steps.back() == "http" ||
                        (steps.size() > 3 && steps[2] == "settings");
    place at;
    at.origin = problems.add_origin({"--set", lines_of(hidden ? key + "=…" : key + "=" + text)});
    const auto& value = text;
    override_path{root, std::move(steps), true, at, problems}.put(
        [&](bool words) { return value_of(value, words, hidden, at, environment, problems); });
  }
}

} // namespace troupe::config

#include "engine/config/check.hpp"

#include "engine/config/nearest.hpp"
#include "engine/config/values.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace troupe::config {
namespace {

constexpr std::array<std::string_view, 6> json_types{"array",  "boolean", "integer",
                                                     "number", "object",  "string"};

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& w : words)
    out += (out.empty() ? "" : ", ") + w;
  return out;
}

/// "; did you mean 'retry'?", or the choices where none is near.
std::string hint(std::string_view word, const std::vector<std::string>& candidates, const std::string& what) {
  if (const auto near = nearest(word, candidates)) return "; did you mean '" + *near + "'?";
  return candidates.empty() ? "" : "; " + what + ": " + joined(candidates);
}

std::string below(const std::string& path, std::string_view name) {
  return path.empty() ? std::string{name} : path + "." + std::string{name};
}

std::string bounds(const field& f, std::string (*written)(double)) {
  if (f.low == f.high) return "be " + written(f.low);
  return "be between " + written(f.low) + " and " + written(f.high);
}

std::string_view shape_name(const node& n) {
  return n.list() ? "a list" : n.map() ? "a map" : n.nothing() ? "nothing" : "a single value";
}

bool takes_map(type kind) {
  return kind == type::section || kind == type::actors || kind == type::client_properties ||
         kind == type::conditions || kind == type::settings || kind == type::shapes || kind == type::accounts;
}

/// A number with its unit; the remedy for one without.
template <class Parse>
std::optional<std::string> measure(const node& n, const field& f, const std::string& path, Parse parse,
                                   std::string (*written)(double), const char* what, const char* remedies,
                                   const char* unit) {
  const auto parsed = parse(n.text);
  if (!parsed) {
    if (!n.secret && parse_count(n.text))
      return quoted(n) + " is not " + what + "; write '" + n.text + unit + "'";
    return quoted(n) + " is not " + what + "; write it as " + remedies;
  }
  if (*parsed < f.low || *parsed > f.high)
    return path + " must " + bounds(f, written) + (n.secret ? "" : ", not " + n.text);
  return std::nullopt;
}

std::optional<std::string> ratio_complaint(const node& n, const field& f, const std::string& path) {
  const auto parsed = parse_ratio(n.text);
  if (!parsed) return quoted(n) + " is not a ratio; write it as '0.2' or '20%'";
  if (*parsed >= f.low && *parsed <= f.high) return std::nullopt;
  if (!n.secret && *parsed > 1 && *parsed <= 100 && !n.text.ends_with('%'))
    return path + " must " + bounds(f, written_number) + ", not " + n.text + "; for percent write '" +
           n.text + "%'";
  return path + " must " + bounds(f, written_number) + (n.secret ? "" : ", not " + n.text);
}

std::optional<std::string> count_complaint(const node& n, const field& f, const std::string& path) {
  const auto parsed = parse_count(n.text);
  const bool negative = n.text.starts_with('-') && parse_count(std::string_view{n.text}.substr(1));
  if (!parsed && !negative) return quoted(n) + " is not a whole number";
  const auto number = static_cast<double>(parsed.value_or(0));
  if (negative || number < f.low || number > f.high)
    return path + " must " + bounds(f, written_number) + (n.secret ? "" : ", not " + n.text);
  return std::nullopt;
}

std::optional<std::string> choice_complaint(const node& n, const field& f, const std::string& path) {
  const auto known = choices_of(f);
  if (std::find(known.begin(), known.end(), n.text) != known.end()) return std::nullopt;
  const std::vector<std::string> words{known.begin(), known.end()};
  if (n.secret) return path + " must be one of " + joined(words);
  const auto near = nearest(n.text, words);
  return quoted(n) + " is not a choice for " + path + "; " +
         (near ? "did you mean '" + *near + "'?" : "write one of " + joined(words));
}

std::optional<std::string> template_complaint(const node& n, const std::string& path,
                                              const char* placeholder) {
  if (n.text.find(placeholder) != std::string::npos) return std::nullopt;
  return path + " must contain " + placeholder + ", or all counts would share one key";
}

std::optional<std::string> header_key_complaint(std::string_view text) {
  constexpr std::string_view prefix = "header:";
  if (!text.starts_with(prefix)) {
    if (text.starts_with('/')) return pointer_complaint(text);
    return "a key is 'header:NAME' or a JSON pointer, as in '/session_id'";
  }
  if (text.size() == prefix.size() || text.find_first_of(" :\t\r\n", prefix.size()) != text.npos)
    return "the name of the header is missing or wrong; write 'header:X-Customer-ID'";
  return std::nullopt;
}

/// Complaints that do not need the path, and do not repeat the value by themselves.
std::optional<std::string> form_complaint(const node& n, const field& f) {
  switch (f.is) {
  case type::name:
    return name_complaint(n.text);
  case type::topic:
    return topic_complaint(n.text);
  case type::topics:
    return n.text.starts_with('^') ? pattern_complaint(n.text) : topic_complaint(n.text);
  case type::group:
    return group_complaint(n.text);
  case type::pointer:
    return pointer_complaint(n.text);
  case type::ingest_key:
    return header_key_complaint(n.text);
  case type::listen:
    return n.text.empty() && !f.section.starts_with("actor") ? std::nullopt : listen_complaint(n.text);
  case type::brokers:
    return brokers_complaint(n.text);
  case type::redis_url:
    return redis_url_complaint(n.text);
  case type::http_url:
    return http_url_complaint(n.text);
  case type::route:
    return route_complaint(n.text);
  case type::hosts:
    return host_complaint(n.text);
  default:
    return std::nullopt;
  }
}

} // namespace

void checker::section(const node& n, std::string_view section, const std::string& path) {
  for (const auto& e : n.entries) {
    const auto* f = find_field(section, e.key);
    if (f)
      value(e, *f, below(path, e.key));
    else
      unknown(e, section, path);
  }
}

void checker::unknown(const entry& e, std::string_view section, const std::string& path) {
  std::vector<std::string> known;
  std::optional<std::string> deeper;
  for (const auto* f : fields_of(section)) {
    known.emplace_back(f->name);
    if (f->is == type::section && f->name != "defaults" && find_field(section_of(*f), e.key))
      deeper = std::string{f->name} + "." + e.key;
  }
  const auto told = "unknown key " + quoted(e.key) + (path.empty() ? "" : " in " + path);
  if (e.key == "<<")
    problems_.error(e.at, told + "; YAML's merge key is not used here, write `defaults` or repeat the keys");
  else if (!nearest(e.key, known) && deeper)
    problems_.error(e.at, told + "; did you mean '" + *deeper + "'?");
  else
    problems_.error(e.at, told + hint(e.key, known, "known are"));
}

void checker::value(const entry& e, const field& f, const std::string& path) {
  const auto& n = e.value;
  if (n.broken) return;
  // A section whose keys are all commented out is an empty one.
  if (takes_map(f.is) && !n.map() && !n.nothing()) {
    problems_.error(n.at, path + " must be a map, not " + std::string{shape_name(n)});
    return;
  }
  switch (f.is) {
  case type::section:
    section(n, section_of(f), path);
    break;
  case type::actors:
    actors(n);
    break;
  case type::call:
    handler(e, f, path);
    break;
  case type::client_properties:
  case type::conditions:
  case type::settings:
  case type::shapes:
  case type::accounts:
    map_of(n, f, path);
    break;
  case type::hosts:
  case type::topics:
  case type::brokers:
    several(n, f, path);
    break;
  default:
    single(n, f, path);
  }
}

void checker::actors(const node& n) {
  for (const auto& a : n.entries) {
    if (const auto why = name_complaint(a.key))
      problems_.error(a.at, "an actor can't be called " + quoted(a.key) + ": " + *why);
    const auto path = "actors." + a.key;
    if (a.value.map())
      section(a.value, "actor", path);
    else if (!a.value.broken)
      problems_.error(a.value.nothing() ? a.at : a.value.at,
                      path + " must be a map of its keys, not " + std::string{shape_name(a.value)});
  }
}

void checker::handler(const entry& e, const field& f, const std::string& path) {
  const auto& n = e.value;
  if (n.scalar()) {
    if (std::find(from_.handlers.begin(), from_.handlers.end(), n.text) != from_.handlers.end()) return;
    if (n.secret)
      problems_.error(n.at, "no handler of this name is registered; " +
                                (from_.handlers.empty() ? "this program has none"
                                                        : "known are: " + joined(from_.handlers)));
    else
      problems_.error(n.at, "no handler " + quoted(n) + " is registered" +
                                (from_.handlers.empty()
                                     ? "; this program has none, write { http: URL } or { simulate: { … } }"
                                     : hint(n.text, from_.handlers, "known are")));
    return;
  }
  if (!n.map() || n.entries.empty()) {
    problems_.error(n.at, path + " must be a registered name, { http: URL } or { simulate: { … } }");
    return;
  }
  section(n, section_of(f), path);
  if (n.find("http") && n.find("simulate"))
    problems_.error(n.entries[1].at, path + " is either http or simulate, not both");
}

void checker::map_of(const node& n, const field& f, const std::string& path) {
  for (const auto& e : n.entries) {
    if (f.is == type::conditions || f.is == type::shapes)
      if (const auto why = pointer_complaint(e.key))
        problems_.error(e.at, quoted(e.key) + " in " + path + ": " + *why);
    if (f.is == type::accounts)
      if (const auto why = account_complaint(e.key))
        problems_.error(e.at, quoted(e.key) + " in " + path + ": " + *why);
    if (e.value.broken) continue;
    if (!e.value.scalar()) {
      problems_.error(e.value.at, below(path, e.key) + " must be a single value, not " +
                                      std::string{shape_name(e.value)});
    } else if (f.is == type::shapes) {
      if (std::find(json_types.begin(), json_types.end(), e.value.text) == json_types.end())
        problems_.error(e.value.at, quoted(e.value) + " is not a JSON type" +
                                        hint(e.value.secret ? "" : e.value.text,
                                             {json_types.begin(), json_types.end()}, "known are"));
    } else if (f.is == type::accounts) {
      if (const auto why = hash_complaint(e.value.text))
        problems_.error(e.value.at, below(path, e.key) + ": " + *why);
    } else if (f.is == type::client_properties && from_.check_property) {
      // The complaint may repeat the value, which nobody may see where it came from outside.
      const auto why = from_.check_property(std::string{f.name}, e.key, e.value.text);
      if (!why) continue;
      const bool tells = (e.value.secret || names_secret(e.key)) && !e.value.text.empty() &&
                         why->find(e.value.text) != std::string::npos;
      problems_.error(e.value.at, tells ? path + ": librdkafka refuses the value of " + quoted(e.key) : *why);
    }
  }
}

void checker::several(const node& n, const field& f, const std::string& path) {
  if (!n.list()) {
    single(n, f, path);
    return;
  }
  if (n.items.empty()) problems_.error(n.at, path + " is empty; name at least one");
  for (std::size_t i = 0; i < n.items.size(); ++i) {
    const auto& item = n.items[i];
    if (item.broken) continue;
    single(item, f, path);
    if (!item.scalar()) continue;
    if (f.is == type::topics && item.text.starts_with('^'))
      problems_.error(item.at, "a pattern stands alone, not in a list; join several with |");
    if (f.is == type::brokers && item.text == "embedded" && n.items.size() > 1)
      problems_.error(item.at, "'embedded' stands alone, not among other brokers");
    for (std::size_t j = 0; j < i; ++j)
      if (f.is == type::topics && n.items[j].scalar() && n.items[j].text == item.text)
        problems_.error(item.at, "this topic stands in the list twice");
  }
}

void checker::single(const node& n, const field& f, const std::string& path) {
  if (n.broken) return;
  if (n.nothing()) {
    problems_.error(n.at, path + " has no value; write one or leave the key out");
    return;
  }
  if (!n.scalar()) {
    problems_.error(n.at, path + " must be a single value, not " + std::string{shape_name(n)});
    return;
  }
  std::optional<std::string> why;
  switch (f.is) {
  case type::count:
    why = count_complaint(n, f, path);
    break;
  case type::duration:
    why = measure(
        n, f, path,
        [](const std::string& text) -> std::optional<double> {
          const auto d = parse_duration(text);
          return d ? std::optional{static_cast<double>(d->count())} : std::nullopt;
        },
        written_duration, "a duration", "'500ms', '5s', '1m' or '48h'", "s");
    break;
  case type::size:
    why = measure(
        n, f, path,
        [](const std::string& text) -> std::optional<double> {
          const auto s = parse_size(text);
          return s ? std::optional{static_cast<double>(*s)} : std::nullopt;
        },
        written_size, "a size", "'512B', '64KiB', '16MiB' or '1GiB'", "B");
    break;
  case type::ratio:
    why = ratio_complaint(n, f, path);
    break;
  case type::boolean:
    if (!parse_boolean(n.text)) why = quoted(n) + " is neither true nor false";
    break;
  case type::choice:
    why = choice_complaint(n, f, path);
    break;
  case type::counted:
    why = template_complaint(n, path, "{value}");
    break;
  case type::by_minute:
    why = template_complaint(n, path, "{minute}");
    break;
  default:
    why = form_complaint(n, f);
    if (why) why = (n.secret || f.secret ? path : quoted(n) + " in " + path) + ": " + *why;
  }
  if (why) problems_.error(n.at, *why);
}

void checker::needed(const node& n, std::string_view section, const std::string& path, const place& at) {
  for (const auto* f : fields_of(section)) {
    const auto* e = n.find(f->name);
    if (!e) {
      if (f->needed) problems_.error(at, path + " needs the key '" + std::string{f->name} + "'");
    } else if (f->is == type::section && (e->value.map() || e->value.nothing())) {
      needed(e->value, section_of(*f), below(path, f->name), e->at);
    }
  }
}

} // namespace troupe::config

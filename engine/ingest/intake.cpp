#include "engine/ingest/intake.hpp"

#include "engine/core/time.hpp"
#include "engine/json/extractor.hpp"
#include "engine/json/split.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cctype>

namespace troupe::ingest {
namespace {

using tree = nlohmann::ordered_json;

std::string_view title_of(int status) {
  switch (status) {
  case 400:
    return "Bad Request";
  case 404:
    return "Not Found";
  case 405:
    return "Method Not Allowed";
  case 409:
    return "Conflict";
  case 413:
    return "Content Too Large";
  case 415:
    return "Unsupported Media Type";
  case 431:
    return "Request Header Fields Too Large";
  case 505:
    return "HTTP Version Not Supported";
  case 429:
    return "Too Many Requests";
  case 503:
    return "Service Unavailable";
  default:
    return "Error";
  }
}

/// In nanoseconds, as 2026-01-31T23:59:59.123456789Z.
std::string rfc3339_ns(std::int64_t ns) {
  constexpr std::int64_t second = 1'000'000'000;
  auto fraction = std::to_string(ns % second);
  fraction.insert(0, 9 - fraction.size(), '0');
  return rfc3339(ns / second * 1000).substr(0, 19) + '.' + fraction + 'Z';
}

/// Without its parameters, in lower case.
std::string media_type(std::string_view header) {
  header = header.substr(0, header.find(';'));
  while (!header.empty() && header.back() == ' ')
    header.remove_suffix(1);
  std::string type{header};
  std::transform(type.begin(), type.end(), type.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return type;
}

bool is_lines(const std::string& type) {
  static constexpr std::array<std::string_view, 4> all{"application/x-ndjson", "application/ndjson",
                                                       "application/jsonl", "application/jsonlines"};
  return std::find(all.begin(), all.end(), type) != all.end();
}

/// Browsers send beacons as text, and `curl -d` calls all it sends a form.
bool is_json(const std::string& type) {
  return type.empty() || type == "application/json" || type == "text/plain" ||
         type == "application/x-www-form-urlencoded" || type.ends_with("+json");
}

std::string_view type_name(json::extractor::kind k) {
  using kind = json::extractor::kind;
  switch (k) {
  case kind::string:
    return "string";
  case kind::number:
    return "number";
  case kind::boolean:
    return "boolean";
  case kind::null:
    return "null";
  case kind::object:
    return "object";
  case kind::array:
    return "array";
  case kind::missing:
    break;
  }
  return "missing";
}

bool fits(json::extractor::kind k, std::string_view text, const std::string& wanted) {
  if (wanted == "integer")
    return k == json::extractor::kind::number && text.find_first_of(".eE") == std::string_view::npos;
  return type_name(k) == wanted;
}

bool blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

} // namespace

std::string problem_json(const problem& what) {
  tree body{{"type", "about:blank"},
            {"title", title_of(what.status)},
            {"status", what.status},
            {"detail", what.detail}};
  if (what.event) body["event"] = *what.event;
  return body.dump(-1, ' ', false, tree::error_handler_t::replace) + '\n';
}

struct intake::impl {
  ingest::rules rules;
  json::extractor look;     ///< the event itself, its key, what is required, then the stamp
  std::string stamp_member; ///< `"name":`, where it is one of the event itself

  static std::vector<json::pointer> places(const ingest::rules& r) {
    std::vector<json::pointer> all{json::pointer{}, r.key.value_or(json::pointer{})};
    for (const auto& [at, type] : r.require)
      all.push_back(at);
    if (r.stamp) all.push_back(*r.stamp);
    return all;
  }
  explicit impl(ingest::rules r) : rules{std::move(r)}, look{places(rules)} {
    if (rules.stamp && rules.stamp->tokens().size() == 1)
      stamp_member =
          tree(rules.stamp->tokens()[0].key).dump(-1, ' ', false, tree::error_handler_t::replace) + ':';
  }

  /// Of one event that must be an object.
  std::optional<problem> check_shape(std::string_view event) {
    if (!look.read(event)) return problem{400, "the body is no JSON: " + std::string{look.problem()}};
    const auto what = look[0].what;
    if (what == json::extractor::kind::array)
      return problem{400, rules.batch ? "an event is a JSON object, not an array"
                                      : "an event is a JSON object; arrays are not taken here"};
    if (what != json::extractor::kind::object)
      return problem{400, "an event is a JSON object, not a " + std::string{type_name(what)}};
    for (std::size_t i = 0; i < rules.require.size(); ++i) {
      const auto& [at, wanted] = rules.require[i];
      const auto& found = look[2 + i];
      if (fits(found.what, found.text, wanted)) continue;
      return problem{400, at.text() + (found.what == json::extractor::kind::missing
                                           ? " is missing; it must be of type " + wanted
                                           : " must be of type " + wanted + ", not " +
                                                 std::string{type_name(found.what)})};
    }
    return std::nullopt;
  }

  std::optional<problem> check_type(const std::string& type) const {
    if (is_json(type) || (rules.batch && is_lines(type))) return std::nullopt;
    return problem{415, "the body must be application/json" +
                            std::string{rules.batch ? " or application/x-ndjson" : ""} + ", not " + type};
  }

  std::optional<problem> check_key(const std::optional<std::string>& key) const {
    if (rules.key_header.empty() || (key && !key->empty())) return std::nullopt;
    return problem{400, "the header " + rules.key_header + " is missing; it is the key of the event"};
  }

  /// Reads the key where the event was just looked at.
  std::optional<problem> take_key(outgoing& event, const std::optional<std::string>& header) {
    if (!rules.key_header.empty()) {
      event.key = header;
    } else if (rules.key) {
      if (!look[1].has_text() || look[1].text.empty())
        return problem{400, rules.key->text() + " is missing; it is the key of the event"};
      event.key = look[1].text;
    }
    return std::nullopt;
  }

  /// Adds it to an event that has none, and leaves the rest byte for byte; false where that cannot be.
  bool append_stamp(std::string& event, const std::string& time) const {
    const auto& there = look[2 + rules.require.size()];
    if (stamp_member.empty() || look[0].what != json::extractor::kind::object ||
        there.what != json::extractor::kind::missing)
      return false;
    const auto end = event.rfind('}');
    const bool empty = event[event.find_last_not_of(" \t\r\n", end - 1)] == '{';
    event.insert(end, (empty ? "" : ",") + stamp_member + '"' + time + '"');
    return true;
  }

  /// Of the event that was looked at last.
  std::optional<problem> stamp(std::string& event, std::int64_t now_ns) const {
    if (!rules.stamp) return std::nullopt;
    const auto time = rfc3339_ns(now_ns);
    if (append_stamp(event, time)) return std::nullopt;
    try {
      auto parsed = tree::parse(event);
      parsed[tree::json_pointer{rules.stamp->text()}] = time;
      event = parsed.dump();
      return std::nullopt;
    } catch (const tree::exception&) {
      return problem{400, rules.stamp->text() + " cannot be set: what stands before it is no object"};
    }
  }

  std::optional<problem> make(std::string text, const std::optional<std::string>& header, std::int64_t now_ns,
                              std::vector<outgoing>& into) {
    if (auto wrong = check_shape(text)) return wrong;
    outgoing event;
    event.topic = rules.topic;
    if (auto wrong = take_key(event, header)) return wrong;
    if (auto wrong = stamp(text, now_ns)) return wrong;
    event.timestamp_ms = now_ns / 1'000'000;
    event.value = std::move(text);
    into.push_back(std::move(event));
    return std::nullopt;
  }
};

intake::intake(rules r) : impl_{std::make_unique<impl>(std::move(r))} {}
intake::~intake() = default;
intake::intake(intake&&) noexcept = default;

std::variant<std::vector<outgoing>, problem> intake::events(std::string_view content_type,
                                                            const std::optional<std::string>& key,
                                                            const std::string& body, std::int64_t now_ns) {
  auto& x = *impl_;
  const auto type = media_type(content_type);
  if (auto wrong = x.check_type(type)) return *wrong;
  if (auto wrong = x.check_key(key)) return *wrong;
  if (blank(body)) return problem{400, "the body is empty"};
  std::vector<std::string> texts;
  if (is_lines(type)) {
    for (std::size_t at = 0; at < body.size();) {
      const auto end = std::min(body.find('\n', at), body.size());
      if (auto line = body.substr(at, end - at); !blank(line)) texts.push_back(std::move(line));
      at = end + 1;
    }
  } else if (x.rules.batch && body[body.find_first_not_of(" \t\r\n")] == '[') {
    if (!x.look.read(body)) return problem{400, "the body is no JSON: " + std::string{x.look.problem()}};
    auto split = json::split_events(body);
    if (!split) return problem{400, "the body is no JSON"};
    texts = std::move(*split);
    if (texts.empty()) return problem{400, "the array is empty"};
  } else {
    texts.push_back(body);
  }
  std::vector<outgoing> made;
  made.reserve(texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i)
    if (auto wrong = x.make(std::move(texts[i]), key, now_ns, made)) {
      if (texts.size() > 1) wrong->event = i;
      return *wrong;
    }
  return made;
}

std::optional<problem> intake::check(std::string_view content_type, const std::optional<std::string>& key,
                                     const std::string& body) {
  if (auto wrong = impl_->check_key(key)) return wrong;
  if (blank(body)) return std::nullopt; // checks are of a body that is there
  if (auto wrong = impl_->check_type(media_type(content_type))) return wrong;
  return impl_->check_shape(body);
}

std::optional<problem> intake::complete(outgoing& event, const std::optional<std::string>& key,
                                        std::int64_t now_ns) {
  auto& x = *impl_;
  if (event.topic.empty()) event.topic = x.rules.topic;
  if (!event.timestamp_ms) event.timestamp_ms = now_ns / 1'000'000;
  if (!event.value) return std::nullopt;
  const bool readable = x.look.read(*event.value);
  if (!event.key && (readable || !x.rules.key))
    if (auto wrong = x.take_key(event, key)) return wrong;
  return readable ? x.stamp(*event.value, now_ns) : std::nullopt;
}

} // namespace troupe::ingest

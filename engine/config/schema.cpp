#include "engine/config/fields.hpp"
#include "engine/config/load.hpp"
#include "engine/config/values.hpp"

#include <nlohmann/json.hpp>

#include <cmath>

namespace troupe::config {
namespace {

using json = nlohmann::ordered_json;

constexpr const char* interpolated = R"(\$\{)";
constexpr const char* duration_form = R"(^[0-9]+(\.[0-9]+)?(ms|s|m|h)$|\$\{)";
constexpr const char* size_form = R"(^[0-9]+(\.[0-9]+)?(B|KB|MB|GB|KiB|MiB|GiB)$|\$\{)";
constexpr const char* topic_form = R"(^[A-Za-z0-9._-]{1,249}$|\$\{)";
constexpr const char* topics_form = R"(^[A-Za-z0-9._-]{1,249}$|^\^|\$\{)";
constexpr const char* pointer_form = R"(^/|\$\{)";

json words(const char* pattern = nullptr) {
  json s{{"type", "string"}};
  if (pattern) s["pattern"] = pattern;
  return s;
}

/// What a plain YAML scalar may be: the loader takes them all as text.
json scalar() {
  return {{"type", {"string", "number", "boolean"}}};
}

json one_or_several(const json& one) {
  return {{"anyOf", {one, {{"type", "array"}, {"items", one}, {"minItems", 1}}}}};
}

json section_schema(const std::string& section);

json count_schema(const field& f) {
  json number{{"type", "integer"}, {"minimum", std::llround(f.low)}, {"maximum", std::llround(f.high)}};
  return {{"anyOf", {number, words(R"(^[0-9]+$|\$\{)")}}};
}

json ratio_schema(const field& f) {
  json number{{"type", "number"}, {"minimum", f.low}, {"maximum", f.high}};
  return {{"anyOf", {number, words(R"(^[0-9]*\.?[0-9]+%?$|\$\{)")}}};
}

json choice_schema(const field& f) {
  json known = json::array();
  for (const auto c : choices_of(f)) {
    known.push_back(c);
    if (c == "1") known.push_back(1);
  }
  return {{"anyOf", {{{"enum", known}}, words(interpolated)}}};
}

json map_schema(const json& value, bool pointers) {
  json s{{"type", {"object", "null"}}, {"additionalProperties", value}};
  if (pointers) s["propertyNames"] = {{"pattern", "^/"}};
  return s;
}

json value_schema(const field& f) {
  switch (f.is) {
  case type::section:
    return section_schema(section_of(f));
  case type::actors:
    return {{"type", "object"},
            {"propertyNames", {{"pattern", "^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$"}}},
            {"additionalProperties", section_schema("actor")}};
  case type::call:
    return {{"anyOf", {words(), section_schema(section_of(f))}}};
  case type::count:
    return count_schema(f);
  case type::duration:
    return words(duration_form);
  case type::size:
    return words(size_form);
  case type::ratio:
    return ratio_schema(f);
  case type::boolean:
    return {{"anyOf", {{{"type", "boolean"}}, words(interpolated)}}};
  case type::choice:
    return choice_schema(f);
  case type::topic:
    return words(topic_form);
  case type::topics:
    return one_or_several(words(topics_form));
  case type::brokers:
  case type::hosts:
    return one_or_several(words());
  case type::pointer:
    return words(pointer_form);
  case type::ingest_key:
    return words(R"(^/|^header:|\$\{)");
  case type::counted:
    return words(R"(\{value\}|\$\{)");
  case type::by_minute:
    return words(R"(\{minute\}|\$\{)");
  case type::http_url:
    return words(R"(^https?://|\$\{)");
  case type::redis_url:
    return words(R"(^(redis|rediss|unix)://|\$\{)");
  case type::route:
    return words(R"(^(POST|PUT) /|\$\{)");
  case type::client_properties:
  case type::settings:
    return map_schema(scalar(), false);
  case type::conditions:
    return map_schema(scalar(), true);
  case type::accounts:
    return map_schema(words(R"(^\$argon2id\$|\$\{)"), false);
  case type::shapes:
    return map_schema({{"enum", {"array", "boolean", "integer", "number", "object", "string"}}}, true);
  case type::name:
  case type::group:
  case type::listen:
    return words();
  case type::text:
    return scalar();
  }
  return json::object();
}

/// A default as JSON: numbers and truths bare, everything else as it is written.
json default_of(const field& f) {
  if (f.is == type::count)
    if (const auto n = parse_count(f.fallback)) return *n;
  if (f.is == type::boolean) return f.fallback == "true";
  return f.fallback;
}

json section_schema(const std::string& section) {
  json properties = json::object();
  for (const auto* f : fields_of(section)) {
    auto s = value_schema(*f);
    s["description"] = f->sentence;
    if (!f->fallback.empty()) s["default"] = default_of(*f);
    properties[std::string{f->name}] = std::move(s);
  }
  return {
      {"type", {"object", "null"}}, {"properties", std::move(properties)}, {"additionalProperties", false}};
}

} // namespace

std::string json_schema() {
  json all{{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", "Troupe configuration"}};
  auto top = section_schema("");
  top["type"] = "object";
  all.update(top);
  return all.dump(2) + "\n";
}

} // namespace troupe::config

#include "engine/json/split.hpp"

#include <simdjson.h>

namespace troupe::json {

std::optional<std::vector<std::string>> split_events(std::string_view body) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  const simdjson::padded_string padded{body};
  if (parser.parse(padded).get(root) != simdjson::SUCCESS) return std::nullopt;
  std::vector<std::string> events;
  if (root.is_object()) {
    events.emplace_back(body);
    return events;
  }
  simdjson::dom::array all;
  if (root.get(all) != simdjson::SUCCESS) return std::nullopt;
  for (const auto element : all)
    events.push_back(simdjson::minify(element));
  return events;
}

} // namespace troupe::json

#include "engine/json/split.hpp"

#include "engine/json/extractor.hpp"

#include <array>

namespace troupe::json {
namespace {

std::string trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return std::string{text.substr(first, text.find_last_not_of(blanks) - first + 1)};
}

/// Of an array that is known to be valid, so that only brackets, commas and strings need a look.
std::vector<std::string> elements(std::string_view array) {
  std::vector<std::string> all;
  std::size_t depth = 0, begin = 0;
  const auto end_at = [&](std::size_t at) {
    if (auto element = trimmed(array.substr(begin, at - begin)); !element.empty())
      all.push_back(std::move(element));
    begin = at + 1;
  };
  for (std::size_t at = 0; at < array.size(); ++at) {
    switch (array[at]) {
    case '"':
      for (++at; array[at] != '"'; ++at)
        if (array[at] == '\\') ++at;
      break;
    case '[':
    case '{':
      if (++depth == 1) begin = at + 1;
      break;
    case ']':
    case '}':
      if (--depth == 0) end_at(at);
      break;
    case ',':
      if (depth == 1) end_at(at);
      break;
    default:
      break;
    }
  }
  return all;
}

} // namespace

std::optional<std::vector<std::string>> split_events(std::string_view body) {
  const std::array<pointer, 1> whole;
  extractor look{whole};
  if (!look.read(body)) return std::nullopt;
  if (look[0].what == extractor::kind::object) return std::vector{std::string{body}};
  if (look[0].what == extractor::kind::array) return elements(body);
  return std::nullopt;
}

} // namespace troupe::json

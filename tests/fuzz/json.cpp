// Any text, read by the extractor and split into events.
#include "engine/json/extractor.hpp"
#include "engine/json/split.hpp"
#include "tests/fuzz/strict_json.hpp"
#include "tests/fuzz/targets.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::fuzz {
namespace {

using kind = json::extractor::kind;
using tree = nlohmann::json;

const std::vector<json::pointer>& places() {
  static const std::vector<json::pointer> all = [] {
    std::vector<json::pointer> made;
    for (const char* text : {"", "/type", "/payload/path", "/a/0/b", "/a", "/x~1y", "/", "/a/-", "/é"})
      made.push_back(json::pointer::parse(text).value());
    return made;
  }();
  return all;
}

/// What another parser finds there; null where nothing lies.
const tree* at(const tree& root, const json::pointer& place) {
  const auto* here = &root;
  for (const auto& token : place.tokens()) {
    if (here->is_object() && here->contains(token.key))
      here = &(*here)[token.key];
    else if (here->is_array() && token.index && *token.index < here->size())
      here = &(*here)[*token.index];
    else
      return nullptr;
  }
  return here;
}

kind kind_of(const tree* value) {
  if (!value) return kind::missing;
  if (value->is_string()) return kind::string;
  if (value->is_number()) return kind::number;
  if (value->is_boolean()) return kind::boolean;
  if (value->is_null()) return kind::null;
  return value->is_object() ? kind::object : kind::array;
}

void check_found(const json::extractor& look, const tree& root) {
  for (std::size_t i = 0; i < places().size(); ++i) {
    const auto* value = at(root, places()[i]);
    require(look[i].what == kind_of(value), "two parsers find values of the same type");
    if (look[i].what == kind::string)
      require(look[i].text == value->get_ref<const std::string&>(), "two parsers find the same string");
    if (look[i].what == kind::number)
      require(tree::parse(look[i].text) == *value, "two parsers find the same number");
  }
}

/// None where a number is too large for the other parser, which is not a matter of JSON.
tree parsed(std::string_view text) {
  return tree::parse(text, nullptr, false);
}

void check_split(std::string_view input) {
  const auto events = json::split_events(input);
  const bool valid = is_strict_json(input, json::extractor::max_depth);
  const auto first = input.find_first_not_of(" \t\r\n");
  const bool splits = valid && (input[first] == '{' || input[first] == '[');
  require(events.has_value() == splits, "objects and arrays are split, and nothing else");
  if (!events) return;
  for (const auto& event : *events)
    require(is_strict_json(event, json::extractor::max_depth), "what an array is split into is JSON");
  const auto whole = parsed(input);
  if (whole.is_discarded()) return;
  if (whole.is_object()) {
    require(events->size() == 1 && events->front() == input, "an object is left as it is");
    return;
  }
  require(events->size() == whole.size(), "no element is lost");
  for (std::size_t i = 0; i < events->size(); ++i)
    require(parsed((*events)[i]) == whole[i], "an element is what it was");
}

/// Between others a text is what it is alone, and so are they.
void check_among_others(std::string_view input, const json::extractor& alone, bool taken) {
  const std::string_view other = R"({"type":"é","a":[{"b":"left over"}],"payload":{"path":1},"é":null})";
  json::texts all;
  for (const auto text : {other, input, input, other})
    all.add(text);
  json::extractor x{places()};
  std::vector<std::pair<std::string_view, std::string>> unsettled;
  x.read_all(
      all,
      [&](std::size_t i, bool ok) {
        if (i == 0 || i == 3) return require(ok && x[1].text == "é", "a neighbour changes nothing");
        require(ok == taken, "a text is taken among others as it is alone");
        for (std::size_t p = 0; p < places().size(); ++p) {
          require(x[p].what == alone[p].what && x[p].text == alone[p].text, "the same is found in it");
          if (x[p].is_string()) unsettled.emplace_back(x[p].text, x[p].text);
        }
      },
      [&] {
        for (const auto& [there, was] : unsettled)
          require(there == was, "what was found stays until it is settled");
        unsettled.clear();
      });
}

} // namespace

void json(std::string_view input) {
  json::extractor fresh{places()};
  const bool taken = fresh.read(input);
  require(taken == is_strict_json(input, json::extractor::max_depth), "what is taken for JSON is JSON");
  require(taken == fresh.problem().empty(), "a refusal has a reason");

  json::extractor used{places()};
  used.read(R"({"type":"é","a":[{"b":"left over"}],"payload":{"path":1},"x/y":true,"":[],"é":null})");
  require(used.read(input) == taken, "an earlier event changes nothing");
  for (std::size_t i = 0; i < places().size(); ++i) {
    require(used[i].what == fresh[i].what && used[i].text == fresh[i].text,
            "an earlier event leaves nothing");
    require(taken || fresh[i].what == kind::missing, "nothing is found in what is no JSON");
  }
  check_among_others(input, fresh, taken);
  if (const auto root = parsed(input); taken && !root.is_discarded()) check_found(fresh, root);
  check_split(input);
}

} // namespace troupe::fuzz

// A config file. Lines that start with `#set KEY=VALUE` and `#env NAME=VALUE` are overrides and variables
// beside it.
#include "engine/config/load.hpp"
#include "engine/core/utf8.hpp"
#include "tests/fuzz/targets.hpp"

#include <algorithm>
#include <sstream>

namespace troupe::fuzz {
namespace {

constexpr std::string_view password = "hunter2-4711";

bool take_pair(std::string_view line, std::string_view mark, std::pair<std::string, std::string>& into) {
  if (!line.starts_with(mark)) return false;
  line.remove_prefix(mark.size());
  const auto equals = line.find('=');
  if (equals == std::string_view::npos || equals == 0) return false;
  into = {std::string{line.substr(0, equals)}, std::string{line.substr(equals + 1)}};
  return true;
}

config::inputs inputs_from(std::string_view input) {
  config::inputs from;
  from.files = {{"fuzz.yaml", std::string{input}}};
  from.handlers = {"ecommerce.checkout", "ecommerce.reserve_inventory"};
  from.environment = {{"PASSWORD", std::string{password}}};
  std::istringstream lines{from.files[0].text};
  std::pair<std::string, std::string> pair;
  for (std::string line; std::getline(lines, line);)
    if (take_pair(line, "#set ", pair))
      from.set.push_back(pair);
    else if (take_pair(line, "#env ", pair))
      from.environment.insert(pair);
  return from;
}

bool is_utf8(std::string_view text) {
  while (const auto n = utf8_length(text))
    text.remove_prefix(n);
  return text.empty();
}

void check_place(const config::problem& p, std::int64_t lines) {
  if (p.text.find("more problems are not shown") != std::string::npos) return;
  const bool of_the_file = p.file == "fuzz.yaml";
  require(of_the_file || p.file == "--set" || p.file == "environment", "a problem says where it is");
  require(!of_the_file || (p.line >= 1 && p.line <= lines && p.column >= 1),
          "a problem of a file has a place in it");
}

} // namespace

void config(std::string_view input) {
  const auto from = inputs_from(input);
  const auto got = config::load(from);
  const bool errors = std::any_of(got.problems.begin(), got.problems.end(),
                                  [](const config::problem& p) { return !p.warning; });
  require(got.config.has_value() != errors, "there are settings, or errors that say why not");
  const auto lines = std::count(input.begin(), input.end(), '\n') + 1;
  for (const auto& p : got.problems) {
    require(!p.text.empty(), "a problem says what is wrong");
    require(is_utf8(p.text) && is_utf8(p.source), "a problem is UTF-8");
    check_place(p, lines);
  }
  const auto shown = config::show(got.problems, false);
  require(shown.empty() == got.problems.empty(), "all problems are shown");
  if (input.find(password) == std::string_view::npos)
    require(shown.find(password) == std::string::npos, "what ${…} stands for is never shown");
  require(config::show(config::load(from).problems, false) == shown, "the same file has the same problems");
}

} // namespace troupe::fuzz

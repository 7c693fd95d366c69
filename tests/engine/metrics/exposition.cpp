#include "tests/engine/metrics/exposition.hpp"

#include <cmath>
#include <limits>
#include <regex>
#include <set>
#include <sstream>
#include <stdexcept>

namespace troupe::metrics::testing {
namespace {

[[noreturn]] void refuse(const std::string& why, const std::string& line) {
  throw std::runtime_error{why + ": " + line};
}

double number(const std::string& text, const std::string& line) {
  if (text == "+Inf") return std::numeric_limits<double>::infinity();
  if (text == "-Inf") return -std::numeric_limits<double>::infinity();
  if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
  static const std::regex form{R"([+-]?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?)"};
  if (!std::regex_match(text, form)) refuse("not a number", line);
  return std::stod(text);
}

sample parse_sample(const std::string& line) {
  sample s;
  std::size_t i = 0;
  const auto name_char = [&](char c, bool first, bool colon) {
    return c == '_' || (colon && c == ':') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (!first && c >= '0' && c <= '9');
  };
  while (i < line.size() && name_char(line[i], i == 0, true))
    s.name += line[i++];
  if (s.name.empty()) refuse("no name", line);
  if (i < line.size() && line[i] == '{') {
    ++i;
    while (i < line.size() && line[i] != '}') {
      std::string name, value;
      while (i < line.size() && name_char(line[i], name.empty(), false))
        name += line[i++];
      if (name.empty() || line.compare(i, 2, "=\"") != 0) refuse("bad label", line);
      for (i += 2; i < line.size() && line[i] != '"'; ++i) {
        if (line[i] != '\\') {
          value += line[i];
          continue;
        }
        if (++i == line.size()) refuse("cut escape", line);
        if (line[i] == 'n')
          value += '\n';
        else if (line[i] == '\\' || line[i] == '"')
          value += line[i];
        else
          refuse("unknown escape", line);
      }
      if (i == line.size()) refuse("open label value", line);
      ++i;
      if (!s.labels.emplace(name, value).second) refuse("label twice", line);
      if (i < line.size() && line[i] == ',') ++i;
    }
    if (i == line.size()) refuse("open braces", line);
    ++i;
  }
  if (i >= line.size() || line[i] != ' ') refuse("no value", line);
  s.value = number(line.substr(i + 1), line);
  return s;
}

std::string family_of(const page& p, const std::string& name) {
  for (const std::string suffix : {"_bucket", "_sum", "_count"}) {
    if (!name.ends_with(suffix)) continue;
    const auto base = name.substr(0, name.size() - suffix.size());
    const auto type = p.types.find(base);
    if (type != p.types.end() && type->second == "histogram") return base;
  }
  return name;
}

void check_histograms(const page& p) {
  for (const auto& [base, type] : p.types) {
    if (type != "histogram") continue;
    std::map<std::map<std::string, std::string>, std::map<double, double>> buckets;
    for (const auto& s : p.samples) {
      if (s.name != base + "_bucket") continue;
      auto rest = s.labels;
      if (rest.count("le") == 0) refuse("bucket without le", base);
      const double bound = number(rest.at("le"), base);
      rest.erase("le");
      buckets[rest][bound] = s.value;
    }
    for (const auto& [with, by_bound] : buckets) {
      double before = 0;
      for (const auto& [bound, n] : by_bound) {
        if (n < before) refuse("buckets are not cumulative", base);
        before = n;
      }
      if (!std::isinf(by_bound.rbegin()->first)) refuse("no +Inf bucket", base);
      if (p.at(base + "_count", with) != before) refuse("count is not the +Inf bucket", base);
      (void)p.at(base + "_sum", with);
    }
  }
}

} // namespace

double page::at(const std::string& name, const std::map<std::string, std::string>& labels) const {
  const sample* found = nullptr;
  for (const auto& s : samples) {
    if (s.name != name || s.labels != labels) continue;
    if (found != nullptr) refuse("series twice", name);
    found = &s;
  }
  if (found == nullptr) refuse("no such series", name);
  return found->value;
}

std::size_t page::count(const std::string& name) const {
  std::size_t n = 0;
  for (const auto& s : samples)
    n += s.name == name ? 1U : 0U;
  return n;
}

page parse_exposition(const std::string& text) {
  if (!text.empty() && text.back() != '\n') refuse("no line feed at the end", text);
  page p;
  std::set<std::string> ended, seen;
  std::string current;
  std::istringstream lines{text};
  for (std::string line; std::getline(lines, line);) {
    if (line.empty()) continue;
    std::istringstream words{line};
    std::string hash, keyword, name, rest;
    if (line[0] == '#') {
      words >> hash >> keyword >> name;
      std::getline(words, rest);
      if (rest.empty() || rest[0] != ' ') refuse("empty comment", line);
      rest.erase(0, 1);
      if (keyword != "HELP" && keyword != "TYPE") refuse("unknown comment", line);
      auto& into = keyword == "HELP" ? p.helps : p.types;
      if (!into.emplace(name, rest).second) refuse(keyword + " twice", line);
      static const std::set<std::string> types{"counter", "gauge", "histogram", "summary", "untyped"};
      if (keyword == "TYPE" && types.count(rest) == 0) refuse("unknown type", line);
      if (p.count(name) > 0) refuse(keyword + " after samples", line);
    } else {
      auto s = parse_sample(line);
      name = family_of(p, s.name);
      p.samples.push_back(std::move(s));
      const auto series = line.substr(0, line.rfind(' '));
      if (!seen.insert(series).second) refuse("series twice", line);
    }
    if (name == current) continue;
    if (!ended.insert(name).second) refuse("family in two groups", line);
    current = name;
  }
  check_histograms(p);
  return p;
}

} // namespace troupe::metrics::testing

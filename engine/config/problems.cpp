#include "engine/config/problems.hpp"

#include "engine/core/utf8.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace troupe::config {
namespace {

// More would only hide the first, and a hostile file could ask for millions.
constexpr std::size_t most_problems = 1000;
constexpr std::size_t longest_line = 1000;

constexpr std::array<std::string_view, 8> secret_words{"password", "passwd", "secret", "passphrase",
                                                       "token",    "jaas",   "pem",    "ssl.key"};

void blank(std::string& line, std::size_t from, std::size_t to) {
  std::string masked = line.substr(0, from);
  for (std::size_t i = from; i < to;) {
    const auto n = std::max<std::size_t>(1, utf8_length(std::string_view{line}.substr(i)));
    masked += line[i] == ' ' ? ' ' : '*';
    i += n;
  }
  line = masked + line.substr(std::min(to, line.size()));
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return text;
}

} // namespace

bool names_secret(std::string_view key) {
  const auto small = lower(std::string{key});
  return std::any_of(secret_words.begin(), secret_words.end(),
                     [&](std::string_view word) { return small.find(word) != std::string::npos; });
}

std::string without_secrets(std::string line) {
  const auto at_sign = line.rfind('@');
  const auto scheme = line.find("://");
  if (scheme != std::string::npos && at_sign != std::string::npos && scheme + 3 < at_sign)
    blank(line, scheme + 3, at_sign);
  const auto small = lower(line);
  for (const auto word : secret_words)
    for (auto found = small.find(word); found != std::string::npos; found = small.find(word, found + 1)) {
      // Only a key hides its value: a topic may be called tokens.
      const auto colon = small.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789._-\"' ", found);
      if (colon == std::string::npos || (line[colon] != ':' && line[colon] != '=')) continue;
      const auto value = line.find_first_not_of(" \"'", colon + 1);
      if (value == std::string::npos) continue;
      // The name of a variable or a file is no secret, the default behind it may be one.
      if (line.compare(value, 2, "${") == 0 && line.find(":-", value) == std::string::npos) continue;
      blank(line, colon + 1, line.size());
      return line;
    }
  return line;
}

std::string quoted(std::string_view text) {
  std::string out = "'";
  std::size_t shown = 0;
  while (!text.empty()) {
    if (++shown > 60) {
      out += "…";
      break;
    }
    const auto length = utf8_length(text);
    const auto n = std::max<std::size_t>(1, length);
    if (length == 0 || static_cast<unsigned char>(text[0]) < 0x20 || text[0] == 0x7F)
      out += '?';
    else
      out += text.substr(0, n);
    text.remove_prefix(n);
  }
  return out + "'";
}

std::string quoted(const node& value) {
  return value.secret ? "the value" : quoted(value.text);
}

std::size_t problem_list::add_origin(origin o) {
  origins_.push_back(std::move(o));
  return origins_.size() - 1;
}

void problem_list::add(const place& at, std::string text, bool warning) {
  errors_ = errors_ || !warning;
  if (found_.size() >= most_problems) {
    ++left_out_;
    return;
  }
  found_.emplace(at.origin, at.line, at.column, std::move(text), warning, at.width);
}

std::string problem_list::where(const place& at) const {
  if (at.origin >= origins_.size()) return {};
  const auto& name = origins_[at.origin].name;
  return at.line > 0 ? name + ":" + std::to_string(at.line) : name;
}

std::string problem_list::block(const place& at) const {
  if (at.origin >= origins_.size() || at.line <= 0) return {};
  const auto& lines = origins_[at.origin].lines;
  const auto first = static_cast<std::size_t>(at.line) - 1;
  const auto indent = static_cast<std::size_t>(std::max(at.column, 1)) - 1;
  std::string text;
  std::string blank; // between its lines, not below them
  for (auto i = first; i < lines.size(); ++i) {
    const auto begin = lines[i].find_first_not_of(' ');
    if (begin == std::string::npos) {
      blank += '\n';
      continue;
    }
    const bool closes = lines[i][begin] == '}' || lines[i][begin] == ']';
    if (i > first && (begin < indent || (begin == indent && !closes))) break;
    text += blank + without_secrets(lines[i].substr(std::min(begin, indent))) + '\n';
    blank.clear();
  }
  return text;
}

std::vector<problem> problem_list::take() {
  std::vector<problem> all;
  for (const auto& [from, line, column, text, warning, width] : found_) {
    problem p;
    p.line = line;
    p.column = column;
    p.warning = warning;
    p.text = text;
    p.width = std::max<std::size_t>(1, width);
    if (from < origins_.size()) {
      const auto& o = origins_[from];
      p.file = o.name;
      const auto index = line > 0 ? static_cast<std::size_t>(line) - 1 : 0;
      if (index < o.lines.size() && (line > 0 || o.name == "--set" || o.name == "environment") &&
          o.lines[index].size() <= longest_line)
        p.source = without_secrets(o.lines[index]);
    }
    all.push_back(std::move(p));
  }
  if (left_out_ > 0) {
    problem rest;
    rest.file = all.back().file;
    rest.text = std::to_string(left_out_) + " more problems are not shown; mend these first";
    all.push_back(std::move(rest));
  }
  return all;
}

} // namespace troupe::config

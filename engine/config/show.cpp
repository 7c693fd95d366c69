#include "engine/config/load.hpp"

#include "engine/core/utf8.hpp"

#include <algorithm>
#include <string_view>

namespace troupe::config {
namespace {

constexpr std::size_t widest = 120;

struct palette {
  std::string_view bold, red, yellow, green, plain;
};
constexpr palette none{};
constexpr palette colours{"\033[1m", "\033[1;31m", "\033[1;33m", "\033[1;32m", "\033[0m"};

std::string_view character_at(std::string_view text) {
  return text.substr(0, std::max<std::size_t>(1, utf8_length(text)));
}

/// Characters [from, from + n) of the line.
std::string part_of(std::string_view line, std::size_t from, std::size_t n) {
  std::string out;
  for (std::size_t i = 0; !line.empty() && i < from + n; ++i) {
    const auto c = character_at(line);
    if (i >= from) out += c;
    line.remove_prefix(c.size());
  }
  return out;
}

std::size_t length_of(std::string_view line) {
  std::size_t n = 0;
  for (; !line.empty(); ++n)
    line.remove_prefix(character_at(line).size());
  return n;
}

void show_line(const problem& p, const palette& c, std::string& out) {
  if (p.source.empty()) return;
  const auto number = p.line > 0 ? std::to_string(p.line) : std::string{};
  const std::string margin(number.size() < 4 ? 4 - number.size() : 0, ' ');
  const auto column = static_cast<std::size_t>(std::max(p.column, 1)) - 1;
  // A long line is shown around the place.
  const std::size_t from = column > widest / 2 && length_of(p.source) > widest ? column - widest / 2 : 0;
  out += margin + number + " | " + (from > 0 ? "…" : "") + part_of(p.source, from, widest) + "\n";
  if (p.column <= 0) return;
  const auto room =
      std::max<std::size_t>(1, std::min(widest, length_of(p.source)) - std::min(column - from, widest));
  const auto width = std::clamp<std::size_t>(p.width, 1, std::max<std::size_t>(1, std::min(room, widest)));
  out += std::string(std::max<std::size_t>(4, number.size()), ' ') + " | " +
         std::string(column - from + (from > 0 ? 1 : 0), ' ');
  out.append(c.green).append("^").append(std::string(width - 1, '~')).append(c.plain).append("\n");
}

std::string counted(std::size_t n, const std::string& word) {
  return std::to_string(n) + " " + word + (n == 1 ? "" : "s");
}

} // namespace

std::string show(const std::vector<problem>& problems, bool colour) {
  const auto& c = colour ? colours : none;
  std::string out;
  std::size_t warnings = 0;
  for (const auto& p : problems) {
    warnings += p.warning;
    out.append(c.bold).append(p.file);
    if (p.line > 0) out += ":" + std::to_string(p.line) + ":" + std::to_string(p.column);
    out.append(p.file.empty() ? "" : ": ").append(c.plain);
    out.append(p.warning ? c.yellow : c.red).append(p.warning ? "warning" : "error").append(c.plain);
    out += ": " + p.text + "\n";
    show_line(p, c, out);
  }
  const auto errors = problems.size() - warnings;
  if (problems.empty()) return out;
  if (errors > 0) out += counted(errors, "error") + (warnings > 0 ? ", " : "");
  if (warnings > 0) out += counted(warnings, "warning");
  return out + "\n";
}

} // namespace troupe::config

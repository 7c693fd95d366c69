#include "apps/command/words.hpp"

#include "engine/core/utf8.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace troupe::words {
namespace {

template <class... Ts>
std::string formatted(const char* how, Ts... what) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), how, what...);
  return text.data();
}

/// Characters, which is what a terminal's columns are for all that we print.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

} // namespace

std::string count(std::uint64_t n) {
  auto text = std::to_string(n);
  for (auto at = text.size(); at > 3; at -= 3)
    text.insert(at - 3, ",");
  return text;
}

std::string count(std::int64_t n) {
  const auto size = static_cast<std::uint64_t>(n < 0 ? -n : n);
  return (n < 0 ? "-" : "") + count(size);
}

std::string count(std::optional<std::int64_t> n) {
  return n ? count(*n) : std::string{unknown};
}

std::string rate(std::optional<double> per_second) {
  if (!per_second) return std::string{unknown};
  if (*per_second >= 99.95 || *per_second == 0) return count(std::lround(*per_second));
  return formatted("%.1f", *per_second);
}

std::string latency(std::optional<double> seconds) {
  if (!seconds) return std::string{unknown};
  if (*seconds < 0.00995) return formatted("%.1fms", *seconds * 1000);
  return *seconds < 0.9995 ? formatted("%.0fms", *seconds * 1000) : formatted("%.1fs", *seconds);
}

std::string span(std::optional<double> seconds) {
  if (!seconds) return std::string{unknown};
  if (*seconds < 9.95) return formatted("%.1fs", *seconds);
  const auto whole = static_cast<long long>(*seconds);
  if (whole < 60) return formatted("%llds", whole);
  if (whole < 3600) return formatted("%lldm%02llds", whole / 60, whole % 60);
  if (whole < 86'400) return formatted("%lldh%02lldm", whole / 3600, whole / 60 % 60);
  return formatted("%lldd%02lldh", whole / 86'400, whole / 3600 % 24);
}

std::string ago(std::int64_t then_ms, std::int64_t now_ms) {
  return span(static_cast<double>(std::max<std::int64_t>(0, now_ms - then_ms)) / 1000) + " ago";
}

std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> wide;
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i == wide.size()) wide.push_back(0);
      wide[i] = std::max(wide[i], width(row[i]));
    }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i)
      line += row[i] + std::string(wide[i] - width(row[i]) + 2, ' ');
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  }
  return out;
}

std::string clipped(std::string_view text, std::size_t columns) {
  std::string out;
  std::size_t used = 0;
  for (; !text.empty() && used < columns; ++used) {
    const auto n = utf8_length(text);
    const auto first = static_cast<unsigned char>(text[0]);
    // C1 controls, too: some terminals hear them.
    const bool control =
        n == 0 || first < 0x20 || first == 0x7F || (n == 2 && first == 0xC2 && (text[1] & 0xE0) == 0x80);
    if (control)
      out += '.';
    else
      out += text.substr(0, n);
    text.remove_prefix(std::max<std::size_t>(n, 1));
  }
  return out;
}

} // namespace troupe::words

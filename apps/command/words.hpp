#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What the reading commands print: figures for people, in tables. What is not known is –, never 0.
namespace troupe::words {

inline constexpr std::string_view unknown = "–";

/// 18,331
std::string count(std::int64_t n);
std::string count(std::uint64_t n);
std::string count(std::optional<std::int64_t> n);
/// 12.5 below 100, 1,204 above.
std::string rate(std::optional<double> per_second);
/// 0.4ms, 18ms, 1.2s
std::string latency(std::optional<double> seconds);
/// 0.3s, 42s, 4m02s, 2h03m, 3d04h
std::string span(std::optional<double> seconds);
/// "4m02s ago"
std::string ago(std::int64_t then_ms, std::int64_t now_ms);

/// Columns wide enough for what is in them, two blanks apart; the first row is the heading. Blanks at the end
/// of a line are left out.
std::string table(const std::vector<std::vector<std::string>>& rows);
/// At most so many columns of a terminal; a character that no terminal should be sent becomes a dot.
std::string clipped(std::string_view text, std::size_t columns);

} // namespace troupe::words

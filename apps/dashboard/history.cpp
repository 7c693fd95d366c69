#include "apps/dashboard/history.hpp"

#include "engine/state/latency.hpp"
#include "engine/state/layout.hpp"

#include <array>
#include <charconv>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace troupe::dashboard {
namespace {

using nlohmann::json;
using redis::reply;

constexpr std::array<std::string_view, 4> outcomes{"ok", "err", "retry", "dlq"};

/// Steps of a chart, each of several keys.
struct grid {
  std::int64_t from_s, key_s, step_s;
  int steps;
  [[nodiscard]] int keys_per_step() const { return static_cast<int>(step_s / key_s); }
};

/// Up to the last step that is whole: processes write once a second, and may be a moment late.
grid grid_of(window over, std::int64_t now_ms) {
  constexpr std::int64_t late_s = 2;
  const auto now_s = now_ms / 1000 - late_s;
  const auto make = [&](std::int64_t key_s, std::int64_t step_s, int steps) {
    return grid{now_s - now_s % step_s - step_s * steps, key_s, step_s, steps};
  };
  // The oldest keys of both windows may be gone already.
  return over == window::day ? make(60, 300, 287) : make(1, 5, 178);
}

grid latency_grid(std::int64_t now_ms) {
  const auto now_s = now_ms / 1000;
  return {now_s - now_s % 10 - 890, 10, 10, 89};
}

std::optional<std::uint64_t> number_in(std::string_view text) {
  std::uint64_t n = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), n);
  return failed == std::errc{} && end == text.data() + text.size() ? std::optional{n} : std::nullopt;
}

/// Calls with actor, what and how many, for each field of a hash of counts.
template <class F>
void each_count(const reply& hash, const std::string& actor, F&& f) {
  for (std::size_t i = 0; i + 1 < hash.items.size(); i += 2) {
    const std::string_view field{hash.items[i].text};
    const auto n = number_in(hash.items[i + 1].text);
    const auto slash = field.rfind('/');
    if (!n || slash == field.npos || (!actor.empty() && field.substr(0, slash) != actor)) continue;
    f(field.substr(slash + 1), *n);
  }
}

bool somebody_told(const reply& hash) {
  for (std::size_t i = 0; i + 1 < hash.items.size(); i += 2)
    if (hash.items[i].text == state::layout::told_field) return true;
  return false;
}

json counts_of(const grid& g, std::span<const reply> hashes, const std::string& actor) {
  json all{{"from", g.from_s * 1000}, {"step_ms", g.step_s * 1000}};
  for (const auto name : outcomes)
    all[std::string{name}] = json::array();
  for (int step = 0; step < g.steps; ++step) {
    std::array<std::uint64_t, outcomes.size()> sums{};
    bool told = false;
    for (const auto& hash : hashes.subspan(static_cast<std::size_t>(step * g.keys_per_step()),
                                           static_cast<std::size_t>(g.keys_per_step()))) {
      told = told || somebody_told(hash);
      each_count(hash, actor, [&](std::string_view what, std::uint64_t n) {
        for (std::size_t i = 0; i < outcomes.size(); ++i)
          if (what == outcomes[i]) sums[i] += n;
      });
    }
    for (std::size_t i = 0; i < outcomes.size(); ++i)
      all[std::string{outcomes[i]}].push_back(told ? json(sums[i]) : json(nullptr));
  }
  return all;
}

json latencies_of(const grid& g, std::span<const reply> hashes, const std::string& actor) {
  constexpr std::array shares{std::pair{"p50_s", 0.5}, std::pair{"p95_s", 0.95}, std::pair{"p99_s", 0.99}};
  json all{{"from", g.from_s * 1000}, {"step_ms", g.step_s * 1000}};
  for (const auto& [name, share] : shares)
    all[name] = json::array();
  for (const auto& hash : hashes) {
    state::buckets counts{};
    each_count(hash, actor, [&](std::string_view what, std::uint64_t n) {
      const auto i = what.starts_with('b') ? number_in(what.substr(1)) : std::nullopt;
      if (i && *i < counts.size()) counts[*i] += n;
    });
    for (const auto& [name, share] : shares) {
      const auto q = state::quantile(counts, share);
      all[name].push_back(q ? json(*q) : json(nullptr));
    }
  }
  return all;
}

} // namespace

result<json> read_history(redis::client& from, const std::string& app, const std::string& actor, window over,
                          std::int64_t now_ms) {
  const state::layout keys{app};
  const auto counted = grid_of(over, now_ms), timed = latency_grid(now_ms);
  std::vector<redis::command> all;
  for (int i = 0; i < counted.steps * counted.keys_per_step(); ++i) {
    const auto at = counted.from_s + i * counted.key_s;
    all.push_back({"HGETALL", over == window::day ? keys.by_minute(at) : keys.by_second(at)});
  }
  const auto first_timed = all.size();
  if (over == window::quarter_of_an_hour)
    for (int i = 0; i < timed.steps; ++i)
      all.push_back({"HGETALL", keys.latencies(timed.from_s + i * timed.key_s)});
  const auto got = from.call(std::move(all));
  if (!got) return got.failure();
  for (const auto& r : *got)
    if (r.kind == reply::type::failure) return error{errc::refused, "Redis answered: " + r.text};
  const std::span hashes{*got};
  auto made = counts_of(counted, hashes.first(first_timed), actor);
  if (over == window::quarter_of_an_hour)
    made["latency"] = latencies_of(timed, hashes.subspan(first_timed), actor);
  return made;
}

} // namespace troupe::dashboard

#include "engine/config/nearest.hpp"

#include <algorithm>

namespace troupe::config {

std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j)
    last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t differs = a[i - 1] != b[j - 1];
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + differs});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates) {
  constexpr std::size_t farthest = 3;
  std::optional<std::string> best;
  std::size_t fewest = farthest + 1;
  for (const auto& c : candidates) {
    const auto longer = std::max(word.size(), c.size());
    if (longer > std::min(word.size(), c.size()) + farthest) continue;
    const auto d = distance(word, c);
    if (d < fewest && d * 2 <= longer) {
      fewest = d;
      best = c;
    }
  }
  return best;
}

} // namespace troupe::config

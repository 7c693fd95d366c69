#include "engine/state/latency.hpp"

#include <numeric>

namespace troupe::state {

std::optional<double> quantile(const buckets& counts, double share) {
  const auto all = std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
  if (all == 0) return std::nullopt;
  const auto bounds = metrics::histogram::bounds();
  const double rank = share * static_cast<double>(all);
  double below = 0, lower = 0;
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    const auto here = static_cast<double>(counts[i]);
    if (here > 0 && below + here >= rank) return lower + (bounds[i] - lower) * (rank - below) / here;
    below += here;
    lower = bounds[i];
  }
  return bounds.back(); // beyond it nothing is known but that it took longer
}

} // namespace troupe::state

#pragma once

#include <map>
#include <string>
#include <vector>

namespace troupe::metrics::testing {

struct sample {
  std::string name;
  std::map<std::string, std::string> labels;
  double value = 0;
};

struct page {
  std::map<std::string, std::string> types; ///< by family
  std::map<std::string, std::string> helps;
  std::vector<sample> samples;

  /// The value of the one sample with this name and these labels; throws if there is not exactly one.
  [[nodiscard]] double at(const std::string& name,
                          const std::map<std::string, std::string>& labels = {}) const;
  [[nodiscard]] std::size_t count(const std::string& name) const;
};

/// Reads the Prometheus text format, version 0.0.4, as strictly as its description: throws std::runtime_error
/// with the offending line. Besides the syntax: TYPE before the samples and once, the samples of a family in
/// one group, no series twice, histograms cumulative and complete.
page parse_exposition(const std::string& text);

} // namespace troupe::metrics::testing

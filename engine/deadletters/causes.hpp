#pragma once

#include "engine/core/record.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::deadletters {

/// A message without what differs from event to event: numbers and ids become #, the rest is cut at 200
/// bytes.
std::string fingerprint(std::string_view message);

/// Letters that died alike.
struct cause {
  std::string error_class;
  std::string message; ///< its fingerprint
  std::uint64_t count = 0;
  std::string first, last; ///< when they died
  std::string sample;      ///< topic/partition/offset of the last one
};

/// Groups letters by class and fingerprint; at most 1,000 groups, what comes then is one more.
class causes {
public:
  void add(const record& letter);
  /// The most frequent first.
  [[nodiscard]] std::vector<cause> sorted() const;

private:
  std::map<std::pair<std::string, std::string>, cause> groups_;
};

} // namespace troupe::deadletters

#pragma once

#include "engine/core/record.hpp"
#include "engine/deadletters/causes.hpp"
#include "engine/deadletters/filter.hpp"
#include "engine/deadletters/marks.hpp"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace troupe::dashboard {

/// What a page shows of a topic of dead letters, from one pass over them, in memory that does not grow with
/// the topic.
class letter_listing {
public:
  static constexpr std::size_t most_hours = 7 * 24;
  static constexpr std::size_t most_causes = 100;

  /// Of all letters it counts what became of them; of the open ones that the filter takes it has the causes,
  /// the hours, and those that died last, so many at most. `keys`: shown with them.
  letter_listing(deadletters::filter which, std::size_t most, bool keys)
      : which_{std::move(which)}, most_{most}, keys_{keys} {}
  void add(const record& letter, std::optional<deadletters::action> resolved);
  /// {"open","replayed","discarded","matching","causes","by_hour","letters","more"}
  [[nodiscard]] nlohmann::ordered_json json() const;

private:
  struct line {
    std::string failed_at;
    nlohmann::ordered_json shown;
  };
  void keep(const record& letter);

  deadletters::filter which_;
  std::size_t most_;
  bool keys_;
  std::uint64_t open_ = 0, replayed_ = 0, discarded_ = 0, matching_ = 0;
  deadletters::causes causes_;
  std::map<std::string, std::uint64_t> by_hour_;
  std::vector<line> lines_; ///< a heap: the one that died first is on top
};

} // namespace troupe::dashboard

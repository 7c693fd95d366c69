#pragma once

#include "engine/core/record.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

namespace troupe::deadletters {

enum class action { replayed, discarded };
std::string word_for(action a);

/// Where it is written down what became of the letters of a topic: compacted, one event for each letter.
std::string marks_topic(const std::string& letters);

/// What became of one letter, to be written in the transaction that does it.
outgoing make_mark(const record& letter, action what, const std::string& by, std::int64_t now_ms);

/// What became of the letters of one topic. A letter without a mark is open; so is one whose mark speaks of
/// another letter, that had its place before the topic was made anew.
class mark_book {
public:
  /// An event of the marks' topic, in the order of its offsets; what is no mark says nothing.
  void take(const record& event);
  [[nodiscard]] std::optional<action> of(const record& letter) const;

private:
  struct entry {
    action what;
    std::size_t identity; ///< its hash: there may be millions
  };
  std::unordered_map<std::string, entry> by_place_;
};

} // namespace troupe::deadletters

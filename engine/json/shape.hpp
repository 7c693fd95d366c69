#pragma once

#include "engine/json/places.hpp"

namespace troupe::json {

/// Where the tokens of a text begin.
using tokens = const std::uint32_t*;

/// How an event is made that was read: its tokens without what they say, the names that count, and what is
/// wanted of it. The events of a topic are mostly made alike. Whether one is as the one before is seen by
/// comparing their tokens, at a third of what it costs to read it by JSON's grammar.
class shape {
public:
  struct piece {
    std::size_t token = 0;
    const node* wanted = nullptr; ///< of it; null for nothing
  };

  /// Of a text that was read and has no escapes: `count` tokens that count from `begin`. False where it is
  /// not told by its tokens alone: a name that comes twice, or that begins as a wanted one does.
  bool learn(const char* begin, const char* end, tokens first, std::size_t count, const node& root);

  [[nodiscard]] std::size_t size() const { return kinds_.size(); }
  /// Whether a text without escapes, of as many tokens, is made so. What is neither a string nor a bracket is
  /// not looked at.
  [[nodiscard]] bool fits(const char* begin, const char* end, tokens first) const;

  [[nodiscard]] const std::vector<piece>& strings() const { return strings_; }   ///< wanted ones
  [[nodiscard]] const std::vector<piece>& brackets() const { return brackets_; } ///< wanted ones
  [[nodiscard]] const std::vector<piece>& scalars() const { return scalars_; }   ///< all of them

private:
  struct name {
    std::size_t token = 0;
    key_start start;
    const node* wanted = nullptr;
  };
  struct lesson;

  std::vector<char> kinds_; ///< the first byte of each token; 0 of scalars
  std::vector<char> masks_; ///< 0 for those
  std::vector<name> names_; ///< where some are wanted
  std::vector<piece> strings_, brackets_, scalars_;
};

} // namespace troupe::json

#pragma once

#include "engine/json/extractor.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Of the extractor alone.
namespace troupe::json {

/// The first eight bytes of a key as it is written, the closing quote included: most keys are told apart, and
/// many recognised, by one comparison of words.
struct key_start {
  std::uint64_t bytes = 0, mask = 0;

  key_start() = default;
  explicit key_start(std::string_view key) {
    if (std::any_of(key.begin(), key.end(),
                    [](unsigned char c) { return c < 0x20 || c == '"' || c == '\\'; })) {
      bytes = 1; // with an escape only: matches nothing
      return;
    }
    const auto written = std::string{key} + '"';
    const auto n = std::min(written.size(), sizeof bytes);
    std::memcpy(&bytes, written.data(), n);
    std::memset(&mask, 0xff, n);
  }
  [[nodiscard]] bool matches(const char* text) const {
    std::uint64_t there = 0;
    std::memcpy(&there, text, sizeof there);
    return (there & mask) == bytes;
  }
};

/// The pointers as a tree, so that one pass over the event serves them all.
struct node {
  using found = extractor::found;
  explicit node(const pointer::token& token) : key{token.key}, index{token.index}, start{token.key} {}

  std::string key;
  std::optional<std::size_t> index;
  key_start start;
  std::vector<node> children;
  std::vector<found*> places;           ///< that end here
  std::vector<found*> here_and_beneath; ///< that a later duplicate of this key makes void

  /// `text` lies behind an opening quote and goes on to `end`, without escapes.
  [[nodiscard]] bool is_named(const char* text, const char* end) const {
    const auto size = key.size();
    return start.matches(text) &&
           (size < sizeof start.bytes || (size < static_cast<std::size_t>(end - text) && text[size] == '"' &&
                                          std::memcmp(text, key.data(), size) == 0));
  }
};

} // namespace troupe::json

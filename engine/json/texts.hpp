#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace troupe::json {

/// Copies of texts, one behind the other in memory that is used again, as extractor::read_all takes them.
class texts {
public:
  void add(std::string_view text) {
    const auto needed = bytes_ + text.size() + fence.size() + beyond;
    if (needed > capacity_) grow(needed);
    char* const to = memory_.get() + bytes_;
    if (!text.empty()) std::memcpy(to, text.data(), text.size());
    std::memcpy(to + text.size(), fence.data(), fence.size());
    ends_.push_back(bytes_ + text.size());
    bytes_ = needed - beyond;
  }
  void clear() {
    bytes_ = 0;
    ends_.clear();
  }
  [[nodiscard]] std::size_t size() const { return ends_.size(); }
  /// Of all of them, and what lies between them.
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  /// How many of those are held without allocating.
  [[nodiscard]] std::size_t capacity() const { return capacity_; }

private:
  friend class extractor;
  /// Behind each text: a token of its own that is none of JSON's, so that no text goes on in the next one.
  static constexpr std::string_view fence = "\n\x01\n";
  /// The extractor compares eight bytes at once, and may so look beyond the last of them.
  static constexpr std::size_t beyond = 8;

  [[nodiscard]] std::size_t begin_of(std::size_t i) const { return i == 0 ? 0 : ends_[i - 1] + fence.size(); }
  void grow(std::size_t needed) {
    capacity_ = std::max({needed, 2 * capacity_, std::size_t{4096}});
    auto larger = std::make_unique_for_overwrite<char[]>(capacity_);
    if (bytes_ > 0) std::memcpy(larger.get(), memory_.get(), bytes_);
    memory_ = std::move(larger);
  }

  std::unique_ptr<char[]> memory_;
  std::size_t bytes_ = 0, capacity_ = 0;
  std::vector<std::size_t> ends_; ///< where each text does
};

} // namespace troupe::json

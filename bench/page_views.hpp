#pragma once

#include "bench/random.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

/// Page views of some 200 bytes, one after the other, keyed by session. Their times begin at `first_second`
/// (since the epoch) and take ten minutes, however many events there are. The same arguments make the same
/// events. `filler` bytes make each of them larger.
class page_views {
public:
  page_views(std::uint64_t events, std::size_t paths, std::time_t first_second, std::size_t filler = 0)
      : events_{events}, paths_{paths}, first_second_{first_second}, filler_(filler, 'x'),
        value_(512 + filler) {}

  void next() {
    const double elapsed = static_cast<double>(made_++) / static_cast<double>(events_) * seconds_covered;
    const auto now = first_second_ + static_cast<std::time_t>(elapsed);
    if (now != shown_) {
      shown_ = now;
      std::tm parts{};
      gmtime_r(&now, &parts);
      std::strftime(second_.data(), second_.size(), "%Y-%m-%dT%H:%M:%S", &parts);
    }
    const auto session = random_.below(sessions);
    // A few pages are seen often, most rarely.
    const double u = random_.unit();
    path_ = std::min(paths_ - 1, static_cast<std::size_t>(u * u * static_cast<double>(paths_)));
    const auto kind = random_.below(10);
    const char* type = kind < 8 ? "page_view" : kind == 8 ? "click" : "search";
    counts_ = kind < 8;
    key_size_ =
        std::snprintf(key_.data(), key_.size(), "session-%06llu", static_cast<unsigned long long>(session));
    value_size_ = std::snprintf(
        value_.data(), value_.size(),
        R"({"type":"%s","user_id":"user-%06llu","session_id":"%s","payload":{"path":"/products/item-%04zu","referrer":"https://search.example/items%s"},"timestamp":"%s.%09lluZ"})",
        type, static_cast<unsigned long long>(session * 7 % 1'000'000), key_.data(), path_, filler_.c_str(),
        second_.data(), static_cast<unsigned long long>(random_.below(1'000'000'000)));
  }

  // Of the event made last; views until the next one.
  [[nodiscard]] std::string_view key() const { return {key_.data(), static_cast<std::size_t>(key_size_)}; }
  [[nodiscard]] std::string_view value() const {
    return {value_.data(), static_cast<std::size_t>(value_size_)};
  }
  [[nodiscard]] std::string_view minute() const { return {second_.data(), 16}; }
  [[nodiscard]] std::size_t path() const { return path_; }
  /// Whether it is a page view, and none of the clicks and searches in between.
  [[nodiscard]] bool counts() const { return counts_; }

private:
  static constexpr std::int64_t seconds_covered = 600;
  static constexpr std::uint64_t sessions = 100'000;

  std::uint64_t events_, made_ = 0;
  std::size_t paths_, path_ = 0;
  std::time_t first_second_, shown_ = -1;
  bool counts_ = false;
  int key_size_ = 0, value_size_ = 0;
  random_numbers random_;
  std::string filler_;
  std::vector<char> value_;
  std::array<char, 32> second_{}, key_{};
};

} // namespace bench

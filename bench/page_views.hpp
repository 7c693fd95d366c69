#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <string_view>

namespace bench {

/// splitmix64
class random_numbers {
public:
  std::uint64_t next() {
    auto z = (state_ += 0x9E3779B97F4A7C15ULL);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }
  double unit() { return static_cast<double>(next() >> 11) * 0x1p-53; }

private:
  std::uint64_t state_ = 42;
};

/// Page views of some 200 bytes, one after the other, keyed by session. Their times begin at `first_second`
/// (since the epoch) and take ten minutes, however many events there are. The same arguments make the same
/// events.
class page_views {
public:
  page_views(std::uint64_t events, std::size_t paths, std::time_t first_second)
      : events_{events}, paths_{paths}, first_second_{first_second} {}

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
        R"({"type":"%s","user_id":"user-%06llu","session_id":"%s","payload":{"path":"/products/item-%04zu","referrer":"https://search.example/items"},"timestamp":"%s.%09lluZ"})",
        type, static_cast<unsigned long long>(session * 7 % 1'000'000), key_.data(), path_, second_.data(),
        static_cast<unsigned long long>(random_.below(1'000'000'000)));
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
  std::array<char, 512> value_{};
  std::array<char, 32> second_{}, key_{};
};

} // namespace bench

#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

namespace troupe::flow {

/// Since when a group is behind in a partition: the timestamp of its oldest unfinished event, as well as that
/// can be told of events which nobody has read yet.
class behind_clock {
public:
  struct mark {
    std::int64_t ms = -1; ///< since the epoch, or -1
    bool exact = false;   ///< the oldest unfinished event's; otherwise the newest one's that was read
  };

  void move(mark to) { last_ = to; }
  /// `messages`: how many there are beyond the position. Nothing where there is none, or nothing is known.
  std::optional<std::int64_t> oldest(std::int64_t messages, std::int64_t now_ms) {
    if (messages == 0) {
      caught_up_ms_ = now_ms;
      return std::nullopt;
    }
    // What is unread came after the last one that was read, and after there was nothing to read, which may be
    // long after that.
    const auto ms = last_.exact ? last_.ms : std::max(last_.ms, caught_up_ms_);
    return ms < 0 ? std::nullopt : std::optional{ms};
  }

private:
  mark last_;
  std::int64_t caught_up_ms_ = -1;
};

} // namespace troupe::flow

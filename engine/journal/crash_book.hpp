#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::journal {

/// After so many crashes an event is not called any more.
constexpr unsigned most_crashes = 3;

/// Which event a call was for. The timestamp tells the events of a topic from those of one that was recreated
/// under its name.
struct call_place {
  std::string group, topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::int64_t timestamp_ms = -1;
  friend auto operator<=>(const call_place&, const call_place&) = default;
};

struct crash_history {
  unsigned crashes = 0;
  std::int64_t first_ms = 0, last_ms = 0; ///< wall clock
  std::uint64_t last_life = 0;            ///< the process of the last one, so that none is counted twice
};

/// A call that may have killed its process.
struct suspicion {
  call_place call;
  /// Nothing else can have been it. Where several calls ran, none is brought to its last crash by that.
  bool sure = false;
};

/// How often which event killed a process of this host.
class crash_book {
public:
  /// Lines that are not ours, or torn, are skipped.
  static crash_book parse(std::string_view text);
  [[nodiscard]] std::string render() const;

  void add(const suspicion& who, std::uint64_t life, std::int64_t wall);
  /// True if it was there.
  bool forget(const call_place& call) { return all_.erase(call) > 0; }
  /// Drops what is older than a week, and the oldest beyond a thousand.
  void prune(std::int64_t wall);
  [[nodiscard]] const std::map<call_place, crash_history>& all() const { return all_; }

private:
  std::map<call_place, crash_history> all_;
};

} // namespace troupe::journal

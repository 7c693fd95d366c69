#pragma once

#include "engine/core/time.hpp"
#include "engine/json/texts.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::aggregate {

/// What is counted and under which keys. Pointers are RFC 6901.
struct tally_spec {
  std::vector<std::pair<std::string, std::string>> where; ///< pointer, value as text; all must match
  std::string count_by;                                   ///< pointer to the counted value
  std::string into;        ///< {value} is the only placeholder; other braces are literal
  std::string minute_into; ///< {minute} is the only placeholder; empty: none
  milliseconds minute_keep{0};
  std::string event_time; ///< pointer to an RFC 3339 time; empty: the record's own timestamp

  [[nodiscard]] bool uses_record_time() const { return !minute_into.empty() && event_time.empty(); }
};

struct total {
  std::string key;
  std::int64_t count = 0;
};
struct member_count {
  std::string member;
  std::int64_t count = 0;
};
struct minute_counts {
  std::string key;            ///< the sorted set
  std::int64_t expire_at = 0; ///< seconds since the epoch: absolute, so that a replay does not prolong it
  std::vector<member_count> members;
};
struct delta {
  std::vector<total> totals;
  std::vector<minute_counts> minutes;
};

enum class counted {
  yes,
  filtered, ///< `where` says no
  unusable, ///< not JSON, or the value is missing or not a string: counts nothing, stops nothing
  no_time,  ///< counted in the total, but its event time is missing or no RFC 3339 time
  ahead,    ///< counted, but its minute is more than 5 minutes after now
  late,     ///< counted, but its minute is so long past that Redis keeps it no more
};

/// How many events of each kind.
class outcomes {
public:
  void add(counted one) { ++n_[static_cast<std::size_t>(one)]; }
  [[nodiscard]] std::uint64_t of(counted one) const { return n_[static_cast<std::size_t>(one)]; }

private:
  std::array<std::uint64_t, 6> n_{};
};

/// The counts of one partition since the last flush: a pure function of the events given.
class tally {
public:
  explicit tally(tally_spec spec);
  ~tally();
  tally(tally&&) noexcept;
  tally& operator=(tally&&) noexcept;

  /// What `ahead` and `late` are told by; until then there are none. Changes no count.
  void set_now(std::int64_t epoch_ms);
  /// The record's timestamp, in milliseconds since the epoch, counts where the spec says so.
  counted count(std::string_view json, std::int64_t record_timestamp_ms);
  /// The same for many at once, which costs each less. `record_timestamps_ms` are theirs, one for each, and
  /// need not be given unless the spec uses them. The texts are used up.
  outcomes count_all(json::texts& events, std::span<const std::int64_t> record_timestamps_ms);
  [[nodiscard]] bool empty() const;
  [[nodiscard]] std::size_t distinct() const; ///< keys touched
  /// The counts so far, which starts the next flush at nothing.
  delta take();
  void clear();

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

} // namespace troupe::aggregate

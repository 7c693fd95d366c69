#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::flow {

/// Offsets [begin, end), all finished.
struct offset_run {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  friend bool operator==(const offset_run&, const offset_run&) = default;
};

/// The text that goes into a commit's metadata: what is finished beyond the committed offset. `t1:` and the
/// base64 of the base, the runs as gap and length in LEB128, and a checksum.
constexpr std::size_t metadata_limit = 4096; ///< the broker's own (offset.metadata.max.bytes)
/// Takes as many runs as fit into `limit` bytes, lowest first; `taken` says how many.
std::string encode_metadata(std::int64_t base, const std::vector<offset_run>& runs, std::size_t& taken,
                            std::size_t limit = metadata_limit);
/// Empty if it is foreign, torn, of another version, or for another base.
std::vector<offset_run> decode_metadata(std::string_view metadata, std::int64_t base);

/// What a window allows: events and bytes admitted and not recorded finished by an acknowledged commit.
struct window_limits {
  std::size_t events = 4096;
  std::size_t bytes = std::size_t{16} << 20;
};

/// What a commit records: beyond the position also the runs that are finished, or the position alone. With
/// exactly_once it is the position: what is finished beyond it has not left the process yet.
enum class recording { runs, prefix };

/// The offsets of one partition during one assignment: which are unfinished, what may be committed, how much
/// of the window is used.
///
/// Only unfinished events are kept, in offset order; whatever lies between two of them is finished or does
/// not exist (compaction, transaction markers), so a key that stays parked while 100,000 others finish costs
/// one entry. Each entry also counts what was finished behind it, so that the window knows exactly what an
/// acknowledged commit has recorded.
class offset_ledger {
public:
  using slot = std::uint32_t;

  /// `start` is the committed offset, `recorded` what the commit's metadata says is finished beyond it.
  offset_ledger(std::int64_t start, std::vector<offset_run> recorded, window_limits limits,
                recording what = recording::runs);

  /// False while the window is full: leave the queue unread.
  [[nodiscard]] bool open() const;
  /// How many more events fit by number.
  [[nodiscard]] std::size_t room() const;

  /// Seen and to be handled. Offsets only grow. nullopt: recorded as finished by a former life, skip it.
  std::optional<slot> admit(std::int64_t offset, std::size_t bytes);
  /// Success, an acknowledged dead letter, or a declared filter. Once per slot. `held_bytes`: what it leaves
  /// behind in memory until a commit passes it; it counts in the window like the event itself.
  void finish(slot which, std::size_t held_bytes = 0);

  /// The next offset to read such that all below are finished.
  [[nodiscard]] std::int64_t position() const;
  /// The first unfinished event; none where all that was seen is finished.
  [[nodiscard]] std::optional<slot> oldest() const;

  struct snapshot {
    std::int64_t offset = 0;
    std::string metadata;
  };
  /// What to commit now; nullopt while one is under way or nothing changed since the last acknowledged one
  /// (with recording::prefix: while the position is where it was).
  std::optional<snapshot> take_commit();
  /// The answer to the one under way. True if there is more to commit.
  bool commit_ended(bool acknowledged);
  /// The broker takes no metadata as large as that of the one under way: the next ones have half of it, in
  /// the end none, and what they can't record counts against the window. Before commit_ended.
  void metadata_refused();

  [[nodiscard]] bool dirty() const { return changed_; }
  [[nodiscard]] bool commit_under_way() const { return pending_.has_value(); }
  [[nodiscard]] std::size_t unfinished() const { return unfinished_; }
  /// Share of the window in use, 0 to 1 and above.
  [[nodiscard]] double fill() const;

  void change(window_limits limits) { limits_ = limits; }

private:
  struct entry {
    std::int64_t offset = 0;
    std::size_t bytes = 0;
    slot prev = 0, next = 0;
    std::size_t finished_events = 0; ///< between this entry and the next
    std::size_t finished_bytes = 0;
  };
  struct finished_run {
    offset_run run;
    std::size_t events = 0, bytes = 0; ///< what it stands for, of what was read
  };
  struct recorded_total {
    std::size_t events = 0, bytes = 0;
    std::vector<finished_run> runs; ///< beyond the commit's position
    std::vector<offset_run> ahead;  ///< runs of a former life that the commit carries on, not read yet

    void note_read(std::int64_t offset, std::size_t size);
  };

  slot take_slot();
  std::optional<snapshot> take_prefix();
  [[nodiscard]] std::vector<finished_run> finished_runs(std::int64_t& base) const;
  void keep_heaviest(std::int64_t base, std::vector<finished_run>& runs) const;
  [[nodiscard]] recorded_total total_of(std::int64_t base, std::vector<finished_run> runs) const;
  [[nodiscard]] std::vector<finished_run> recorded_beyond(std::int64_t base) const;

  static constexpr slot head = 0; ///< sentinel: what is finished below the first unfinished offset
  std::vector<entry> entries_;
  std::vector<slot> free_;
  std::vector<offset_run> carried_; ///< recorded runs, dropped as reading passes them
  std::size_t carried_at_ = 0;
  std::int64_t end_; ///< after the last offset seen
  std::size_t unfinished_ = 0;
  std::size_t admitted_events_ = 0, admitted_bytes_ = 0;
  recorded_total recorded_;
  std::optional<recorded_total> pending_;
  std::size_t pending_metadata_ = 0; ///< bytes
  std::size_t metadata_bytes_ = metadata_limit;
  bool changed_ = false;
  window_limits limits_;
  recording what_;
  std::int64_t committed_; ///< the position of the last acknowledged commit
  std::int64_t committing_ = 0;
};

} // namespace troupe::flow

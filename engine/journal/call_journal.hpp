#pragma once

#include "engine/core/record.hpp"
#include "engine/core/result.hpp"
#include "engine/core/slot_lock.hpp"
#include "engine/journal/crash_book.hpp"
#include "engine/journal/fatal_signals.hpp"

#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

namespace troupe::journal {

struct journal_page;
class call_note;

/// The calls of handlers that are under way in this process, in a mapped file, so that they can be read after
/// it died. Costs a few stores per call and no system call. Thread-safe.
class call_journal : public std::enable_shared_from_this<call_journal> {
public:
  /// Takes over the file of a slot, whatever is in it, reserves its place on the disk and marks deaths there.
  static result<std::shared_ptr<call_journal>> open(slot_lock slot);
  ~call_journal();
  call_journal(const call_journal&) = delete;
  call_journal& operator=(const call_journal&) = delete;

  /// `alone`: a suspect, beside which its actor runs nothing else.
  std::shared_ptr<call_note> note(std::string_view group, const record& event, bool alone);
  /// Of a call for no event: if it kills the process, none is to blame.
  std::shared_ptr<call_note> note_other();

private:
  friend class call_note;
  call_journal(slot_lock slot, journal_page* page);
  std::shared_ptr<call_note> begin(std::string_view group, std::string_view topic, const record* event,
                                   bool alone);
  void end(std::uint32_t entry);

  slot_lock slot_; ///< held for as long as notes are
  journal_page* page_;
  std::mutex lock_;
  std::vector<std::uint32_t> free_; ///< the last freed is the next used: few pages are touched
};

/// One call; it is over with end(), or with the last copy.
class call_note {
public:
  call_note(std::shared_ptr<call_journal> journal, std::uint32_t entry)
      : journal_{std::move(journal)}, entry_{entry} {}
  ~call_note() { end(); }
  call_note(const call_note&) = delete;
  call_note& operator=(const call_note&) = delete;
  void end();
  [[nodiscard]] std::atomic<std::uint32_t>* state() const;

private:
  std::shared_ptr<call_journal> journal_;
  const std::uint32_t entry_;
  std::atomic<bool> over_{false};
};

/// What a process that died by its own fault left.
struct death {
  std::uint64_t life = 0; ///< names the process
  std::int64_t wall_ms = 0;
  std::vector<suspicion> suspects;
};

/// Reads a journal that no process holds. Nothing in it where the process did not die by its own fault, or
/// where the file is not ours.
death read_death(int file);
/// So that it is not read again.
void clear_death(int file);

} // namespace troupe::journal

#pragma once

#include "engine/core/result.hpp"
#include "engine/journal/call_journal.hpp"
#include "engine/journal/crash_book.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace troupe::journal {

/// What the processes of an app on this host remember of their crashes, in a folder they share:
/// `<app>.calls.<n>`, the journal of each process, and `<app>.crashes`, how often which event killed one.
/// Thread-safe; waits for the disk.
class crash_memory {
public:
  /// Takes a journal for this process and takes in what former ones left. errc::bad_config with the remedy
  /// where the folder can't be used.
  static result<std::unique_ptr<crash_memory>> open(const std::string& folder, const std::string& app);

  /// The calls of this process.
  [[nodiscard]] const std::shared_ptr<call_journal>& calls() const { return calls_; }

  /// The events of a group that killed a process, after taking in what processes left that died since.
  result<std::map<call_place, crash_history>> of_group(const std::string& group);
  /// They are done: nobody needs to know any more.
  result<void> forget(const std::vector<call_place>& done);

private:
  crash_memory(std::string folder, std::string app) : folder_{std::move(folder)}, app_{std::move(app)} {}
  [[nodiscard]] std::string book_path() const { return folder_ + '/' + app_ + ".crashes"; }
  [[nodiscard]] crash_book read_book() const;
  [[nodiscard]] result<void> write_book(const crash_book& book) const;
  /// Adds what dead processes left; true if there was anything.
  result<bool> take_in(crash_book& book, const slot_lock* own) const;

  std::string folder_, app_;
  std::shared_ptr<call_journal> calls_;
};

} // namespace troupe::journal

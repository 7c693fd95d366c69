#pragma once

#include "engine/core/result.hpp"

#include <string>
#include <utility>

namespace troupe {

/// One of the numbered slots of a name on this host, held for as long as the process lives: a process that is
/// started again, however the former one ended, takes the same slot.
class slot_lock {
public:
  /// Locks the lowest free slot: the file `<folder>/<name>.<number>`. Creates the folder.
  /// errc::unavailable where the folder or the file cannot be made.
  static result<slot_lock> take(const std::string& folder, const std::string& name);

  slot_lock(slot_lock&& other) noexcept
      : file_{std::exchange(other.file_, -1)}, number_{other.number_}, path_{std::move(other.path_)} {}
  slot_lock& operator=(slot_lock&& other) noexcept;
  ~slot_lock();

  [[nodiscard]] unsigned number() const { return number_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  /// The locked file, open for reading and writing.
  [[nodiscard]] int file() const { return file_; }

private:
  slot_lock(int file, unsigned number, std::string path)
      : file_{file}, number_{number}, path_{std::move(path)} {}

  int file_ = -1;
  unsigned number_ = 0;
  std::string path_;
};

/// A folder of this user for locks where the config names none. errc::unavailable where the system has no
/// folder for temporary files.
result<std::string> default_state_folder();

} // namespace troupe

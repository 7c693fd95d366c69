#include "engine/core/slot_lock.hpp"

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <system_error>
#include <unistd.h>

namespace troupe {
namespace {

/// More processes of one app than this on one host is a mistake.
constexpr unsigned most_slots = 10'000;

error cannot(const std::string& what, const std::string& path, int why) {
  return {errc::unavailable, "cannot " + what + " " + path + ": " + std::generic_category().message(why) +
                                 "; set `state` to a folder that this process may write to"};
}

} // namespace

result<slot_lock> slot_lock::take(const std::string& folder, const std::string& name) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) return cannot("make", folder, failed.value());
  for (unsigned number = 0; number < most_slots; ++number) {
    auto path = folder + '/' + name + '.' + std::to_string(number);
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) return cannot("open", path, errno);
    if (::flock(file, LOCK_EX | LOCK_NB) == 0) return slot_lock{file, number, std::move(path)};
    const int why = errno;
    ::close(file);
    if (why != EWOULDBLOCK) return cannot("lock", path, why);
  }
  return error{errc::unavailable, "all slots of " + folder + '/' + name + " are taken"};
}

slot_lock& slot_lock::operator=(slot_lock&& other) noexcept {
  std::swap(file_, other.file_);
  std::swap(number_, other.number_);
  std::swap(path_, other.path_);
  return *this;
}

slot_lock::~slot_lock() {
  if (file_ >= 0) ::close(file_);
}

result<std::string> default_state_folder() {
  std::error_code failed;
  const auto folder = std::filesystem::temp_directory_path(failed);
  if (failed) return cannot("use", "the folder for temporary files", failed.value());
  return (folder / ("troupe-" + std::to_string(::getuid()))).string();
}

} // namespace troupe

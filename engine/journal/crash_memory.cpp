#include "engine/journal/crash_memory.hpp"

#include "engine/core/time.hpp"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sys/file.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>

namespace troupe::journal {
namespace {

/// Others hold the book for as long as a small file takes to write.
constexpr milliseconds book_wait{3000};

error cannot(const std::string& what, const std::string& path, int why) {
  return {errc::bad_config, "cannot " + what + " " + path + ": " + std::generic_category().message(why) +
                                "; set `state` to a folder that this process may write to"};
}

class descriptor {
public:
  explicit descriptor(int number) : number_{number} {}
  descriptor(descriptor&& other) noexcept : number_{std::exchange(other.number_, -1)} {}
  descriptor& operator=(descriptor&&) = delete;
  ~descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  [[nodiscard]] int number() const { return number_; }

private:
  int number_;
};

/// Over the book and over reading others' journals, for all processes of the app on this host.
result<descriptor> lock_book(const std::string& book) {
  const auto path = book + ".lock";
  descriptor file{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (file.number() < 0) return cannot("open", path, errno);
  const auto until = std::chrono::steady_clock::now() + book_wait;
  while (::flock(file.number(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return cannot("lock", path, errno);
    // Not for ever: a frozen process may hold it.
    if (std::chrono::steady_clock::now() >= until)
      return error{errc::unavailable, path + " is held by another process of this app; is one frozen?"};
    std::this_thread::sleep_for(milliseconds{10});
  }
  return file;
}

bool write_all(int file, std::string_view text) {
  while (!text.empty()) {
    const auto n = ::write(file, text.data(), text.size());
    if (n < 0 && errno != EINTR) return false;
    if (n < 0) continue;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

void add(crash_book& book, const death& left) {
  for (const auto& who : left.suspects)
    book.add(who, left.life, left.wall_ms);
}

} // namespace

crash_book crash_memory::read_book() const {
  std::ifstream in{book_path()};
  return crash_book::parse(std::string{std::istreambuf_iterator<char>{in}, {}});
}

result<void> crash_memory::write_book(const crash_book& book) const {
  const auto fresh = book_path() + ".new";
  const descriptor file{::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (file.number() < 0) return cannot("open", fresh, errno);
  if (!write_all(file.number(), book.render()) || ::fsync(file.number()) != 0)
    return cannot("write", fresh, errno);
  if (std::rename(fresh.c_str(), book_path().c_str()) != 0) return cannot("replace", book_path(), errno);
  return {};
}

result<bool> crash_memory::take_in(crash_book& book, const slot_lock* own) const {
  std::vector<descriptor> read;
  if (own) add(book, read_death(own->file()));
  std::error_code failed;
  const auto prefix = app_ + ".calls.";
  for (const auto& at : std::filesystem::directory_iterator{folder_, failed}) {
    if (!at.path().filename().string().starts_with(prefix)) continue;
    descriptor file{::open(at.path().c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW)};
    // Held: the process lives, or it is our own.
    if (file.number() < 0 || ::flock(file.number(), LOCK_EX | LOCK_NB) != 0) continue;
    const auto left = read_death(file.number());
    if (left.life == 0) continue;
    add(book, left);
    read.push_back(std::move(file));
  }
  if (failed) return cannot("read", folder_, failed.value());
  if (read.empty() && !own) return false;
  book.prune(wall_ms());
  if (auto written = write_book(book); !written) return written.failure();
  // Only now: what is not written yet must be found again. The life tells what was counted already.
  for (const auto& file : read)
    clear_death(file.number());
  return true;
}

result<std::unique_ptr<crash_memory>> crash_memory::open(const std::string& folder, const std::string& app) {
  std::unique_ptr<crash_memory> made{new crash_memory{folder, app}};
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) return cannot("make", folder, failed.value());
  const auto held = lock_book(made->book_path());
  if (!held) return held.failure();
  auto slot = slot_lock::take(folder, app + ".calls");
  if (!slot) return error{errc::bad_config, slot.failure().detail};
  auto book = made->read_book();
  if (const auto taken = made->take_in(book, &*slot); !taken) return taken.failure();
  auto calls = call_journal::open(std::move(slot).value());
  if (!calls) return calls.failure();
  made->calls_ = *calls;
  return made;
}

result<std::map<call_place, crash_history>> crash_memory::of_group(const std::string& group) {
  const auto held = lock_book(book_path());
  if (!held) return held.failure();
  auto book = read_book();
  if (const auto taken = take_in(book, nullptr); !taken) return taken.failure();
  std::map<call_place, crash_history> all;
  for (const auto& [call, history] : book.all())
    if (call.group == group) all.emplace(call, history);
  return all;
}

result<void> crash_memory::forget(const std::vector<call_place>& done) {
  const auto held = lock_book(book_path());
  if (!held) return held.failure();
  auto book = read_book();
  bool any = false;
  for (const auto& call : done)
    any = book.forget(call) || any;
  return any ? write_book(book) : result<void>{};
}

} // namespace troupe::journal

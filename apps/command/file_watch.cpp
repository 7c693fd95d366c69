#include "apps/command/file_watch.hpp"

#include "engine/log/log.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <system_error>
#include <thread>
#include <tuple>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

namespace troupe {
namespace {

/// A write is over when nothing happened for so long.
constexpr int quiet_ms = 200;

/// What tells a file's content from another one's; a missing one is like no other.
using look = std::tuple<dev_t, ino_t, off_t, time_t, long>;

std::vector<look> look_at(const std::vector<std::string>& files) {
  std::vector<look> all;
  for (const auto& file : files) {
    struct stat s {};
    const bool there = ::stat(file.c_str(), &s) == 0;
    all.push_back(there ? look{s.st_dev, s.st_ino, s.st_size, s.st_mtim.tv_sec, s.st_mtim.tv_nsec} : look{});
  }
  return all;
}

} // namespace

struct file_watch::impl {
  std::vector<std::string> files;
  std::function<void()> changed;
  int events = -1, stop = -1;
  std::thread thread;

  ~impl() {
    if (thread.joinable()) {
      const std::uint64_t one = 1;
      [[maybe_unused]] const auto written = ::write(stop, &one, sizeof one);
      thread.join();
    }
    if (events >= 0) ::close(events);
    if (stop >= 0) ::close(stop);
  }

  bool begin() {
    events = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    stop = ::eventfd(0, EFD_CLOEXEC);
    if (events < 0 || stop < 0) return false;
    for (const auto& file : files) {
      const auto folder = std::filesystem::path{file}.parent_path();
      if (::inotify_add_watch(events, folder.empty() ? "." : folder.c_str(),
                              IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE) < 0)
        return false;
    }
    thread = std::thread{[this] { run(); }};
    return true;
  }

  void run() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    auto before = look_at(files);
    bool pending = false;
    for (;;) {
      std::array<pollfd, 2> of{pollfd{events, POLLIN, 0}, pollfd{stop, POLLIN, 0}};
      const int got = ::poll(of.data(), of.size(), pending ? quiet_ms : -1);
      if (of[1].revents != 0) return;
      if (got > 0) {
        std::array<char, 4096> heard{};
        while (::read(events, heard.data(), heard.size()) > 0) {
        }
        pending = true;
      } else if (got == 0) {
        pending = false;
        if (auto now = look_at(files); now != before) {
          before = std::move(now);
          changed();
        }
      }
    }
  }
};

file_watch::file_watch(std::unique_ptr<impl> i) : impl_{std::move(i)} {}
file_watch::~file_watch() = default;

std::unique_ptr<file_watch> file_watch::open(const std::vector<std::string>& files,
                                             std::function<void()> changed) {
  auto made = std::make_unique<impl>();
  made->files = files;
  made->changed = std::move(changed);
  if (!made->begin()) {
    log::warning("not_watching", "the config files are not watched: " +
                                     std::generic_category().message(errno) + "; SIGHUP reads them again");
    return nullptr;
  }
  return std::unique_ptr<file_watch>{new file_watch{std::move(made)}};
}

} // namespace troupe

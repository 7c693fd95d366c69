#include "apps/video/child.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace video {
namespace {

constexpr int look_every_ms = 50;
constexpr std::size_t most_text = 64 * 1024;

/// The reading end is ours, the writing end the child's.
class pipe_end {
public:
  pipe_end() {
    std::array<int, 2> ends{-1, -1};
    if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) return;
    read_ = ends[0];
    write_ = ends[1];
    // Only our end: the child writes as to any pipe.
    ::fcntl(write_, F_SETFL, 0);
  }
  ~pipe_end() {
    close(read_);
    close(write_);
  }
  pipe_end(const pipe_end&) = delete;
  pipe_end& operator=(const pipe_end&) = delete;

  [[nodiscard]] bool open() const { return read_ >= 0; }
  [[nodiscard]] int reading() const { return read_; }
  [[nodiscard]] int writing() const { return write_; }
  void close_writing() { close(write_); }

  /// Takes what is there now.
  void drain() {
    std::array<char, 4096> part{};
    while (open()) {
      const auto n = ::read(read_, part.data(), part.size());
      if (n < 0) return; // nothing now
      if (n == 0) return close(read_);
      text.append(part.data(), static_cast<std::size_t>(n));
      if (text.size() > most_text) text.erase(0, text.size() - most_text);
    }
  }

  std::string text;

private:
  static void close(int& file) {
    if (file >= 0) ::close(file);
    file = -1;
  }
  int read_ = -1, write_ = -1;
};

/// What the child is born with.
class birth {
public:
  birth(int output, int errors) {
    posix_spawn_file_actions_init(&files_);
    posix_spawn_file_actions_addopen(&files_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files_, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files_, errors, STDERR_FILENO);
    // A listening socket in a child that outlives us would keep our port.
    posix_spawn_file_actions_addclosefrom_np(&files_, STDERR_FILENO + 1);
    posix_spawnattr_init(&attributes_);
    sigset_t signals;
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes_, &signals);
    sigfillset(&signals);
    posix_spawnattr_setsigdefault(&attributes_, &signals);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(&attributes_,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  ~birth() {
    posix_spawnattr_destroy(&attributes_);
    posix_spawn_file_actions_destroy(&files_);
  }
  birth(const birth&) = delete;
  birth& operator=(const birth&) = delete;

  /// 0, or the errno.
  int give(pid_t& pid, const std::vector<std::string>& arguments) const {
    std::vector<char*> words;
    words.reserve(arguments.size() + 1);
    for (const auto& word : arguments)
      words.push_back(const_cast<char*>(word.c_str())); // it promises not to write there
    words.push_back(nullptr);
    return posix_spawnp(&pid, words.front(), &files_, &attributes_, words.data(), environ);
  }

private:
  posix_spawn_file_actions_t files_{};
  posix_spawnattr_t attributes_{};
};

std::string last_line(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r'))
    text.pop_back();
  const auto start = text.find_last_of("\r\n");
  return start == std::string::npos ? text : text.substr(start + 1);
}

child judged(int status, bool killed, const std::string& output, const std::string& errors) {
  if (killed) return {child::end::cancelled, output, "it was cancelled"};
  if (WIFSIGNALED(status))
    return {child::end::failed, output, "it was ended by signal " + std::to_string(WTERMSIG(status))};
  if (WEXITSTATUS(status) == 0) return {child::end::done, output, {}};
  auto said = last_line(errors);
  if (said.empty()) said = "it ended with " + std::to_string(WEXITSTATUS(status));
  return {child::end::refused, output, std::move(said)};
}

} // namespace

child run(const std::vector<std::string>& arguments, const std::function<bool()>& cancelled) {
  pipe_end output, errors;
  if (!output.open() || !errors.open()) return {child::end::failed, {}, std::strerror(errno)};
  pid_t pid = -1;
  if (const int why = birth{output.writing(), errors.writing()}.give(pid, arguments); why != 0)
    return {why == ENOENT ? child::end::not_installed : child::end::failed, {}, std::strerror(why)};
  output.close_writing();
  errors.close_writing();

  bool killed = false;
  for (;;) {
    // A pipe that is closed is -1 by now, which poll passes over.
    std::array<pollfd, 2> watched{{{output.reading(), POLLIN, 0}, {errors.reading(), POLLIN, 0}}};
    ::poll(watched.data(), watched.size(), look_every_ms);
    output.drain();
    errors.drain();
    int status = 0;
    if (::waitpid(pid, &status, WNOHANG) == pid) {
      output.drain();
      errors.drain();
      return judged(status, killed, output.text, errors.text);
    }
    if (!killed && cancelled()) {
      ::kill(pid, SIGKILL);
      killed = true;
    }
  }
}

} // namespace video

#include "apps/video/child.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
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
class child_pipe {
public:
  child_pipe() {
    std::array<int, 2> ends{-1, -1};
    if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) return;
    read_ = ends[0];
    write_ = ends[1];
    // Only our end: the child writes as to any pipe.
    ::fcntl(write_, F_SETFL, 0);
  }
  ~child_pipe() {
    close(read_);
    close(write_);
  }
  child_pipe(const child_pipe&) = delete;
  child_pipe& operator=(const child_pipe&) = delete;

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

std::vector<char*> words_of(const std::vector<std::string>& arguments) {
  std::vector<char*> words;
  words.reserve(arguments.size() + 1);
  for (const auto& word : arguments)
    words.push_back(const_cast<char*>(word.c_str())); // exec promises not to write there
  words.push_back(nullptr);
  return words;
}

// As a shell says it.
constexpr int no_such_program = 127, no_program = 126;

/// Not posix_spawn, which can't tell the child to end with us, however we end.
pid_t start(const std::vector<std::string>& arguments, int output, int errors) {
  const auto words = words_of(arguments);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  // Only calls that are safe between fork and exec. Ctrl-C in the terminal is the engine's to handle.
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  ::dup2(::open("/dev/null", O_RDONLY), STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(errors, STDERR_FILENO);
  ::close_range(STDERR_FILENO + 1, ~0U, 0);
  ::execvp(words.front(), words.data());
  ::_exit(errno == ENOENT ? no_such_program : no_program);
}

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
  const int code = WEXITSTATUS(status);
  if (code == 0) return {child::end::done, output, {}};
  if (code == no_such_program) return {child::end::not_installed, output, "it is not installed"};
  if (code == no_program) return {child::end::failed, output, "it can't be executed"};
  auto said = last_line(errors);
  if (said.empty()) said = "it ended with " + std::to_string(code);
  return {child::end::refused, output, std::move(said)};
}

} // namespace

child run(const std::vector<std::string>& arguments, const std::function<bool()>& cancelled) {
  child_pipe output, errors;
  if (!output.open() || !errors.open()) return {child::end::failed, {}, std::strerror(errno)};
  const pid_t pid = start(arguments, output.writing(), errors.writing());
  if (pid < 0) return {child::end::failed, {}, std::strerror(errno)};
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
    const auto reaped = ::waitpid(pid, &status, WNOHANG);
    if (reaped < 0 && errno != EINTR) return {child::end::failed, output.text, "its end was missed"};
    if (reaped == pid) {
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

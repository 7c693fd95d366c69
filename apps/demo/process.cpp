#include "apps/demo/process.hpp"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace demo {
namespace {

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> all;
  for (const auto& w : words)
    all.push_back(const_cast<char*>(w.c_str())); // execvpe changes none of them
  all.push_back(nullptr);
  return all;
}

std::vector<std::string> environment_with(const std::vector<std::pair<std::string, std::string>>& more) {
  std::vector<std::string> all;
  for (const auto& [name, value] : more)
    all.push_back(name + "=" + value);
  for (char** e = environ; *e != nullptr; ++e) {
    const std::string_view entry{*e};
    const auto name = entry.substr(0, entry.find('='));
    bool replaced = false;
    for (const auto& m : more)
      replaced = replaced || m.first == name;
    if (!replaced) all.emplace_back(entry);
  }
  return all;
}

} // namespace

troupe::result<std::unique_ptr<process>> process::start(const command& what) {
  const auto words = pointers(what.words);
  const auto entries = environment_with(what.environment);
  const auto environment = pointers(entries);
  const int out = open(what.output.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (out < 0)
    return troupe::error{troupe::errc::unavailable,
                         "cannot write " + what.output + ": " + std::strerror(errno)};
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) {
    // Only calls that are safe between fork and exec. Ctrl-C in the terminal is ours to handle, not the
    // child's, and it must not outlive us.
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    for (const int s : {SIGINT, SIGTERM, SIGHUP, SIGPIPE})
      signal(s, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    execvpe(words[0], words.data(), environment.data());
    _exit(127);
  }
  close(out);
  if (pid < 0)
    return troupe::error{troupe::errc::unavailable,
                         "cannot start " + what.words[0] + ": " + std::strerror(errno)};
  return std::unique_ptr<process>{new process{pid}};
}

process::~process() {
  if (ended()) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

std::optional<int> process::ended() {
  int status = 0;
  if (!ended_ && waitpid(pid_, &status, WNOHANG) == pid_)
    ended_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  return ended_;
}

void process::terminate() {
  if (!ended()) kill(pid_, SIGTERM);
}

bool process::wait(troupe::milliseconds at_most) {
  const auto until = std::chrono::steady_clock::now() + at_most;
  while (!ended() && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(troupe::milliseconds{10});
  return ended_.has_value();
}

unsigned short free_port(unsigned short wanted) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  at.sin_port = htons(wanted);
  socklen_t size = sizeof at;
  unsigned short port = 0;
  if (bind(fd, reinterpret_cast<sockaddr*>(&at), size) == 0 &&
      getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size) == 0)
    port = ntohs(at.sin_port);
  close(fd);
  return port == 0 && wanted != 0 ? free_port() : port;
}

} // namespace demo

#include "tests/support/redis_server.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <thread>

namespace troupe::support {

namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  a.sin_port = htons(port);
  return a;
}

struct socket_fd {
  int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ~socket_fd() { ::close(fd); }
};

} // namespace

std::uint16_t free_port() {
  const socket_fd s;
  auto a = loopback(0);
  socklen_t size = sizeof a;
  if (::bind(s.fd, reinterpret_cast<sockaddr*>(&a), size) != 0 ||
      ::getsockname(s.fd, reinterpret_cast<sockaddr*>(&a), &size) != 0)
    throw std::runtime_error{"no free port"};
  return ntohs(a.sin_port);
}

redis_server::redis_server(std::vector<std::string> args) : args_{std::move(args)} {
  auto pattern = (std::filesystem::temp_directory_path() / "troupe-redis-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error{"no temporary folder"};
  folder_ = pattern;
  try {
    for (int attempt = 0;; ++attempt) {
      port_ = free_port();
      try {
        start();
        return;
      } catch (const std::runtime_error&) {
        if (attempt == 4) throw; // another process may have taken the port in between
      }
    }
  } catch (...) {
    std::filesystem::remove_all(folder_);
    throw;
  }
}

redis_server::~redis_server() {
  end(SIGKILL);
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::string redis_server::url() const {
  return "redis://127.0.0.1:" + std::to_string(port_);
}

std::string redis_server::unix_socket() const {
  return (folder_ / "redis.sock").string();
}

void redis_server::start() {
  std::vector<std::string> words{"redis-server",
                                 "--bind",
                                 "127.0.0.1",
                                 "--port",
                                 std::to_string(port_),
                                 "--dir",
                                 folder_.string(),
                                 "--save",
                                 "",
                                 "--daemonize",
                                 "no",
                                 "--unixsocket",
                                 unix_socket(),
                                 "--logfile",
                                 "log",
                                 "--enable-debug-command",
                                 "local"};
  words.insert(words.end(), args_.begin(), args_.end());
  std::vector<char*> argv;
  for (auto& w : words)
    argv.push_back(w.data());
  argv.push_back(nullptr);
  const auto parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error{"fork failed"};
  if (pid_ == 0) {
    // A test that is killed must not leave its server behind.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  const auto until = steady_clock::now() + 20s;
  for (;;) {
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = -1;
      std::ifstream log{folder_ / "log"};
      throw std::runtime_error{"redis-server did not start (is it installed?): " +
                               std::string{std::istreambuf_iterator<char>{log}, {}}};
    }
    try {
      // It has to be ours: another process on the port has another pid. NOAUTH is an answer too.
      const auto answer = raw({"INFO", "server"});
      if (answer.starts_with("-NOAUTH") ||
          answer.find("process_id:" + std::to_string(pid_) + "\r") != std::string::npos)
        return;
    } catch (const std::runtime_error&) {
    }
    if (steady_clock::now() > until) {
      end(SIGKILL);
      throw std::runtime_error{"redis-server does not answer"};
    }
    std::this_thread::sleep_for(5ms);
  }
}

void redis_server::end(int signal) {
  if (pid_ <= 0) return;
  ::kill(pid_, signal);
  if (signal != SIGKILL) ::kill(pid_, SIGCONT);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

void redis_server::kill() {
  end(SIGKILL);
}

void redis_server::stop() {
  end(SIGTERM);
}

void redis_server::freeze() {
  ::kill(pid_, SIGSTOP);
  int status = 0;
  while (::waitpid(pid_, &status, WUNTRACED) < 0 && errno == EINTR) {
  }
}

void redis_server::thaw() {
  ::kill(pid_, SIGCONT);
}

void redis_server::restart() {
  end(SIGKILL);
  start();
}

std::string redis_server::raw(const std::vector<std::string>& words) const {
  const socket_fd s;
  const timeval limit{10, 0};
  ::setsockopt(s.fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  const auto a = loopback(port_);
  if (::connect(s.fd, reinterpret_cast<const sockaddr*>(&a), sizeof a) != 0)
    throw std::runtime_error{"redis-server does not listen"};
  std::string text = "*" + std::to_string(words.size()) + "\r\n";
  for (const auto& w : words)
    text += "$" + std::to_string(w.size()) + "\r\n" + w + "\r\n";
  // The end of what we send ends the connection after the reply, so that no parser is needed here.
  text += "*1\r\n$4\r\nQUIT\r\n";
  if (::send(s.fd, text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size()))
    throw std::runtime_error{"redis-server does not read"};
  std::string reply;
  char buffer[65536];
  ssize_t n = 0;
  while ((n = ::recv(s.fd, buffer, sizeof buffer, 0)) > 0)
    reply.append(buffer, static_cast<std::size_t>(n));
  if (n < 0 || !reply.ends_with("+OK\r\n")) throw std::runtime_error{"redis-server does not answer"};
  reply.resize(reply.size() - 5);
  return reply;
}

} // namespace troupe::support

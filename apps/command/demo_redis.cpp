#include "apps/command/demo_redis.hpp"

#include "engine/redis/client.hpp"

#include <chrono>
#include <csignal>
#include <thread>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace troupe {
namespace {

/// A port that was free a moment ago; 0 if there is none.
unsigned short free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  unsigned short port = 0;
  if (bind(fd, reinterpret_cast<sockaddr*>(&at), size) == 0 &&
      getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size) == 0)
    port = ntohs(at.sin_port);
  close(fd);
  return port;
}

pid_t spawn_server(unsigned short port) {
  const auto text = std::to_string(port);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid != 0) return pid;
  // Only calls that are safe between fork and exec. Ctrl-C in the terminal is ours to handle, not Redis's,
  // and it must not outlive us, however we end.
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  const int null = open("/dev/null", O_RDWR);
  dup2(null, STDIN_FILENO);
  dup2(null, STDOUT_FILENO);
  dup2(null, STDERR_FILENO);
  execlp("redis-server", "redis-server", "--port", text.c_str(), "--bind", "127.0.0.1", "--save", "",
         "--appendonly", "no", "--maxmemory-policy", "noeviction", static_cast<char*>(nullptr));
  _exit(127);
}

} // namespace

result<std::unique_ptr<demo_redis>> demo_redis::start() {
  const auto port = free_port();
  const auto pid = spawn_server(port);
  if (pid < 0) return error{errc::unavailable, "redis-server could not be started: no more processes"};
  std::unique_ptr<demo_redis> server{new demo_redis{pid, port}};
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{5};
  while (std::chrono::steady_clock::now() < until) {
    if (waitpid(pid, nullptr, WNOHANG) == pid) {
      server->pid_ = -1;
      return error{errc::unavailable,
                   "redis-server could not be started: is it installed? (scripts/setup installs it)"};
    }
    const auto client = redis::client::open(redis::parse_url(server->url()).value());
    if (const auto pong = client->call({{"PING"}}); pong && pong->front().text == "PONG") return server;
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
  }
  return error{errc::unavailable, "redis-server did not answer within 5 s"};
}

demo_redis::~demo_redis() {
  if (pid_ <= 0) return;
  kill(pid_, SIGTERM);
  waitpid(pid_, nullptr, 0);
}

std::string demo_redis::url() const {
  return "redis://127.0.0.1:" + std::to_string(port_) + "/0";
}

} // namespace troupe

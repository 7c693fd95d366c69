#include "apps/command/signals.hpp"

#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace troupe {
namespace {

int pipe_ends[2] = {-1, -1}; // a byte per event: the signal's number, 0 for wake()

void put(char what) {
  const int kept = errno;
  [[maybe_unused]] const auto written = write(pipe_ends[1], &what, 1);
  errno = kept;
}

extern "C" void on_signal(int number) {
  put(static_cast<char>(number));
}

void set_handlers(void (*handler)(int)) {
  struct sigaction act {};
  act.sa_handler = handler;
  act.sa_flags = SA_RESTART;
  for (const int s : {SIGINT, SIGTERM, SIGHUP})
    sigaction(s, &act, nullptr);
}

} // namespace

signals::signals() {
  if (pipe2(pipe_ends, O_CLOEXEC | O_NONBLOCK) != 0) return;
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGCHLD, SIG_DFL); // whoever started us may ignore it: then nobody's child could be waited for
  set_handlers(on_signal);
}

signals::~signals() {
  set_handlers(SIG_DFL);
  close(pipe_ends[0]);
  close(pipe_ends[1]);
}

signals::event signals::wait(std::chrono::milliseconds at_most) {
  pollfd end{pipe_ends[0], POLLIN, 0};
  if (poll(&end, 1, static_cast<int>(at_most.count())) <= 0) return event::timeout;
  char what = 0;
  if (read(pipe_ends[0], &what, 1) != 1) return event::timeout;
  if (what == 0) return event::woken;
  return what == SIGHUP ? event::reload : event::stop;
}

void signals::wake() {
  put(0);
}

void signals::reload() {
  put(SIGHUP);
}

} // namespace troupe

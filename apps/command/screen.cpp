#include "apps/command/screen.hpp"

#include "apps/command/operation.hpp"
#include "apps/command/words.hpp"

#include <csignal>
#include <cstdio>
#include <string_view>

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

namespace troupe {
namespace {

volatile std::sig_atomic_t resized = 0;

extern "C" void on_resize(int) {
  resized = 1; // and the wait is interrupted, which is what matters
}

constexpr const char* enter = "\x1b[?1049h\x1b[?25l";
constexpr const char* leave = "\x1b[?25h\x1b[?1049l";

} // namespace

struct screen::impl {
  termios before{};
  struct sigaction resize_before {};
  bool colour = false;
};

screen::screen() : impl_{std::make_unique<impl>()} {}

std::unique_ptr<screen> screen::open() {
  if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) return nullptr;
  std::unique_ptr<screen> made{new screen};
  auto& i = *made->impl_;
  if (tcgetattr(STDIN_FILENO, &i.before) != 0) return nullptr;
  auto raw = i.before;
  raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  tcsetattr(STDIN_FILENO, TCSANOW, &raw);
  struct sigaction act {};
  act.sa_handler = on_resize;
  sigaction(SIGWINCH, &act, &i.resize_before);
  i.colour = colour_on(STDOUT_FILENO);
  std::fputs(enter, stdout);
  std::fflush(stdout);
  return made;
}

screen::~screen() {
  std::fputs(leave, stdout);
  std::fflush(stdout);
  tcsetattr(STDIN_FILENO, TCSANOW, &impl_->before);
  sigaction(SIGWINCH, &impl_->resize_before, nullptr);
}

screen::size screen::now() const {
  winsize w{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) != 0 || w.ws_row == 0 || w.ws_col == 0) return {};
  return {w.ws_row, w.ws_col};
}

void screen::draw(const std::string& text) {
  const auto [rows, columns] = now();
  // Written over what is there rather than after a blank screen, which would flicker.
  std::string out = "\x1b[H";
  std::string_view rest{text};
  for (std::size_t row = 0; row < rows && !rest.empty(); ++row) {
    const auto end = std::min(rest.find('\n'), rest.size());
    const bool heading = row == 0 && impl_->colour;
    out += heading ? "\x1b[7m" : "";
    out += words::clipped(rest.substr(0, end), columns);
    out += heading ? "\x1b[0m\x1b[K" : "\x1b[K";
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (row + 1 < rows) out += "\r\n";
  }
  out += "\x1b[J";
  std::fwrite(out.data(), 1, out.size(), stdout);
  std::fflush(stdout);
}

screen::happening screen::wait(milliseconds at_most) {
  pollfd keys{STDIN_FILENO, POLLIN, 0};
  const int got = poll(&keys, 1, static_cast<int>(at_most.count()));
  if (resized) {
    resized = 0;
    return {event::resized, 0};
  }
  char key = 0;
  if (got <= 0 || read(STDIN_FILENO, &key, 1) != 1)
    return {got > 0 ? event::key : event::timeout, got > 0 ? 'q' : char{0}}; // the terminal went away
  return {event::key, key};
}

} // namespace troupe

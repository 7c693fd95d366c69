#include "apps/command/web.hpp"

#include "apps/command/exit_code.hpp"
#include "apps/command/signals.hpp"
#include "apps/command/version.hpp"
#include "apps/dashboard/dashboard.hpp"
#include "apps/dashboard/passwords.hpp"
#include "engine/core/user.hpp"
#include "engine/log/log.hpp"

#include <cstdio>
#include <iostream>

#include <termios.h>
#include <unistd.h>

namespace troupe {
namespace {

/// What is typed does not appear.
class silent_terminal {
public:
  silent_terminal() : is_one_{::tcgetattr(STDIN_FILENO, &before_) == 0} {
    if (!is_one_) return;
    auto silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  }
  ~silent_terminal() {
    if (is_one_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  silent_terminal(const silent_terminal&) = delete;
  silent_terminal& operator=(const silent_terminal&) = delete;
  /// One line, asked for where somebody sits at it.
  std::string line(const char* question) const {
    if (is_one_) std::fputs(question, stderr);
    std::string text;
    std::getline(std::cin, text);
    if (is_one_) std::fputs("\n", stderr);
    return text;
  }
  [[nodiscard]] bool is_one() const { return is_one_; }

private:
  termios before_{};
  bool is_one_;
};

int print_hash() {
  const silent_terminal terminal;
  const auto password = terminal.line("Password: ");
  if (password.empty()) return complain("web", {errc::usage, "no password came"});
  if (terminal.is_one() && terminal.line("Again: ") != password)
    return complain("web", {errc::usage, "they are not the same"});
  const auto hash = dashboard::hash_password(password);
  if (!hash) return complain("web", hash.failure());
  std::printf("%s\n", hash->c_str());
  return exit_code::done;
}

} // namespace

int web(const web_arguments& from, const handlers& h, const std::vector<dashboard::panel>& panels) {
  if (from.hash_password) return print_hash();
  signals incoming;
  const auto app = load_app(from.app, h);
  if (!app.settings) return app.exit_code;
  log::start(log::level::info, log::format::automatic, app.settings->app);
  const auto shown = dashboard::dashboard::start(*app.settings, {version, this_user(), panels});
  if (!shown) return complain("web", shown.failure());
  std::printf("The dashboard of %s is at %s\n", app.settings->app.c_str(), (*shown)->url().c_str());
  std::fflush(stdout);
  for (;;) {
    const auto what = incoming.wait(milliseconds{60'000});
    if (what == signals::event::stop) break;
    if (what != signals::event::reload) continue;
    if (const auto next = load_app(from.app, h); next.settings) (*shown)->reload(*next.settings);
  }
  (*shown)->stop();
  log::stop();
  return exit_code::done;
}

} // namespace troupe

#include "apps/command/run.hpp"

#include "apps/command/exit_code.hpp"
#include "apps/command/file_watch.hpp"
#include "apps/command/version.hpp"
#include "apps/dashboard/dashboard.hpp"
#include "engine/core/user.hpp"
#include "engine/kafka/connection.hpp"
#include "engine/kafka/properties_together.hpp"
#include "engine/log/log.hpp"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>

#include <unistd.h>

namespace troupe {
namespace {

std::optional<std::string> ask_librdkafka(const std::string& section, const std::string& name,
                                          const std::string& value) {
  const auto fine = kafka::check_property(section, name, value);
  return fine ? std::nullopt : std::optional{fine.failure().detail};
}

bool colour_wanted() {
  return isatty(STDERR_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr;
}

log::level level_of(const std::string& text) {
  if (text == "debug") return log::level::debug;
  if (text == "warning") return log::level::warning;
  if (text == "error") return log::level::error;
  return log::level::info;
}

log::format format_of(const std::string& text) {
  if (text == "human") return log::format::human;
  if (text == "json") return log::format::json;
  return log::format::automatic;
}

config::loaded load(const run_arguments& from, const handlers& h) {
  auto loaded = config::load_files(from.files, from.set, h.names(), ask_librdkafka);
  if (!loaded.config) return loaded;
  const auto& to = loaded.config->kafka;
  for (auto& why :
       kafka::check_together({to.brokers, to.properties, to.consumer, to.producer, to.embedded()})) {
    config::problem of_several;
    of_several.file = from.files.front(); // none of the properties is wrong by itself
    of_several.text = std::move(why);
    loaded.problems.push_back(std::move(of_several));
  }
  if (std::any_of(loaded.problems.begin(), loaded.problems.end(), [](const auto& p) { return !p.warning; }))
    loaded.config.reset();
  return loaded;
}

int not_started(const error& why) {
  log::error("not_started", why.detail);
  log::stop();
  return exit_code::of(why);
}

/// A stuck destructor must not hold the exit: everything that matters is done by now.
[[noreturn]] void leave(int code) {
  log::stop();
  std::_Exit(code);
}

} // namespace

std::optional<config::settings> load_or_complain(const run_arguments& from, const handlers& h) {
  auto loaded = load(from, h);
  if (!loaded.problems.empty()) std::fputs(config::show(loaded.problems, colour_wanted()).c_str(), stderr);
  return std::move(loaded.config);
}

int attend(signals& from, runtime& engine, const config::settings& settings, const std::atomic<int>& ended,
           const std::function<void()>& on_reload) {
  using clock = std::chrono::steady_clock;
  // What a step that is cut short may still need before the process is ended from here.
  constexpr milliseconds grace{1000};
  std::optional<clock::time_point> give_up;
  for (;;) {
    const auto what = from.wait(milliseconds{1000});
    if (ended >= 0) return ended;
    if (what == signals::event::stop) {
      if (give_up) {
        log::warning("interrupted", "a second signal: leaving at once");
        leave(exit_code::interrupted);
      }
      give_up = clock::now() + settings.shutdown_deadline + grace;
      engine.stop(exit_code::done);
    } else if (what == signals::event::reload && !give_up) {
      on_reload();
    }
    if (give_up && clock::now() >= *give_up) {
      log::error("deadline_passed", "the drain's deadline passed: at most the windows are delivered again");
      leave(exit_code::deadline);
    }
  }
}

int run(const run_arguments& from, const handlers& h, const std::vector<dashboard::panel>& panels) {
  signals incoming;
  auto settings = load_or_complain(from, h);
  if (!settings) return exit_code::config;
  const auto level = [&](const config::settings& s) {
    return level_of(from.log_level.empty() ? s.log_level : from.log_level);
  };
  log::start(level(*settings), format_of(from.log_format), settings->app);

  // Before the actors, so that one sees them start; and after them, how they stop.
  std::unique_ptr<dashboard::dashboard> web;
  if (settings->dashboard.in_run) {
    auto shown = dashboard::dashboard::start(*settings, {version, this_user(), panels});
    if (!shown) return not_started(shown.failure());
    web = std::move(shown).value();
    log::info("dashboard", "the dashboard is at " + web->url());
  }
  std::function<void(metrics::registry&)> measured;
  if (web) measured = [&shown = *web](metrics::registry& into) { shown.tell(into); };
  std::atomic<int> ended{-1};
  auto engine =
      runtime::start(*settings, h, {from.rebuild, from.adopt, version, std::move(measured)}, [&](int code) {
        ended = code;
        incoming.wake();
      });
  if (!engine) return not_started(engine.failure());
  log::info("started", "the actors are starting",
            {{"actors", static_cast<std::int64_t>(settings->actors.size())}});
  const auto reload = [&] {
    auto next = load(from, h);
    if (!next.config) {
      log::error("reload_refused",
                 "the new config has errors, nothing changes:\n" + config::show(next.problems, false));
      (*engine)->count_refused_reload();
      return;
    }
    log::set_level(level(*next.config));
    if (web) web->reload(*next.config);
    (*engine)->reload(std::move(*next.config));
  };
  std::unique_ptr<file_watch> watching;
  if (from.watch) watching = file_watch::open(from.files, [&] { incoming.reload(); });
  const int code = attend(incoming, **engine, *settings, ended, reload);
  if (web) web->stop();
  log::info("stopped", code == exit_code::done ? "stopped cleanly" : "stopped", {{"exit_code", code}});
  leave(code);
}

} // namespace troupe

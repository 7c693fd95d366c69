#pragma once

#include "actors/runtime.hpp"
#include "apps/command/signals.hpp"
#include "apps/dashboard/panel.hpp"
#include "engine/config/load.hpp"
#include "engine/handler/handler.hpp"

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace troupe {

struct run_arguments {
  std::vector<std::string> files;
  std::vector<std::string> set;
  std::vector<std::string> rebuild, adopt;
  std::string log_format = "auto";
  std::string log_level; ///< empty: the config's
  bool watch = false;    ///< read the files again whenever they change
};

/// Loads and checks; the problems go to standard error. None: exit with 78.
std::optional<config::settings> load_or_complain(const run_arguments& from, const handlers& h);

/// `troupe run`.
int run(const run_arguments& from, const handlers& h, const std::vector<dashboard::panel>& panels);

/// Waits until the engine has stopped by itself or by signals, and gives the exit code. After the drain's
/// deadline (exit 75), and on a second signal (130), it does not return.
int attend(signals& from, runtime& engine, const config::settings& settings, const std::atomic<int>& ended,
           const std::function<void()>& on_reload);

} // namespace troupe

#include "apps/command/status.hpp"

#include "apps/command/app_state.hpp"
#include "apps/command/exit_code.hpp"

#include <cstdio>

namespace troupe {

int status(const operation_arguments& from, const handlers& h) {
  const auto app = load_app(from, h);
  if (!app.settings) return app.exit_code;
  auto redis = open_redis(*app.settings);
  if (!redis) return complain("status", redis.failure());
  const auto now = wall_ms();
  const auto seen = state::reader{*redis, app.settings->app}.read(now);
  if (!seen) return complain("status", seen.failure());
  auto rows = rows_of(*app.settings, *seen);
  group_watch kafka{*app.settings};
  fill_lag(rows, *app.settings, kafka, now);
  if (from.json) {
    std::fputs(text_of(as_json(rows, *seen)).c_str(), stdout);
    return exit_code::done;
  }
  std::printf("%s\n%s", shown(rows, *seen).c_str(), shown_instances(*seen).c_str());
  if (seen->expected == 0)
    std::fprintf(stderr, "no process of %s is running; start one with: troupe run FILE\n",
                 app.settings->app.c_str());
  return exit_code::done;
}

} // namespace troupe

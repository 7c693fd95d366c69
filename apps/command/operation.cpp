#include "apps/command/operation.hpp"

#include "apps/command/exit_code.hpp"
#include "apps/command/run.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include <unistd.h>

namespace troupe {
namespace {

/// The config files of the current folder, by their names.
std::vector<std::string> files_here() {
  std::vector<std::string> found;
  std::error_code failed;
  for (std::filesystem::directory_iterator at{".", failed}, end; !failed && at != end; at.increment(failed)) {
    const auto extension = at->path().extension();
    if (at->is_regular_file(failed) && (extension == ".yaml" || extension == ".yml"))
      found.push_back(at->path().filename().string());
  }
  std::sort(found.begin(), found.end());
  return found;
}

} // namespace

void operation_arguments::add_files_to(CLI::App& to, bool positional) {
  to.add_option(positional ? "-c,--config,FILE" : "-c,--config", files,
                "The app's config files; otherwise the one *.yaml of the current folder")
      ->type_name("FILE");
  to.add_option("--set", set, "Override a key, as for run")->type_name("KEY=VALUE");
}

void operation_arguments::add_to(CLI::App& to, bool positional) {
  add_files_to(to, positional);
  to.add_flag("--json", json, "For programs: JSON on standard output");
}

loaded_app load_app(const operation_arguments& from, const handlers& h) {
  run_arguments named;
  named.files = from.files;
  named.set = from.set;
  if (named.files.empty()) named.files = files_here();
  if (from.files.empty() && named.files.size() != 1) {
    std::fprintf(stderr, "there %s in the current folder; name the app's with -c FILE\n",
                 named.files.empty() ? "is no *.yaml" : "are several *.yaml");
    return {std::nullopt, exit_code::usage};
  }
  auto settings = load_or_complain(named, h);
  const int code = settings ? exit_code::done : exit_code::config;
  return {std::move(settings), code};
}

int complain(const std::string& command, const error& what) {
  std::fprintf(stderr, "troupe %s: %s\n", command.c_str(), what.detail.c_str());
  return exit_code::of(what);
}

result<std::shared_ptr<redis::client>> open_redis(const config::settings& s) {
  if (!s.names_redis)
    return error{errc::bad_config,
                 "the config has no `redis`, so its processes tell nothing of themselves; add "
                 "`redis: { url: … }` and start them again"};
  const auto to = redis::parse_url(s.redis_url);
  if (!to) return error{errc::bad_config, to.failure().detail};
  auto client = redis::client::open(*to, milliseconds{3000});
  const auto pong = client->ask({"PING"});
  if (!pong)
    return error{errc::unavailable, "Redis at " + to->shown() + ": " + pong.failure().detail +
                                        "; start it, or correct redis.url"};
  return client;
}

bool colour_on(int descriptor) {
  return isatty(descriptor) != 0 && std::getenv("NO_COLOR") == nullptr;
}

} // namespace troupe

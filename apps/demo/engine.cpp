#include "apps/demo/engine.hpp"

#include "apps/command/exit_code.hpp"
#include "apps/demo/account.hpp"

#include <algorithm>
#include <fstream>

namespace demo {
namespace {

constexpr int most_restarts = 20;
constexpr std::size_t tail_lines = 10;

std::string padded(std::string_view name) {
  constexpr std::size_t width = 11;
  return std::string{name} + std::string(width - std::min(width, name.size()), ' ');
}

} // namespace

std::filesystem::path own_path() {
  std::error_code failed;
  return std::filesystem::read_symlink("/proc/self/exe", failed);
}

engine::engine(const domain& what, const std::filesystem::path& folder)
    : what_{what}, config_{folder / (std::string{what.name} + ".yaml")},
      log_{folder / (std::string{what.name} + ".log")}, admin_{"127.0.0.1:" + std::to_string(free_port())},
      dashboard_{"127.0.0.1:" + std::to_string(free_port(what.dashboard))} {
  std::ofstream{config_} << what.config;
  if (what.port != 0) door_ = "127.0.0.1:" + std::to_string(free_port(what.port));
}

troupe::result<void> engine::start(std::vector<std::pair<std::string, std::string>> environment) {
  environment.emplace_back("ADMIN_LISTEN", admin_);
  environment_ = std::move(environment);
  return start_again();
}

troupe::result<void> engine::start_again() {
  process::command run{{own_path().string(), "run", config_.string()}, environment_, log_.string()};
  // The embedded broker does not wake a fetch when something comes, and knows only short sessions.
  // With a name of its own it leaves no folder of names behind.
  const std::vector<std::string> settings{
      "kafka.consumer.fetch.wait.max.ms=10", "kafka.consumer.session.timeout.ms=3000",
      "kafka.consumer.heartbeat.interval.ms=500", "instance=demo", "dashboard.listen=" + dashboard_};
  for (const auto& more : settings)
    run.words.insert(run.words.end(), {"--set", more});
  if (!door_.empty()) run.words.insert(run.words.end(), {"--set", std::string{what_.listen} + "=" + door_});
  if (name() == "telemetry") run.words.insert(run.words.end(), {"--set", "actors.load.generate.keys=100"});
  auto child = process::start(run);
  if (!child) return child.failure();
  process_ = std::move(child).value();
  return {};
}

troupe::result<std::string> engine::look() {
  const auto end = process_->ended();
  if (!end || stopping_) return std::string{};
  const bool stopped = *end == troupe::exit_code::done || *end == troupe::exit_code::deadline;
  if ((*end >= 0 && !stopped) || ++restarts_ > most_restarts)
    return troupe::error{troupe::errc::broken, std::string{name()} + " ended with " + std::to_string(*end) +
                                                   "; the end of its log:\n" + tail()};
  if (auto again = start_again(); !again) return again.failure();
  return std::string{name()} + (stopped ? " was stopped" : " was killed by signal " + std::to_string(-*end)) +
         "; it starts again as process " + std::to_string(process_->pid());
}

void engine::stop() {
  stopping_ = true;
  process_->terminate();
}

bool engine::ready() const {
  return !fetch("http://" + admin_ + "/readyz").empty();
}

std::string engine::metrics() const {
  return fetch("http://" + admin_ + "/metrics");
}

std::string engine::url() const {
  return door_.empty() ? "" : "http://" + door_ + what_.route;
}

std::string engine::introduction() const {
  return padded(name()) + "dashboard http://" + dashboard_ + "   " +
         (door_.empty() ? "" : "POST " + url() + "   ") + "metrics http://" + admin_ + "/metrics   process " +
         std::to_string(process_->pid());
}

std::string engine::tail() const {
  std::ifstream in{log_};
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);)
    lines.push_back(std::move(line));
  std::string text;
  for (auto i = lines.size() - std::min(tail_lines, lines.size()); i < lines.size(); ++i)
    text += lines[i] + "\n";
  return text;
}

} // namespace demo

#include "apps/command/operations.hpp"

#include "apps/command/lag.hpp"
#include "apps/command/pool.hpp"
#include "apps/command/status.hpp"
#include "apps/command/tap.hpp"
#include "apps/command/top.hpp"
#include "apps/command/web.hpp"

#include <CLI/CLI.hpp>

namespace troupe {
namespace {

using look = int (*)(const operation_arguments&, const handlers&);

subcommand looking(const handlers& h, std::string name, std::string description, look how) {
  auto from = std::make_shared<operation_arguments>();
  return {std::move(name), std::move(description), [from](CLI::App& to) { from->add_to(to, true); },
          [from, how, &h] { return how(*from, h); }};
}

subcommand tapping(const handlers& h) {
  auto from = std::make_shared<tap_arguments>();
  return {"tap", "A sample of the events that an actor gets, as they come; changes nothing",
          [from](CLI::App& to) {
            to.add_option("ACTOR", from->actor, "Whose topics")->required();
            to.add_option("-n", from->most, "End after so many events")->check(CLI::PositiveNumber);
            to.add_option("--rate", from->rate,
                          "At most so many a second; the others are skipped and counted")
                ->check(CLI::PositiveNumber)
                ->capture_default_str();
            from->app.add_to(to, false);
          },
          [from, &h] { return tap(*from, h); }};
}

subcommand pooling(const handlers& h) {
  auto from = std::make_shared<pool_arguments>();
  return {"pool", "Pause, resume or resize an actor's pool in all processes, or reset it to the file",
          [from](CLI::App& to) {
            to.add_option(
                  "ACTION", from->action,
                  "pause (starts no calls; what runs finishes), resume, resize, or reset (as the file says; "
                  "also closes the breaker and releases the flood brake)")
                ->required()
                ->check(CLI::IsMember({"pause", "resume", "resize", "reset"}));
            to.add_option("ACTOR", from->actor, "Whose pool")->required();
            to.add_option("N", from->workers, "Of resize: workers per process, 1 to max_workers");
            to.add_option("--by", from->by, "Who wants it, for the audit; otherwise the user's name")
                ->type_name("NAME");
            from->app.add_to(to, false);
          },
          [from, &h] { return pool(*from, h); }};
}

subcommand showing(const handlers& h, const std::vector<dashboard::panel>& panels) {
  auto from = std::make_shared<web_arguments>();
  return {"web", "The dashboard alone, beside the processes that run the actors",
          [from](CLI::App& to) {
            from->app.add_files_to(to, true);
            to.add_flag("--hash-password", from->hash_password,
                        "Ask for a password and print its hash, for dashboard.auth");
          },
          [from, &h, &panels] { return web(*from, h, panels); }};
}

} // namespace

std::vector<subcommand> operations(const handlers& h, const std::vector<dashboard::panel>& panels) {
  return {looking(h, "status", "What the app's processes are doing, all of them together", status),
          looking(h, "top", "The same, live, until q is pressed", top),
          looking(h, "lag", "How far each partition is behind, and what blocks it; asks Kafka itself", lag),
          tapping(h),
          pooling(h),
          showing(h, panels)};
}

} // namespace troupe

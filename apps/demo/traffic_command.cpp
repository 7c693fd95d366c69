#include "apps/demo/traffic_command.hpp"

#include "apps/command/exit_code.hpp"
#include "apps/command/signals.hpp"
#include "apps/demo/traffic.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>

namespace demo {
namespace {

constexpr troupe::milliseconds between_lines{10'000};

struct arguments {
  traffic::places where;
  unsigned rate = 200;
};

int run(const arguments& from) {
  if (from.where.checkout.empty() && from.where.events.empty() && from.where.videos.empty() &&
      from.where.brokers.empty()) {
    std::fprintf(stderr, "nowhere to go: name --checkout, --events, --videos or --brokers\n");
    return troupe::exit_code::usage;
  }
  for (const auto* url : {&from.where.checkout, &from.where.events, &from.where.videos})
    if (!url->empty())
      if (const auto parsed = troupe::http::parse_url(*url); !parsed) {
        std::fprintf(stderr, "%s: %s\n", url->c_str(), parsed.failure().detail.c_str());
        return troupe::exit_code::usage;
      }
  troupe::signals incoming;
  traffic people{from.where, from.rate};
  while (incoming.wait(between_lines) != troupe::signals::event::stop) {
    std::printf("%s", people.clock().c_str());
    const auto tell = [](const char* what, const requests& r) {
      if (r.accepted + r.refused + r.unknown > 0)
        std::printf("  %s %llu accepted, %llu refused, %llu unanswered", what,
                    static_cast<unsigned long long>(r.accepted), static_cast<unsigned long long>(r.refused),
                    static_cast<unsigned long long>(r.unknown));
    };
    tell("orders", people.orders);
    tell("page views", people.views);
    tell("videos", people.uploads);
    tell("reports", people.reports);
    std::printf("\n");
    std::fflush(stdout);
  }
  people.end();
  return troupe::exit_code::done;
}

} // namespace

troupe::subcommand traffic_subcommand() {
  auto from = std::make_shared<arguments>();
  from->where.clips = {"raw/simulated.mp4"};
  return {"traffic", "The demo's traffic alone, for examples that run elsewhere",
          [from](CLI::App& to) {
            to.add_option("--checkout", from->where.checkout, "Where orders are posted")->type_name("URL");
            to.add_option("--events", from->where.events, "Where page views are posted")->type_name("URL");
            to.add_option("--videos", from->where.videos, "Where videos are posted")->type_name("URL");
            to.add_option("--brokers", from->where.brokers, "Where sensors report: Kafka's addresses");
            to.add_option("--rate", from->rate, "Events per second at the busiest hour")
                ->check(CLI::Range(1U, 2000U))
                ->capture_default_str();
          },
          [from] { return run(*from); }};
}

} // namespace demo

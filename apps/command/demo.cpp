#include "apps/command/demo.hpp"

#include "apps/command/demo_config.hpp"
#include "apps/command/demo_redis.hpp"
#include "apps/command/demo_traffic.hpp"
#include "apps/command/exit_code.hpp"
#include "apps/command/run.hpp"
#include "apps/command/version.hpp"
#include "engine/log/log.hpp"
#include "engine/redis/client.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace troupe {
namespace {

/// The sum of a metric over its series; of those with `having` in their labels, where it is given.
double sum_of(const std::string& metrics, std::string_view name, std::string_view having = {}) {
  double sum = 0;
  std::string_view rest{metrics};
  while (!rest.empty()) {
    const auto line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (!line.starts_with(name) ||
        (line.size() > name.size() && line[name.size()] != '{' && line[name.size()] != ' '))
      continue;
    if (!having.empty() && line.find(having) == std::string_view::npos) continue;
    sum += std::strtod(std::string{line.substr(line.rfind(' ') + 1)}.c_str(), nullptr);
  }
  return sum;
}

struct page {
  std::string path;
  long long views = 0;
};

/// The counts as anybody would read them from Redis.
std::vector<page> read_counts(redis::client& redis) {
  std::vector<page> all;
  const auto keys = redis.call({{"KEYS", "views:*"}});
  if (!keys || keys->front().items.empty()) return all;
  redis::command get{"MGET"};
  for (const auto& key : keys->front().items)
    get.push_back(key.text);
  const auto values = redis.call({get});
  if (!values) return all;
  for (std::size_t i = 0; i < values->front().items.size(); ++i)
    all.push_back({keys->front().items[i].text.substr(6),
                   std::strtoll(values->front().items[i].text.c_str(), nullptr, 10)});
  std::sort(all.begin(), all.end(), [](const page& a, const page& b) { return a.views > b.views; });
  return all;
}

struct account {
  std::uint64_t views, orders, handled, retries, dead, lost, counted;
};

account take_account(const runtime& engine, const demo_traffic& traffic, const std::vector<page>& counts) {
  const auto m = engine.metrics();
  const auto number = [&](std::string_view name, std::string_view having = {}) {
    return static_cast<std::uint64_t>(sum_of(m, name, having));
  };
  std::uint64_t counted = 0;
  for (const auto& p : counts)
    counted += static_cast<std::uint64_t>(p.views);
  return {traffic.page_views(),
          traffic.orders(),
          number("troupe_attempts_total", "result=\"ok\""),
          number("troupe_retries_total"),
          number("troupe_dlq_messages_total"),
          number("troupe_lost_offsets_total"),
          counted};
}

void print(const account& a, const std::vector<page>& counts, long seconds) {
  std::printf("%4lds  orders %llu placed, %llu handled, %llu retries, %llu dead letters | page views %llu "
              "sent, %llu counted in Redis",
              seconds, static_cast<unsigned long long>(a.orders), static_cast<unsigned long long>(a.handled),
              static_cast<unsigned long long>(a.retries), static_cast<unsigned long long>(a.dead),
              static_cast<unsigned long long>(a.views), static_cast<unsigned long long>(a.counted));
  for (std::size_t i = 0; i < std::min<std::size_t>(3, counts.size()); ++i)
    std::printf("%s %s %lld", i == 0 ? " |" : ",", counts[i].path.c_str(), counts[i].views);
  if (a.lost > 0)
    std::printf(" | LOST %llu offsets (the embedded broker dropped them)",
                static_cast<unsigned long long>(a.lost));
  std::printf("\n");
  std::fflush(stdout);
}

} // namespace

int demo(const demo_arguments& from) {
  signals incoming;
  log::start(log::level::warning, log::format::automatic, "demo");
  auto server = demo_redis::start();
  if (!server) {
    std::fprintf(stderr, "%s\n", server.failure().detail.c_str());
    return exit_code::unavailable;
  }
  config::inputs in;
  in.files.push_back({"config/demo.yaml", std::string{demo_config}});
  in.environment = {{"REDIS_URL", (*server)->url()}};
  in.set = {{"admin.listen", "127.0.0.1:0"}};
  auto loaded = config::load(in);
  if (!loaded.config) {
    std::fputs(config::show(loaded.problems, false).c_str(), stderr);
    return exit_code::bug;
  }
  const handlers none;
  std::atomic<int> ended{-1};
  auto engine = runtime::start(*loaded.config, none, {{}, {}, version}, [&](int code) {
    ended = code;
    incoming.wake();
  });
  if (!engine) {
    std::fprintf(stderr, "%s\n", engine.failure().detail.c_str());
    return exit_code::of(engine.failure());
  }
  auto redis = redis::client::open(redis::parse_url((*server)->url()).value());
  std::printf(
      "Kafka: an embedded broker at %s (librdkafka's mock: in memory, 5 MiB per partition, for trials only)\n"
      "Redis: %s   The config: config/demo.yaml   Ctrl-C stops.\n"
      "Waiting for the consumers to join their groups …\n",
      (*engine)->brokers().c_str(), (*server)->url().c_str());
  std::fflush(stdout);

  std::unique_ptr<demo_traffic> traffic;
  const auto begin = std::chrono::steady_clock::now();
  bool stopped = false;
  account last{};
  const auto tick = [&] {
    if (!traffic && (*engine)->ready())
      traffic = std::make_unique<demo_traffic>((*engine)->publish(), from.rate, [&engine] {
        const auto lag = sum_of((*engine)->metrics(), "troupe_consumer_lag_messages");
        return static_cast<std::uint64_t>(lag);
      });
    if (!traffic) return;
    const auto counts = read_counts(*redis);
    last = take_account(**engine, *traffic, counts);
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - begin).count();
    print(last, counts, seconds);
    if (from.seconds > 0 && seconds >= static_cast<long>(from.seconds) && !std::exchange(stopped, true))
      (*engine)->stop(exit_code::done);
  };
  const int code = attend(
      incoming, **engine, *loaded.config, ended, [] {}, tick);
  if (traffic) {
    const auto counts = read_counts(*redis);
    last = take_account(**engine, *traffic, counts);
    std::printf("Stopped. Page views acknowledged by the broker: %llu, counted in Redis: %llu (%s).\n",
                static_cast<unsigned long long>(last.views), static_cast<unsigned long long>(last.counted),
                last.views == last.counted ? "every one, once"
                                           : "the rest was still unread when the engine stopped");
  }
  traffic.reset();
  return code;
}

} // namespace troupe

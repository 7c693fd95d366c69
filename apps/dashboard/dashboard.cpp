#include "apps/dashboard/dashboard.hpp"

#include "apps/dashboard/answers.hpp"
#include "apps/dashboard/commands_api.hpp"
#include "apps/dashboard/gate.hpp"
#include "apps/dashboard/hub.hpp"
#include "apps/dashboard/letters_api.hpp"
#include "apps/dashboard/live_api.hpp"
#include "apps/dashboard/reading_api.hpp"
#include "apps/dashboard/watcher.hpp"

#include <chrono>
#include <thread>
#include <utility>

namespace troupe::dashboard {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t largest_body = std::size_t{1} << 20; ///< an edited dead letter
constexpr std::size_t most_connections = 512;
constexpr milliseconds redis_timeout{3000};

/// What the address says, for a browser on this host.
std::string shown(const std::string& listen, std::uint16_t port) {
  auto host = listen.substr(0, listen.rfind(':'));
  if (host == "0.0.0.0" || host == "[::]") host = "localhost";
  return "http://" + host + ':' + std::to_string(port);
}

} // namespace

struct dashboard::impl {
  impl(const config::settings& s, options given, std::shared_ptr<redis::client> from)
      : config{s}, events{wall_ms()}, keeper{config, std::move(given.user)}, redis{std::move(from)},
        reads{config, redis, std::move(given.panels), std::move(given.version), events},
        commands{config, redis}, readings{config, redis}, letters{scene()}, way{keeper, table()} {}

  letters_scene scene() {
    const auto s = config.get();
    const auto& k = s->kafka;
    return {config, {k.brokers, k.properties, k.consumer, k.producer, k.embedded()}, redis};
  }

  std::vector<endpoint> table() {
    std::vector<endpoint> all = keeper.endpoints();
    const auto add = [&](std::vector<endpoint> some) {
      for (auto& e : some)
        all.push_back(std::move(e));
    };
    add(live_endpoints(events, keeper));
    add(commands.endpoints());
    add(readings.endpoints());
    add(letters.endpoints());
    return all;
  }

  // Each uses those above it.
  present_config config;
  hub events;
  doorkeeper keeper;
  std::shared_ptr<redis::client> redis;
  watcher reads;
  commands_api commands;
  reading_api readings;
  letters_api letters;
  gate way;
  std::unique_ptr<http::server> server;
};

dashboard::dashboard(std::unique_ptr<impl> made) : impl_{std::move(made)} {}

result<std::unique_ptr<dashboard>> dashboard::start(const config::settings& s, options given) {
  if (!s.names_redis)
    return error{errc::bad_config, "the dashboard shows what processes tell in Redis, and the config has no "
                                   "`redis`; add `redis: { url: … }` and start them again"};
  const auto where = redis::parse_url(s.redis_url);
  if (!where) return error{errc::bad_config, where.failure().detail};
  auto made = std::make_unique<impl>(s, std::move(given), redis::client::open(*where, redis_timeout));
  http::server_options limits;
  limits.body_bytes = largest_body;
  limits.connections = most_connections;
  limits.refusal = [](int status, const std::string& detail) { return guarded(problem(status, detail)); };
  auto server = http::server::start(
      s.dashboard.listen, std::move(limits),
      [i = made.get()](const http::request& asked, http::reply to) { i->way.answer(asked, std::move(to)); });
  if (!server) return error{server.failure().code, "dashboard.listen: " + server.failure().detail};
  made->server = std::move(server).value();
  return std::unique_ptr<dashboard>{new dashboard{std::move(made)}};
}

dashboard::~dashboard() {
  impl_->events.close();
}

std::string dashboard::url() const {
  return shown(impl_->config.get()->dashboard.listen, impl_->server->port());
}

void dashboard::reload(const config::settings& s) {
  auto next = *impl_->config.get();
  next.actors = s.actors;
  impl_->config.set(std::move(next));
}

void dashboard::tell(metrics::registry& into) const {
  impl_->letters.tell(into);
  into.gauge("troupe_web_stream_clients").set(static_cast<double>(impl_->events.followers()));
}

void dashboard::stop() {
  constexpr auto patience = 2s;
  impl_->reads.finish();
  impl_->letters.close(); // what they did is counted and audited
  impl_->events.close();
  impl_->server->stop();
  const auto until = std::chrono::steady_clock::now() + patience;
  while (!impl_->server->stopped() && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(10ms);
}

} // namespace troupe::dashboard

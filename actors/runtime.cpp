#include "actors/runtime.hpp"

#include "actors/conductor.hpp"
#include "actors/services.hpp"
#include "actors/work_queue.hpp"
#include "engine/http/server.hpp"
#include "engine/log/log.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/logger.hpp>
#include <caf/scheduler/coordinator.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <array>
#include <mutex>
#include <optional>
#include <thread>

#include <unistd.h>

namespace troupe {
namespace {

using namespace actors;

struct system_config : caf::actor_system_config {
  system_config() {
    // CAF's work stealing polls, and its latency is higher as well.
    load<caf::scheduler::coordinator<work_queue>>();
    set("scheduler.max-threads", std::max(2U, std::thread::hardware_concurrency()));
    set("scheduler.max-throughput", 100U);
    set("logger.verbosity", caf::atom("quiet"));
  }
};

http::response admin_answer(services& s, const http::request& q) {
  if (q.method != "GET" && q.method != "HEAD") return {405, "text/plain; charset=utf-8", "only GET\n"};
  if (q.path == "/livez") return {200, "text/plain; charset=utf-8", "ok\n"};
  if (q.path == "/readyz")
    return s.ready ? http::response{200, "text/plain; charset=utf-8", "ready\n"}
                   : http::response{503, "text/plain; charset=utf-8",
                                    s.stopping ? "stopping\n"
                                               : "not ready: a consumer has not joined its group yet\n"};
  if (q.path == "/metrics") return {200, "text/plain; version=0.0.4; charset=utf-8", s.metrics.render()};
  return {404, "text/plain; charset=utf-8", "there is /metrics, /livez and /readyz\n"};
}

constexpr std::int32_t embedded_partitions = 4;
/// What an answer about the operational state may take before the update counts as dropped.
constexpr milliseconds state_timeout{1000};

} // namespace

struct runtime::impl {
  impl(config::settings s, const handlers& h) : shared{std::move(s), h} {}

  services shared;
  publisher_front front;
  system_config system_settings;
  std::unique_ptr<caf::actor_system> system;
  std::mutex lock; ///< over the next four: a conductor is replaced while others talk to it
  caf::actor conductor;
  std::optional<int> stop_code;                     ///< told to the next conductor as well
  std::shared_ptr<const config::settings> reloaded; ///< the same
  bool gone = false;                                ///< no conductor is raised any more
  std::unique_ptr<http::server> admin;
  std::function<void(int)> ended;
  std::atomic<bool> over{false};

  result<void> connect();
  void open_state(const std::string& version);
  void raise_conductor();
  caf::actor present_conductor() {
    const std::lock_guard hold{lock};
    return conductor;
  }
  /// Ends once; a conductor that died is raised again with everything under it.
  void watch_conductor();
};

result<void> runtime::impl::connect() {
  const auto& s = shared.settings;
  if (!s.state.empty()) {
    auto crashes = journal::crash_memory::open(s.state, s.app);
    if (!crashes) return crashes.failure();
    shared.crashes = std::move(crashes).value();
  }
  shared.kafka = {s.kafka.brokers, s.kafka.properties, s.kafka.consumer, s.kafka.producer,
                  s.kafka.embedded()};
  if (s.kafka.embedded()) {
    auto broker = kafka::embedded_broker::start();
    if (!broker) return broker.failure();
    shared.embedded = std::move(broker).value();
    shared.kafka.brokers = shared.embedded->bootstrap();
    log::warning("embedded_broker",
                 "running on an embedded broker: in memory, in this process, at most 5 MiB per partition; "
                 "for trials only",
                 {{"brokers", shared.kafka.brokers}});
    for (const auto& topic : config::topics_of(s))
      if (const auto made = shared.embedded->create_topic(topic, embedded_partitions); !made)
        return made.failure();
  }
  if (const auto topics = shared.topics(start_timeout); !topics) return topics.failure();
  if (s.needs_redis() || s.names_redis) {
    auto to = redis::parse_url(s.redis_url);
    if (!to) return error{errc::bad_config, to.failure().detail};
    shared.redis = redis::client::open(*to);
    // Handlers and the memory for idempotency keys take it as it comes.
    if (!s.needs_redis()) return {};
    const auto pong = shared.redis->call({{"PING"}});
    if (!pong || pong->front().kind == redis::reply::type::failure)
      return error{errc::unavailable, "Redis at " + to->shown() + " does not answer: " +
                                          (pong ? pong->front().text : pong.failure().detail) +
                                          "; start it, or set redis.url"};
  }
  return {};
}

/// Where operators see and steer the process. It never stands in the way of the work: without an answer of
/// Redis the pools begin as their files say.
void runtime::impl::open_state(const std::string& version) {
  const auto& s = shared.settings;
  const auto to = s.names_redis ? redis::parse_url(s.redis_url) : result<redis::address>{error{}};
  if (!to) return;
  state::identity who;
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  who.host = host.data();
  who.pid = ::getpid();
  const auto instance = shared.instance();
  who.id = instance ? *instance : who.host + "-pid-" + std::to_string(who.pid);
  who.version = version;
  who.config_digest = s.digest;
  who.start_ms = wall_ms();
  const auto client = redis::client::open(*to, state_timeout);
  auto& dropped = shared.metrics.counter("troupe_redis_dropped_updates_total");
  shared.recorder = std::make_unique<state::recorder>(client, s.app, who, [&dropped] { dropped.add(); });
  shared.inbox = std::make_unique<state::inbox>(client, s.app, who.id);
  auto wanted = shared.inbox->open();
  if (wanted)
    (void)shared.desired.replace(std::move(wanted->wanted));
  else
    log::warning("desired_unknown",
                 wanted.failure().detail +
                     "; pools begin as their files say, until Redis tells what operators want");
}

/// CAF leaves its logger with every thread that spawns, and the actor system would wait for that thread to
/// end.
void leave_the_logger() {
  caf::logger::set_current_actor_system(nullptr);
}

void runtime::impl::raise_conductor() {
  const std::lock_guard hold{lock};
  if (gone || over) return;
  conductor = system->spawn(actors::conductor, &shared, &front, [this](int code) {
    if (!over.exchange(true)) ended(code);
  });
  leave_the_logger();
  if (reloaded) caf::anon_send(conductor, reload_process{reloaded});
  if (stop_code) caf::anon_send(conductor, stop_process{*stop_code});
  watch_conductor();
}

void runtime::impl::watch_conductor() {
  conductor->attach_functor([this](const caf::error& why) {
    if (over || !why) return;
    log::error("actor_died", "the conductor died; everything under it starts again");
    shared.metrics.counter("troupe_actor_restarts_total", {{"kind", "conductor"}}).add();
    shared.ready = false;
    // Not from within the dying actor.
    shared.chores.run([this] { raise_conductor(); });
  });
}

runtime::runtime(std::unique_ptr<impl> i) : impl_{std::move(i)} {}

result<std::unique_ptr<runtime>> runtime::start(config::settings settings, const handlers& h,
                                                run_options options, std::function<void(int)> ended) {
  auto i = std::make_unique<impl>(std::move(settings), h);
  i->ended = std::move(ended);
  for (const auto& name : options.rebuild)
    i->shared.mark_rebuild(name);
  for (const auto& name : options.adopt)
    i->shared.mark_adopt(name);
  i->shared.publisher = &i->front;
  if (const auto connected = i->connect(); !connected) return connected.failure();
  i->open_state(options.version);
  auto& metrics = i->shared.metrics;
  metrics.gauge("troupe_build_info", {{"version", options.version}}).set(1);
  if (const auto limit = i->shared.settings.memory_limit; limit > 0)
    metrics.gauge("troupe_memory_limit_bytes").set(static_cast<double>(limit));
  metrics.on_scrape([s = &i->shared, &dropped = metrics.counter("troupe_log_lines_dropped_total")] {
    s->lag.refresh();
    dropped.add(log::dropped() - dropped.value());
  });
  if (options.on_scrape)
    metrics.on_scrape([&metrics, tell = std::move(options.on_scrape)] { tell(metrics); });
  if (const auto& listen = i->shared.settings.admin_listen; !listen.empty()) {
    auto server = http::server::start(
        listen, {}, http::at_once([s = &i->shared](const http::request& q) { return admin_answer(*s, q); }));
    if (!server) return server.failure();
    i->admin = std::move(server).value();
  }
  i->system = std::make_unique<caf::actor_system>(i->system_settings);
  i->raise_conductor();
  return std::unique_ptr<runtime>{new runtime{std::move(i)}};
}

runtime::~runtime() {
  impl_->over = true;
  impl_->admin.reset();
  {
    const std::lock_guard hold{impl_->lock};
    impl_->gone = true;
    if (impl_->conductor) caf::anon_send_exit(impl_->conductor, caf::exit_reason::kill);
    impl_->conductor = nullptr;
  }
  impl_->front.point_to(nullptr);
  impl_->shared.doors.close();
  impl_->system.reset();
}

void runtime::stop(int exit_code) {
  const std::lock_guard hold{impl_->lock};
  impl_->stop_code = exit_code;
  caf::anon_send(impl_->conductor, stop_process{exit_code});
}

void runtime::reload(config::settings next) {
  const std::lock_guard hold{impl_->lock};
  impl_->reloaded = std::make_shared<const config::settings>(std::move(next));
  caf::anon_send(impl_->conductor, reload_process{impl_->reloaded});
}

void runtime::count_refused_reload() {
  impl_->shared.metrics.counter("troupe_config_reloads_total", {{"result", "refused"}}).add();
}

troupe::publisher& runtime::publish() {
  return impl_->front;
}
bool runtime::ready() const {
  return impl_->shared.ready;
}
std::string runtime::brokers() const {
  return impl_->shared.kafka.brokers;
}
std::string runtime::metrics() const {
  return impl_->shared.metrics.render();
}

bool runtime::kill_one(const std::string& kind) {
  // What an exception in a handler leaves behind. `kill` would not do: CAF lets it pass every link, up to the
  // conductor, whatever the exit handlers say.
  const auto crash = [](const caf::actor& whom) {
    caf::anon_send(whom, caf::exit_msg{caf::actor_addr{}, caf::make_error(caf::sec::runtime_error)});
  };
  if (kind == "conductor") {
    crash(impl_->present_conductor());
    return true;
  }
  caf::scoped_actor self{*impl_->system};
  leave_the_logger();
  std::vector<std::pair<std::string, caf::actor>> found;
  const auto ask = [&](const caf::actor& whom) {
    self->request(whom, std::chrono::seconds{5}, who_is_there{})
        .receive([&](roster& r) { found.insert(found.end(), r.members.begin(), r.members.end()); },
                 [](caf::error&) {});
  };
  ask(impl_->present_conductor());
  const auto top = found;
  for (const auto& [what, actor] : top)
    if (what == "supervisor") ask(actor);
  const auto at =
      std::find_if(found.begin(), found.end(), [&](const auto& m) { return m.first == kind && m.second; });
  if (at == found.end()) return false;
  crash(at->second);
  return true;
}

} // namespace troupe

#include "apps/demo/demo.hpp"

#include "apps/command/exit_code.hpp"
#include "apps/command/signals.hpp"
#include "apps/demo/account.hpp"
#include "apps/demo/configs.hpp"
#include "apps/demo/engine.hpp"
#include "apps/demo/traffic.hpp"
#include "engine/config/load.hpp"
#include "engine/kafka/embedded.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <thread>

#include <unistd.h>

namespace demo {
namespace {

namespace fs = std::filesystem;
using troupe::error;
using troupe::milliseconds;
using troupe::result;
namespace exit_code = troupe::exit_code;

struct arguments {
  std::vector<std::string> names;
  unsigned rate = 200;
  unsigned seconds = 0;
};

const std::array<domain, 4> domains{
    domain{"ecommerce", ecommerce_config, 8088, 8080, "actors.checkout.ingest.listen", "/checkout"},
    domain{"analytics", analytics_config, 8089, 8081, "actors.events.ingest.listen", "/events"},
    domain{"video", video_config, 8091, 8082, "actors.upload.ingest.listen", "/videos"},
    domain{"telemetry", telemetry_config, 8092, 0, "", ""}};

constexpr std::int32_t partitions = 4;
constexpr double most_behind = 5000; ///< unread events, far below what the embedded broker holds
constexpr milliseconds start_limit{60'000}, settle_limit{10'000}, stop_limit{15'000};

/// A folder of our own, gone at the end.
class scratch {
public:
  scratch() {
    auto form = (fs::temp_directory_path() / "troupe-demo.XXXXXX").string();
    if (mkdtemp(form.data()) != nullptr) path_ = form;
  }
  ~scratch() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  scratch(const scratch&) = delete;
  scratch& operator=(const scratch&) = delete;
  [[nodiscard]] const fs::path& path() const { return path_; }

private:
  fs::path path_;
};

/// The folder that stands for the bucket, with a clip that ffmpeg made; without ffmpeg the work is simulated.
bool make_clip(const fs::path& media) {
  std::error_code failed;
  fs::create_directories(media / "clips", failed);
  auto made =
      process::start({{"ffmpeg", "-loglevel", "error", "-f", "lavfi", "-i",
                       "testsrc=duration=4:size=320x240:rate=15", "-y", (media / "clips/test.mp4").string()},
                      {},
                      (media / "ffmpeg.log").string()});
  return made && (*made)->wait(milliseconds{20'000}) && (*made)->ended() == 0;
}

/// Every topic of an example, dead letters included: on the embedded broker only its owner makes them.
result<std::vector<std::string>> topics_of(const domain& what, const troupe::handlers& known) {
  troupe::config::inputs in;
  in.files.push_back({std::string{"config/"} + what.name + ".yaml", std::string{what.config}});
  in.handlers = known.names();
  const auto loaded = troupe::config::load(in);
  if (!loaded.config) return error{troupe::errc::broken, troupe::config::show(loaded.problems, false)};
  return troupe::config::topics_of(*loaded.config);
}

std::string money(std::int64_t cents) {
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%.2f", static_cast<double>(cents) / 100);
  return text.data();
}

std::string plain(std::uint64_t n) {
  return std::to_string(n);
}

class demo {
public:
  demo(arguments from, const troupe::handlers& known) : from_{std::move(from)}, known_{known} {}

  int run() {
    if (auto up = start(); !up) {
      std::fprintf(stderr, "%s\n", up.failure().detail.c_str());
      return exit_code::of(up.failure());
    }
    introduce();
    if (const int code = attend(); code != exit_code::done) return code;
    return close();
  }

private:
  result<void> start() {
    if (folder_.path().empty())
      return error{troupe::errc::unavailable, "there is no folder for temporary files: set TMPDIR"};
    auto broker = troupe::kafka::embedded_broker::start();
    if (!broker) return broker.failure();
    broker_ = std::move(broker).value();
    for (const auto& d : domains) {
      if (!wanted(d.name)) continue;
      const auto topics = topics_of(d, known_);
      if (!topics) return topics.failure();
      for (const auto& topic : *topics)
        if (auto made = broker_->create_topic(topic, partitions); !made) return made;
      engines_.push_back(std::make_unique<engine>(d, folder_.path()));
    }
    if (auto up = start_redis(); !up) return up;
    if (auto up = start_gateway(); !up) return up;
    std::vector<std::pair<std::string, std::string>> environment{
        {"KAFKA_BROKERS", broker_->bootstrap()},
        {"REDIS_URL", redis_url_},
        {"GATEWAY_URL", gateway_url_},
        {"MAILDIR", maildir().string()},
        {"OPENING_STOCK", "5000"},
        {"SMTP_URL", ""},
        {"VIDEO_MEDIA",
         wanted("video") && make_clip(folder_.path() / "media") ? (folder_.path() / "media").string() : ""}};
    filmed_ = !environment.back().second.empty();
    for (auto& e : engines_)
      if (auto up = e->start(environment); !up) return up;
    return {};
  }

  result<void> start_redis() {
    const auto port = std::to_string(free_port());
    redis_url_ = "redis://127.0.0.1:" + port + "/0";
    auto server = process::start({{"redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "",
                                   "--appendonly", "no", "--maxmemory-policy", "noeviction"},
                                  {},
                                  (folder_.path() / "redis.log").string()});
    if (!server) return server.failure();
    redis_server_ = std::move(server).value();
    redis_ = troupe::redis::client::open(troupe::redis::parse_url(redis_url_).value());
    const auto until = std::chrono::steady_clock::now() + milliseconds{5000};
    while (!redis_->ask({"PING"})) {
      if (redis_server_->ended() || std::chrono::steady_clock::now() > until)
        return error{troupe::errc::unavailable,
                     "redis-server could not be started: is it installed? (scripts/setup installs it)"};
      std::this_thread::sleep_for(milliseconds{20});
    }
    return {};
  }

  result<void> start_gateway() {
    const auto listen = "127.0.0.1:" + std::to_string(free_port(8090));
    gateway_url_ = "http://" + listen;
    if (!wanted("ecommerce")) return {};
    auto made = process::start({{(own_path().parent_path() / "payment_gateway").string(), "--listen", listen,
                                 "--ledger", (folder_.path() / "charges.jsonl").string()},
                                {},
                                (folder_.path() / "gateway.log").string()});
    if (!made) return made.failure();
    gateway_ = std::move(made).value();
    const auto until = std::chrono::steady_clock::now() + milliseconds{5000};
    while (fetch(gateway_url_ + "/ledger").empty())
      if (gateway_->ended() || std::chrono::steady_clock::now() > until)
        return error{troupe::errc::unavailable,
                     "payment_gateway could not be started: it belongs beside this program"};
    return {};
  }

  /// The name of a server that is gone; empty while all of them run.
  std::string missing() {
    if (redis_server_->ended()) return "redis-server";
    return gateway_ && gateway_->ended() ? "payment_gateway" : "";
  }

  void introduce() const {
    std::printf(
        "Kafka: an embedded broker at %s (librdkafka's mock: in memory, 5 MiB per partition, for trials "
        "only)\nRedis: %s\n",
        broker_->bootstrap().c_str(), redis_url_.c_str());
    for (const auto& e : engines_)
      std::printf("%s\n", e->introduction().c_str());
    if (gateway_) std::printf("gateway    %s   process %d\n", gateway_url_.c_str(), gateway_->pid());
    std::printf("Configs, logs, mails and videos: %s\n"
                "Ctrl-C stops. Kill an engine (kill -9) and see it come back.\n"
                "Waiting for the consumers to join their groups …\n",
                folder_.path().c_str());
    std::fflush(stdout);
  }

  int attend() {
    const auto begin = std::chrono::steady_clock::now();
    for (;;) {
      if (signals_.wait(milliseconds{1000}) == troupe::signals::event::stop) return exit_code::done;
      const auto passed = std::chrono::steady_clock::now() - begin;
      for (auto& e : engines_) {
        const auto news = e->look();
        if (!news) {
          std::fprintf(stderr, "%s\n", news.failure().detail.c_str());
          return exit_code::bug;
        }
        if (!news->empty()) tell(*news);
      }
      if (const auto gone = missing(); !gone.empty()) {
        std::fprintf(stderr, "%s ended, and the demo cannot go on without it\n", gone.c_str());
        return exit_code::unavailable;
      }
      if (!traffic_ && !open_the_doors()) {
        if (passed < start_limit) continue;
        std::fprintf(stderr, "the engines did not get ready; their logs are in %s until this ends\n",
                     folder_.path().c_str());
        return exit_code::unavailable;
      }
      const auto second = std::chrono::duration_cast<std::chrono::seconds>(passed).count();
      disturb(second);
      account(second);
      if (from_.seconds > 0 && second >= static_cast<long>(from_.seconds)) return exit_code::done;
    }
  }

  bool open_the_doors() {
    if (!std::all_of(engines_.begin(), engines_.end(), [](const auto& e) { return e->ready(); }))
      return false;
    traffic::places where;
    for (const auto& e : engines_) {
      const auto name = e->name();
      if (name == "ecommerce") where.checkout = e->url();
      if (name == "analytics") where.events = e->url();
      if (name == "video") where.videos = e->url();
      if (name == "telemetry") where.brokers = broker_->bootstrap();
    }
    where.clips = {filmed_ ? "clips/test.mp4" : "raw/simulated.mp4"};
    traffic_ = std::make_unique<traffic>(std::move(where), from_.rate);
    return true;
  }

  /// A gateway's life: mostly fine, now and then a bad call, sometimes out for a while.
  void disturb(long second) {
    if (!gateway_) return;
    const long phase = second % 60;
    const bool out = phase >= 30 && phase < 36;
    if (told_ && out == out_) return;
    std::string body = R"({"fail":0.03,"lose":0.01,"decline":0.01,"delay_ms":20,"out":)";
    body += out ? "true}" : "false}";
    if (fetch(gateway_url_ + "/behaviour", "PUT", std::move(body)).empty()) return; // told at the next look
    told_ = true;
    if (out != std::exchange(out_, out))
      tell(out ? "the payment gateway goes out: its breaker opens, payments wait"
               : "the payment gateway is back");
  }

  void account(long second) {
    double behind = 0, lost = 0;
    for (const auto& e : engines_) {
      const auto metrics = e->metrics();
      behind += sum_of(metrics, "troupe_consumer_lag_messages");
      lost += sum_of(metrics, "troupe_lost_offsets_total");
      const auto name = e->name();
      const auto failures =
          plain(static_cast<std::uint64_t>(sum_of(metrics, "troupe_retries_total"))) + " retries, " +
          plain(static_cast<std::uint64_t>(sum_of(metrics, "troupe_dlq_messages_total"))) + " dead letters";
      if (name == "ecommerce") show(second, name, shop() + " | " + failures);
      if (name == "analytics") show(second, name, web());
      if (name == "video") show(second, name, videos() + " | " + failures);
      if (name == "telemetry") show(second, name, devices());
    }
    traffic_->hold(behind > most_behind);
    if (lost > 0)
      tell("LOST " + plain(static_cast<std::uint64_t>(lost)) + " offsets: the embedded broker dropped them");
    std::fflush(stdout);
  }

  void show(long second, std::string_view name, const std::string& figures) const {
    const bool alone = engines_.size() == 1;
    if (!alone && second % 2 != 0) return; // four lines at a time are read more slowly
    const bool first = name == engines_.front()->name();
    std::printf("%5s %s  %s%s\n", first ? (plain(static_cast<std::uint64_t>(second)) + "s").c_str() : "",
                first ? traffic_->clock().c_str() : "     ",
                alone ? "" : (std::string{name} + std::string(11 - name.size(), ' ')).c_str(),
                figures.c_str());
  }
  static void tell(const std::string& news) { std::printf("             -- %s\n", news.c_str()); }

  std::string shop() {
    const auto f = read_shop(*redis_, gateway_url_, maildir());
    return "orders " + plain(traffic_->orders.accepted) + " accepted, " + plain(f.reserved) + " reserved, " +
           plain(f.charged) + " charged, " + plain(f.mails) + " mails | revenue " + money(f.revenue_cents);
  }
  std::string web() {
    const auto f = read_web(*redis_);
    return "page views " + plain(traffic_->views.accepted) + " accepted, " + plain(f.views) +
           " counted | clicks " + plain(f.clicks) + ", searches " + plain(f.searches) + ", sessions " +
           plain(f.sessions) + (f.top.empty() ? "" : " | " + f.top);
  }
  std::string videos() {
    const auto f = read_videos(*redis_);
    return "videos " + plain(traffic_->uploads.accepted) + " accepted: " + plain(f.uploaded) + " uploaded, " +
           plain(f.transcoded) + " transcoded, " + plain(f.ready) + " ready" +
           (filmed_ ? "" : " (simulated)");
  }
  std::string devices() {
    const auto f = read_devices(*redis_);
    return "devices " + plain(f.online) + " online, " + plain(f.late) + " late, " + plain(f.silent) +
           " silent | events " + plain(f.events);
  }

  /// Nobody comes any more; what was accepted is processed; then the engines stop, and what came of it is
  /// told.
  int close() {
    int code = exit_code::done;
    if (traffic_) {
      traffic_->end();
      const auto until = std::chrono::steady_clock::now() + settle_limit;
      while (!settled() && std::chrono::steady_clock::now() < until)
        if (signals_.wait(milliseconds{200}) == troupe::signals::event::stop) return exit_code::interrupted;
    }
    for (auto& e : engines_)
      e->stop();
    const auto until = std::chrono::steady_clock::now() + stop_limit;
    for (auto& e : engines_) {
      while (!e->stopped() && std::chrono::steady_clock::now() < until)
        if (signals_.wait(milliseconds{20}) == troupe::signals::event::stop) return exit_code::interrupted;
      if (e->stopped() != exit_code::done) code = exit_code::deadline;
    }
    std::printf("Stopped.\n");
    if (traffic_) sum_up();
    return code;
  }

  bool settled() {
    return (!wanted("analytics") || read_web(*redis_).views >= traffic_->views.accepted) &&
           (!wanted("ecommerce") ||
            read_shop(*redis_, gateway_url_, maildir()).mails >= traffic_->orders.accepted);
  }

  void sum_up() {
    if (wanted("analytics"))
      compare("Page views", traffic_->views, "counted in Redis", read_web(*redis_).views);
    if (wanted("ecommerce")) {
      const auto f = read_shop(*redis_, gateway_url_, maildir());
      compare("Orders", traffic_->orders, "in the revenue", f.orders);
      std::printf("Charged: %llu orders; the others were declined, or wait in their topic.\n",
                  static_cast<unsigned long long>(f.charged));
    }
    if (wanted("video")) {
      const auto f = read_videos(*redis_);
      compare("Videos", traffic_->uploads, "in the index", f.uploaded + f.transcoded + f.ready);
    }
  }
  static void compare(const char* what, const requests& sent, const char* where, std::uint64_t found) {
    const auto most = sent.accepted + sent.unknown;
    const std::string verdict = found < sent.accepted ? "the rest was still unread when the engine stopped"
                                : found <= most       ? "every one, once"
                                                : "every one, and " + plain(found - most) + " from elsewhere";
    std::printf("%s acknowledged by the broker: %llu%s, %s: %llu (%s).\n", what,
                static_cast<unsigned long long>(sent.accepted),
                sent.unknown == 0 ? "" : (" and " + plain(sent.unknown) + " without an answer").c_str(),
                where, static_cast<unsigned long long>(found), verdict.c_str());
  }

  [[nodiscard]] bool wanted(std::string_view name) const {
    return from_.names.empty() ||
           std::find(from_.names.begin(), from_.names.end(), name) != from_.names.end();
  }
  [[nodiscard]] fs::path maildir() const { return folder_.path() / "mails"; }

  arguments from_;
  const troupe::handlers& known_;
  troupe::signals signals_;
  scratch folder_;
  std::unique_ptr<troupe::kafka::embedded_broker> broker_;
  std::unique_ptr<process> redis_server_, gateway_;
  std::shared_ptr<troupe::redis::client> redis_;
  std::string redis_url_, gateway_url_;
  std::vector<std::unique_ptr<engine>> engines_;
  std::unique_ptr<traffic> traffic_;
  bool filmed_ = false, told_ = false, out_ = false;
};

} // namespace

troupe::subcommand subcommand(const troupe::handlers& examples) {
  auto from = std::make_shared<arguments>();
  return {"demo", "The examples on an embedded broker and a Redis of the demo's own, with traffic",
          [from](CLI::App& to) {
            to.add_option("NAME", from->names,
                          "ecommerce, analytics, video, telemetry; all where none is named")
                ->check(CLI::IsMember({"ecommerce", "analytics", "video", "telemetry"}));
            to.add_option("--rate", from->rate, "Events per second at the busiest hour")
                ->check(CLI::Range(1U, 2000U))
                ->capture_default_str();
            to.add_option("--seconds", from->seconds, "Stop by itself after so many seconds; 0: at Ctrl-C")
                ->capture_default_str();
          },
          [from, &examples] {
            return demo{*from, examples}.run();
          }};
}

} // namespace demo

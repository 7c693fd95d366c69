#include "actors/runtime.hpp"
#include "engine/http/client.hpp"
#include "engine/kafka/admin.hpp"
#include "tests/actors/topic_log.hpp"
#include "tests/actors/waiting.hpp"
#include "tests/support/redis_server.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <future>
#include <limits>
#include <map>
#include <mutex>
#include <netinet/in.h>
#include <optional>
#include <set>
#include <sys/socket.h>
#include <thread>
#include <tuple>
#include <unistd.h>

// The design's promises while one kind of actor is killed again and again under load.
namespace troupe::actors {
namespace {

constexpr std::int32_t partitions = 4;
constexpr auto patience = 40s;
constexpr int keys = 12;
constexpr int workers = 4;

using place = std::pair<std::int32_t, std::int64_t>; ///< partition, offset

/// What the handler did, in memory.
class effects {
public:
  struct entry {
    place where;
    std::string key;
    unsigned attempt;
    steady_time start, end;
    verdict result;
  };
  void add(entry e) {
    const std::lock_guard hold{lock_};
    if (e.result == verdict::success) handled_.insert(e.where);
    all_.push_back(std::move(e));
  }
  std::vector<entry> all() const {
    const std::lock_guard hold{lock_};
    return all_;
  }
  std::size_t handled() const {
    const std::lock_guard hold{lock_};
    return handled_.size();
  }
  std::set<place> handled_places() const {
    const std::lock_guard hold{lock_};
    return handled_;
  }

private:
  mutable std::mutex lock_;
  std::vector<entry> all_;
  std::set<place> handled_;
};

bool is_poison(const record& e) {
  return e.value->find("\"poison\"") != std::string::npos;
}
bool is_flaky(const record& e) {
  return e.value->find("\"flaky\"") != std::string::npos;
}

std::string unique(const std::string& name) {
  static const auto run = std::to_string(std::chrono::system_clock::now().time_since_epoch().count());
  static int n = 0;
  return name + "-" + run + "-" + std::to_string(++n);
}

class Engine : public testing::Test {
protected:
  void SetUp() override {
    handlers_.add("record", [this](const record& e, context& c) {
      const auto start = std::chrono::steady_clock::now();
      // The work: long enough that calls could overlap.
      std::this_thread::sleep_for(++begun_ < workers ? first_calls_take_ : call_takes_);
      auto result = is_poison(e)                      ? outcome::permanent("it is poison")
                    : is_flaky(e) && c.attempt() == 1 ? outcome::transient("not the first time")
                                                      : outcome::success({outgoing{.topic = {},
                                                                                   .key = e.key,
                                                                                   .value = e.value,
                                                                                   .headers = {},
                                                                                   .timestamp_ms = {},
                                                                                   .partition = {}}});
      effects_.add({{e.partition, e.offset},
                    *e.key,
                    c.attempt(),
                    start,
                    std::chrono::steady_clock::now(),
                    result.kind});
      return result;
    });
  }

  config::settings settings() {
    config::worker_actor work;
    work.consume.topics = {topic_};
    work.consume.group = unique("work");
    work.handler = config::named_handler{"record"};
    work.pool.workers = workers;
    work.pool.max_workers = 8;
    work.retry = {
        .attempts = 30, .backoff = policy::backoff_kind::constant, .initial = 20ms, .max = 20ms, .jitter = 0};
    work.breaker = {.failure_ratio = 1, .over = 1000, .open_for = 100ms};
    work.dlq.flood = {.ratio = 1, .run = 1'000'000};
    work.publish = config::publish{.topic = out_, .key = {}, .acks = config::acks::all, .timeout = 5s};

    config::aggregate_actor count;
    count.consume.topics = {topic_};
    count.consume.group = unique("count");
    count.count_by = "/who";
    count.into = "views:{value}";
    count.flush_every = 100ms;

    config::generate_actor made;
    made.topic = made_up_;
    made.keys = 3;
    made.value = "{}";
    made.every = 100ms;

    config::settings s;
    s.app = "kills";
    s.shutdown_revoke = revoke_;
    const char* real = std::getenv("TEST_KAFKA");
    s.kafka.brokers = real ? real : "embedded";
    s.kafka.producer = {{"linger.ms", linger_}};
    s.redis_url = redis_.url();
    s.names_redis = true;
    s.admin_listen = "";
    s.actors = {{"work", work, "", {}}, {"count", count, "", {}}, {"made", made, "", {}}};
    if (real) create_topics(real);
    return s;
  }

  void create_topics(const std::string& brokers) const {
    kafka::connection to;
    to.brokers = brokers;
    auto admin = kafka::admin::open(to);
    ASSERT_TRUE(admin) << admin.failure().detail;
    for (const auto& name : {topic_, out_, made_up_}) {
      const auto created = (*admin)->create_topic(name, partitions, 10s);
      ASSERT_TRUE(created) << created.failure().detail;
    }
  }

  void start() {
    auto started = runtime::start(settings(), handlers_, {}, [this](int code) { ended_ = code; });
    ASSERT_TRUE(started) << started.failure().detail;
    engine_ = std::move(*started);
    ASSERT_TRUE(eventually(patience, [&] { return engine_->ready(); })) << "no group let us in";
  }

  /// One event after the other, until it is told to stop; what fails is published again, as a user would.
  void publish_until_stopped(int most = std::numeric_limits<int>::max()) {
    for (int n = 0; !enough_ && n < most; ++n) {
      const auto who = "k" + std::to_string(n % keys);
      const std::string kind = n % 40 == 39 ? "poison" : n % 15 == 14 ? "flaky" : "plain";
      outgoing event;
      event.topic = topic_;
      event.key = who;
      event.value = "{\"who\":\"" + who + "\",\"kind\":\"" + kind + "\",\"n\":" + std::to_string(n) + "}";
      while (!engine_->publish().publish_and_wait(event, 5s) && !enough_)
        std::this_thread::sleep_for(20ms);
      ++published_;
    }
  }

  std::uint64_t restarts(const std::string& kind) const {
    const auto text = engine_->metrics();
    const auto name = "troupe_actor_restarts_total{kind=\"" + kind + "\"} ";
    const auto at = text.find(name);
    return at == std::string::npos ? 0 : std::stoull(text.substr(at + name.size()));
  }

  std::int64_t counted(const std::string& who) const {
    const auto reply = redis_.raw({"GET", "views:" + who});
    const auto line = reply.find("\r\n");
    if (reply.starts_with("$-1") || line == std::string::npos) return 0;
    return std::stoll(reply.substr(line + 2));
  }
  std::int64_t counted_in_all() const {
    std::int64_t sum = 0;
    for (int k = 0; k < keys; ++k)
      sum += counted("k" + std::to_string(k));
    return sum;
  }

  /// Events are handled, counted and made up: everything moves.
  void expect_progress(const std::string& when) {
    const auto handled = effects_.handled();
    const auto sum = counted_in_all();
    const auto made = made_->records().size();
    EXPECT_TRUE(eventually(patience, [&] { return effects_.handled() > handled + 20; }))
        << "nothing is handled " << when;
    EXPECT_TRUE(eventually(patience, [&] { return counted_in_all() > sum + 20; }))
        << "nothing is counted " << when;
    EXPECT_TRUE(made_->read_until([&](const auto& all) { return all.size() > made + 6; }, patience))
        << "nothing is made up " << when;
  }

  /// Order kept per key, one call at a time.
  void expect_order() const {
    std::map<std::string, std::vector<effects::entry>> calls;
    for (auto& e : effects_.all())
      calls[e.key].push_back(std::move(e));
    for (auto& [key, all] : calls) {
      std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.start < b.start; });
      std::int64_t newest = -1;
      std::set<place> seen;
      for (std::size_t i = 0; i < all.size(); ++i) {
        if (i > 0) {
          EXPECT_GE(all[i].start, all[i - 1].end)
              << key << ": the calls for offsets " << all[i - 1].where.second << " and "
              << all[i].where.second << " overlap";
        }
        if (all[i].result == verdict::transient || !seen.insert(all[i].where).second) continue;
        EXPECT_GT(all[i].where.second, newest) << key << ": out of order";
        newest = all[i].where.second;
      }
    }
  }

  void TearDown() override {
    enough_ = true;
    if (load_.joinable()) load_.join();
    engine_.reset();
  }

  milliseconds call_takes_{2}, first_calls_take_{2}, revoke_{3000};
  std::string linger_ = "5";
  std::atomic<int> begun_{0};
  support::redis_server redis_;
  std::string topic_ = unique("events"), out_ = unique("out"), made_up_ = unique("made");
  effects effects_;
  handlers handlers_;
  std::atomic<int> ended_{-1};
  std::unique_ptr<runtime> engine_;
  std::unique_ptr<topic_log> made_;
  std::atomic<bool> enough_{false};
  std::atomic<int> published_{0};
  std::thread load_;
};

class Kills : public Engine, public testing::WithParamInterface<const char*> {};

TEST_P(Kills, BreakNoPromise) {
  const std::string kind = GetParam();
  start();
  if (HasFatalFailure()) return;
  made_ = std::make_unique<topic_log>(engine_->brokers(), made_up_, partitions);
  load_ = std::thread{[this] { publish_until_stopped(); }};
  expect_progress("before the first kill");
  for (std::uint64_t kill = 1; kill <= 3; ++kill) {
    ASSERT_TRUE(eventually(patience, [&] { return engine_->kill_one(kind); })) << "there is no " << kind;
    ASSERT_TRUE(eventually(patience, [&] { return restarts(kind) >= kill; }))
        << "nobody replaced the " << kind;
    expect_progress("after kill " + std::to_string(kill));
    if (HasFailure()) return;
  }
  EXPECT_TRUE(eventually(patience, [&] { return engine_->ready(); })) << "never ready again";
  for (const auto* other : {"conductor", "supervisor", "partition_reader", "worker", "dead_letter_writer",
                            "aggregator", "publisher", "generator", "telemetry"})
    EXPECT_EQ(restarts(other), other == kind ? 3U : 0U) << "restarts of " << other;
  enough_ = true;
  load_.join();

  topic_log input{engine_->brokers(), topic_, partitions};
  ASSERT_TRUE(input.read_to_end(patience));
  ASSERT_GE(static_cast<int>(input.records().size()), published_);
  std::set<place> good, poison;
  std::map<std::string, std::int64_t> by_key;
  for (const auto& e : input.records()) {
    (is_poison(e) ? poison : good).insert({e.partition, e.offset});
    ++by_key[*e.key];
  }
  ASSERT_FALSE(poison.empty());

  // Nothing lost.
  EXPECT_TRUE(eventually(patience, [&] { return effects_.handled() >= good.size(); }));
  EXPECT_EQ(effects_.handled_places(), good);
  topic_log output{engine_->brokers(), out_, partitions};
  EXPECT_TRUE(output.read_until(
      [&](const auto& all) {
        std::set<std::string> values;
        for (const auto& e : all)
          values.insert(*e.value);
        for (const auto& e : input.records())
          if (!is_poison(e) && !values.contains(*e.value)) return false;
        return true;
      },
      patience))
      << "a handled event's own event was not published";

  // Each poison event in the DLQ.
  topic_log dlq{engine_->brokers(), topic_ + ".work.dlq", partitions};
  std::set<place> dead;
  EXPECT_TRUE(dlq.read_until(
      [&](const auto& all) {
        dead.clear();
        for (const auto& e : all)
          dead.insert(
              {std::stoi(header_of(e, "original-partition")), std::stoll(header_of(e, "original-offset"))});
        return dead.size() >= poison.size();
      },
      patience));
  EXPECT_EQ(dead, poison);

  // Nothing counted twice.
  EXPECT_TRUE(eventually(
      patience, [&] { return counted_in_all() >= static_cast<std::int64_t>(input.records().size()); }));
  for (const auto& [who, n] : by_key)
    EXPECT_EQ(counted(who), n) << who;

  expect_order();

  engine_->stop(0);
  EXPECT_TRUE(eventually(patience, [&] { return ended_ != -1; }));
  EXPECT_EQ(ended_, 0);
}

INSTANTIATE_TEST_SUITE_P(Of, Kills,
                         testing::Values("conductor", "supervisor", "partition_reader", "worker",
                                         "dead_letter_writer", "aggregator", "publisher", "generator",
                                         "telemetry"),
                         [](const auto& of) { return std::string{of.param}; });

class LongCalls : public Engine, public testing::WithParamInterface<const char*> {};

TEST_P(LongCalls, KeepTheirKeysWhoeverDiesMeanwhile) {
  const std::string kind = GetParam();
  call_takes_ = 4s; // longer than a new supervisor needs to join, shorter than the deadline
  // The worker that is killed has the last of the first calls: a thread is free long before that call ends.
  first_calls_take_ = kind == "worker" ? 500ms : 4s;
  revoke_ = 50ms; // a reader's death does not wait for them
  start();
  if (HasFatalFailure()) return;
  publish_until_stopped(workers); // an event for each, and none that waits
  ASSERT_TRUE(eventually(patience, [&] { return begun_ == workers; }));
  ASSERT_TRUE(eventually(patience, [&] { return engine_->kill_one(kind); }));
  ASSERT_TRUE(eventually(patience, [&] { return restarts(kind) == 1; }));
  // Nothing of it was committed: every call that died with the actor is made again.
  const int again = kind == "worker" ? 1 : workers;
  EXPECT_TRUE(eventually(patience, [&] { return begun_ >= workers + again; }));
  EXPECT_TRUE(
      eventually(patience, [&] { return effects_.all().size() == static_cast<std::size_t>(begun_); }));
  EXPECT_EQ(effects_.handled(), static_cast<std::size_t>(workers));
  expect_order();
}

INSTANTIATE_TEST_SUITE_P(Of, LongCalls,
                         testing::Values("conductor", "supervisor", "partition_reader", "worker"),
                         [](const auto& of) { return std::string{of.param}; });

TEST_F(Engine, ADeadLetterUnderWayWhenItsWriterDiesHoldsItsKeyNoLongerThanItMust) {
  linger_ = "1000"; // so long is the letter under way
  start();
  if (HasFatalFailure()) return;
  const auto publish = [&](const std::string& kind) {
    outgoing event;
    event.topic = topic_;
    event.key = "k1";
    event.value = "{\"who\":\"k1\",\"kind\":\"" + kind + "\"}";
    return static_cast<bool>(engine_->publish().publish_and_wait(event, 20s));
  };
  ASSERT_TRUE(publish("poison"));
  ASSERT_TRUE(eventually(
      patience, [&] { return engine_->metrics().find("result=\"dlq\"} 1\n") != std::string::npos; }));
  ASSERT_TRUE(engine_->kill_one("dead_letter_writer"));
  ASSERT_TRUE(eventually(patience, [&] { return restarts("dead_letter_writer") == 1; }));
  ASSERT_TRUE(publish("plain"));
  EXPECT_TRUE(eventually(patience, [&] { return effects_.handled() == 1; })) << "the key is held for good";
  topic_log dlq{engine_->brokers(), topic_ + ".work.dlq", partitions};
  EXPECT_TRUE(dlq.read_until([](const auto& all) { return !all.empty(); }, patience));
}

/// A port that was free a moment ago.
std::string free_port() {
  const int probe = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  EXPECT_EQ(::bind(probe, reinterpret_cast<const sockaddr*>(&at), size), 0);
  EXPECT_EQ(::getsockname(probe, reinterpret_cast<sockaddr*>(&at), &size), 0);
  ::close(probe);
  return std::to_string(ntohs(at.sin_port));
}

TEST(Ingest, WhatItAcceptedIsThereHoweverOftenItDies) {
  config::settings s;
  s.app = "ingest";
  s.kafka.brokers = "embedded";
  s.admin_listen.clear();
  config::ingest_actor door;
  door.method = "POST";
  door.path = "/events";
  door.listen = "127.0.0.1:" + free_port();
  door.topic = unique("asked");
  s.actors.push_back({"door", door, "here:1", {}});
  const handlers none;
  auto started = runtime::start(s, none, {}, [](int) {});
  ASSERT_TRUE(started) << started.failure().detail;
  const auto engine = std::move(started).value();
  ASSERT_TRUE(eventually(patience, [&] { return engine->ready(); }));

  std::mutex lock;
  std::set<std::string> accepted;
  std::atomic<bool> enough{false};
  std::atomic<int> unanswered{0};
  http::client client;
  std::thread asker{[&] {
    for (int n = 0; !enough; ++n) {
      const auto body = "{\"n\":" + std::to_string(n) + "}";
      std::promise<int> status;
      client.send(
          {.to = http::parse_url("http://" + door.listen + "/events").value(), .headers = {}, .body = body},
          20s, [&](auto got) {
            const auto* answer = std::get_if<http::answer>(&got);
            status.set_value(answer ? answer->status : 0);
          });
      const auto told = status.get_future().get();
      const std::lock_guard hold{lock};
      if (told == 202) accepted.insert(body);
      if (told == 0) ++unanswered;
    }
  }};
  const auto count = [&] {
    const std::lock_guard hold{lock};
    return accepted.size();
  };
  for (int kill = 1; kill <= 3; ++kill) {
    const auto before = count();
    EXPECT_TRUE(eventually(patience, [&] { return count() > before + 50; })) << "before kill " << kill;
    ASSERT_TRUE(engine->kill_one("ingest"));
  }
  const auto before = count();
  EXPECT_TRUE(eventually(patience, [&] { return count() > before + 50; })) << "after the kills";
  enough = true;
  asker.join();
  EXPECT_EQ(unanswered, 0);
  EXPECT_NE(engine->metrics().find("troupe_actor_restarts_total{kind=\"ingest\"} 3\n"), std::string::npos);

  topic_log log{engine->brokers(), door.topic, partitions};
  ASSERT_TRUE(log.read_to_end(patience));
  std::set<std::string> written;
  for (const auto& r : log.records())
    written.insert(*r.value);
  for (const auto& body : accepted)
    EXPECT_TRUE(written.contains(body)) << body << " was accepted and is not there";
}

} // namespace
} // namespace troupe::actors

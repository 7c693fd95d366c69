#include "apps/command/online_check.hpp"

#include "apps/command/exit_code.hpp"
#include "engine/kafka/admin.hpp"
#include "engine/redis/client.hpp"

#include <cstdio>

namespace troupe {
namespace {

void complain(const config::actor* of, const std::string& text) {
  if (of)
    std::fprintf(stderr, "%s: actor '%s': %s\n", of->where.c_str(), of->name.c_str(), text.c_str());
  else
    std::fprintf(stderr, "error: %s\n", text.c_str());
}

} // namespace

int check_online(const config::settings& s) {
  if (s.kafka.embedded()) {
    std::fputs("kafka.brokers is embedded: there is no broker to ask\n", stderr);
  } else {
    auto admin =
        kafka::admin::open({s.kafka.brokers, s.kafka.properties, s.kafka.consumer, s.kafka.producer, false});
    if (!admin) {
      complain(nullptr, admin.failure().detail);
      return exit_code::of(admin.failure());
    }
    const auto topics = (*admin)->topics(milliseconds{10'000});
    if (!topics) {
      complain(nullptr, topics.failure().detail);
      return exit_code::unavailable;
    }
    bool missing = false;
    const auto want = [&](const config::actor& a, const std::string& topic, const char* use) {
      if (topics->contains(topic)) return;
      complain(&a, "topic '" + topic + "' (" + use + ") does not exist: create it, or correct its name");
      missing = true;
    };
    for (const auto& a : s.actors) {
      if (const auto* w = std::get_if<config::worker_actor>(&a.kind)) {
        if (!w->consume.is_pattern())
          for (const auto& t : w->consume.topics)
            want(a, t, "consume");
        if (w->publish) want(a, w->publish->topic, "publish");
        if (!w->dlq.create && !w->dlq.topic.empty()) want(a, w->dlq.topic, "dlq, create: false");
      } else if (const auto* c = std::get_if<config::aggregate_actor>(&a.kind)) {
        if (!c->consume.is_pattern())
          for (const auto& t : c->consume.topics)
            want(a, t, "consume");
      } else if (const auto* i = std::get_if<config::ingest_actor>(&a.kind)) {
        want(a, i->topic, "ingest");
      } else {
        want(a, std::get<config::generate_actor>(a.kind).topic, "generate");
      }
    }
    if (missing) return exit_code::check_failed;
  }
  if (!s.needs_redis()) return exit_code::done;
  const auto to = redis::parse_url(s.redis_url);
  if (!to) {
    complain(nullptr, to.failure().detail);
    return exit_code::config;
  }
  const auto client = redis::client::open(*to);
  const auto answer = client->call({{"PING"}, {"CONFIG", "GET", "maxmemory-policy"}});
  if (!answer || answer->front().kind == redis::reply::type::failure) {
    complain(nullptr,
             "Redis at " + to->shown() + ": " + (answer ? answer->front().text : answer.failure().detail));
    return exit_code::unavailable;
  }
  const auto& policy = (*answer)[1];
  if (policy.items.size() == 2 && policy.items[1].text != "noeviction") {
    complain(nullptr, "Redis evicts keys when it is full (maxmemory-policy " + policy.items[1].text +
                          "): counts would vanish; set it to noeviction");
    return exit_code::check_failed;
  }
  return exit_code::done;
}

} // namespace troupe

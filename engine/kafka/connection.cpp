#include "engine/kafka/connection.hpp"

#include "engine/kafka/client_config.hpp"

#include <map>

namespace troupe::kafka {

namespace {

constexpr const char* ledger = "the ledger decides what is committed, and when";
constexpr const char* by_ledger_start = "where to start is decided from what is committed; use consume.start";
constexpr const char* acks_here = "use acks under publish, ingest or generate";
constexpr const char* brokers_here = "use kafka.brokers";
constexpr const char* idempotent = "it follows from acks: all is idempotent, 1 is not";
constexpr const char* txn = "it is <app>.<actor>.<instance>; use guarantee: exactly_once";
constexpr const char* by_engine = "it belongs to the engine itself";
constexpr const char* test_only = "it is for librdkafka's own tests; use kafka.brokers: embedded";

const std::map<std::string, const char*>& promised() {
  static const std::map<std::string, const char*> reasons{
      {"group.id", "the group is the identity of an actor's positions; use consume.group"},
      {"group.instance.id", "processes and actors that share one would throw each other out for ever; use "
                            "consume.static, which makes it <app>.<actor>.<instance>"},
      {"enable.auto.commit", ledger},
      {"auto.commit.enable", ledger},
      {"auto.commit.interval.ms", ledger},
      {"enable.auto.offset.store", ledger},
      {"offset.store.method", ledger},
      {"offset.store.path", ledger},
      {"offset.store.sync.interval.ms", ledger},
      {"auto.offset.reset", by_ledger_start},
      {"isolation.level", "only committed events are read, or a cancelled transaction would be processed"},
      {"partition.assignment.strategy",
       "revocations drain and commit, which needs the eager protocol (range,roundrobin)"},
      {"transactional.id", txn},
      {"transaction.timeout.ms", txn},
      {"enable.idempotence", idempotent},
      {"enable.gapless.guarantee", idempotent},
      {"acks", acks_here},
      {"request.required.acks", acks_here},
      {"partitioner",
       "keys go where Java's murmur2 sends them, or their order would break between producers"},
      {"bootstrap.servers", brokers_here},
      {"metadata.broker.list", brokers_here},
      {"enable.partition.eof", by_engine},
      {"log.queue", by_engine},
      {"enabled_events", by_engine},
      {"opaque", by_engine},
      {"interceptors", by_engine},
      {"default_topic_conf", by_engine},
      {"delivery.report.only.error", "every event's report is awaited"},
      {"message.timeout.ms", "use timeout beside acks"},
      {"delivery.timeout.ms", "use timeout beside acks"},
      {"queue.buffering.backpressure.threshold", by_engine},
      {"test.mock.num.brokers", test_only},
      {"test.mock.broker.rtt", test_only},
  };
  return reasons;
}

} // namespace

std::string library_version() {
  return rd_kafka_version_str();
}

result<void> check_property(const std::string& section, const std::string& name, const std::string& value) {
  if (const auto found = promised().find(name); found != promised().end())
    return error{errc::bad_config, name + " cannot be set here: " + found->second};
  if (name.ends_with("_cb"))
    return error{errc::bad_config, name + " cannot be set here: it is a function, not a value"};

  conf_ptr conf{rd_kafka_conf_new()};
  if (auto tried = set_property(conf.get(), name, value); !tried) return tried;

  const auto scope = scope_of(name);
  if (section == "producer" && scope && !scope->producer)
    return error{errc::bad_config, name + " is a consumer's property; a producer does not heed it"};
  if (section == "consumer" && scope && !scope->consumer)
    return error{errc::bad_config, name + " is a producer's property; a consumer does not heed it"};
  return {};
}

} // namespace troupe::kafka

#pragma once

#include "engine/policy/backoff.hpp"
#include "engine/policy/breaker.hpp"
#include "engine/policy/flood_brake.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

/// The configuration as the engine sees it: checked, defaults filled in, secrets resolved.
namespace troupe::config {

using std::chrono::milliseconds;

enum class order_by { key, partition, none };
enum class start_at { earliest, latest };
enum class acks { all, one };
enum class guarantee { at_least_once, exactly_once };

using properties = std::map<std::string, std::string>;

using retry = policy::retry_rules;
using breaker = policy::breaker_rules;
using flood = policy::flood_rules;

struct dlq {
  std::string topic; ///< empty: <source topic>.<actor>.dlq, one per source topic
  bool create = true;
  config::flood flood;
  friend bool operator==(const dlq&, const dlq&) = default;
};

struct pool {
  unsigned workers = 8;
  unsigned max_workers = 32; ///< where not written: the larger of 32 and workers
  unsigned mailbox = 1024;
  config::order_by order_by = order_by::key;
  friend bool operator==(const pool&, const pool&) = default;
};

struct publish {
  std::string topic;
  std::string key; ///< JSON pointer into the published event; empty: none
  config::acks acks = acks::all;
  milliseconds timeout{10'000};
  friend bool operator==(const publish&, const publish&) = default;
};

struct consume {
  std::vector<std::string> topics; ///< names; or one pattern that starts with ^
  std::string group;
  start_at start = start_at::earliest;
  bool is_static = false; ///< keeps its seat in the group while the process is started again
  unsigned window = 4096; ///< events admitted per partition beyond the last acknowledged commit
  std::size_t window_bytes = std::size_t{16} << 20;
  [[nodiscard]] bool is_pattern() const { return !topics.empty() && topics.front().starts_with('^'); }
  friend bool operator==(const consume&, const consume&) = default;
};

struct named_handler {
  std::string name;
  friend bool operator==(const named_handler&, const named_handler&) = default;
};
struct http_handler {
  std::string url;
  friend bool operator==(const http_handler&, const http_handler&) = default;
};
struct simulate_handler {
  milliseconds latency{0};
  double fail = 0;      ///< share of calls that fail transiently
  double permanent = 0; ///< share of events that fail permanently
  friend bool operator==(const simulate_handler&, const simulate_handler&) = default;
};
using handler = std::variant<named_handler, http_handler, simulate_handler>;

/// Kafka in, a bounded worker pool.
struct worker_actor {
  config::consume consume;
  config::handler handler;
  config::pool pool;
  milliseconds deadline{5000};
  config::retry retry;
  config::breaker breaker;
  config::dlq dlq;
  std::optional<config::publish> publish;
  config::guarantee guarantee = guarantee::at_least_once;
  std::map<std::string, std::string> settings; ///< for the handler to read; may hold secrets
  friend bool operator==(const worker_actor&, const worker_actor&) = default;
};

struct per_minute {
  std::string into; ///< key with {minute}
  milliseconds keep{std::chrono::hours{48}};
  friend bool operator==(const per_minute&, const per_minute&) = default;
};

/// Kafka in, counts in Redis.
struct aggregate_actor {
  config::consume consume;
  std::vector<std::pair<std::string, std::string>> where; ///< JSON pointer, value as text; all must match
  std::string count_by;                                   ///< JSON pointer
  std::string into;                                       ///< key with {value}
  std::optional<config::per_minute> per_minute;
  std::string event_time; ///< JSON pointer; empty: the record's timestamp
  milliseconds flush_every{5000};
  unsigned flush_max_keys = 10'000;
  friend bool operator==(const aggregate_actor&, const aggregate_actor&) = default;
};

/// Events made up.
struct generate_actor {
  std::string topic;
  std::string key;              ///< empty: none
  std::optional<unsigned> keys; ///< N: one event each for device-1 … device-N at every tick
  std::string value;
  milliseconds every{500};
  config::acks acks = acks::all;
  milliseconds timeout{10'000};
  friend bool operator==(const generate_actor&, const generate_actor&) = default;
};

struct ingest_limits {
  std::size_t body = std::size_t{1} << 20;
  std::size_t headers = std::size_t{8} << 10;
  milliseconds read{10'000};
  milliseconds idle{75'000};
  unsigned connections = 10'000;
  friend bool operator==(const ingest_limits&, const ingest_limits&) = default;
};

/// HTTP in, Kafka out.
struct ingest_actor {
  std::string method, path;
  std::string listen;
  std::string topic;
  std::string key_header; ///< header:NAME; empty: none
  std::string key;        ///< or a JSON pointer; empty: none
  config::acks acks = acks::all;
  milliseconds timeout{10'000};
  std::vector<std::pair<std::string, std::string>> require; ///< JSON pointer, type
  std::string stamp;                                        ///< JSON pointer; empty: none
  bool batch = false;
  std::string cors; ///< the origin that browsers may send from; empty: none
  unsigned respond = 202;
  ingest_limits limits;
  std::string handler;                         ///< of the program, by name; empty: the body is the event
  milliseconds deadline{5000};                 ///< of a call of the handler
  std::map<std::string, std::string> settings; ///< for the handler to read; may hold secrets
  friend bool operator==(const ingest_actor&, const ingest_actor&) = default;
};

using actor_kind = std::variant<worker_actor, aggregate_actor, generate_actor, ingest_actor>;

struct actor {
  std::string name;
  actor_kind kind;
  std::string where; ///< file:line of its name in the config
  std::string text;  ///< its lines in the file, passwords blanked
};

struct dashboard {
  std::string listen = "127.0.0.1:8088";
  bool in_run = false; ///< `troupe run` has one
  milliseconds interval{1000};
  std::vector<std::string> hosts;               ///< further names, maybe with a port
  bool asks_who = false;                        ///< people log in
  std::map<std::string, std::string> operators; ///< name, encoded hash of the password
  std::map<std::string, std::string> viewers;
  friend bool operator==(const dashboard&, const dashboard&) = default;
};

struct kafka {
  std::string brokers = "localhost:9092"; ///< comma-separated; `embedded` starts the demo's own
  config::properties properties, consumer, producer;
  [[nodiscard]] bool embedded() const { return brokers == "embedded"; }
  friend bool operator==(const kafka&, const kafka&) = default;
};

struct settings {
  std::string app;
  config::kafka kafka;
  std::string redis_url;                       ///< with its secrets: never print it
  bool names_redis = false;                    ///< the config has a section `redis`
  std::string admin_listen = "127.0.0.1:9090"; ///< empty: none
  config::dashboard dashboard;
  milliseconds shutdown_deadline{10'000};
  milliseconds shutdown_revoke{3000};
  std::string instance;           ///< this process among those of the app; empty: the host's name and a slot
  std::string state;              ///< folder for what outlives a crash; empty: none
  std::size_t memory_limit = 0;   ///< bytes; 0: none
  std::string log_level = "info"; ///< debug, info, warning or error
  std::vector<actor> actors;      ///< in the order of the files
  std::string digest;             ///< of the files' text: whether two processes run the same

  [[nodiscard]] bool needs_redis() const {
    for (const auto& a : actors)
      if (std::holds_alternative<aggregate_actor>(a.kind)) return true;
    return false;
  }
};

/// <source topic>.<actor>.dlq, where the config names none.
std::string default_dlq(const std::string& topic, const std::string& actor);
/// Every topic that an actor reads or writes, dead letters included; what a pattern stands for is not known.
std::vector<std::string> topics_of(const settings& s);

} // namespace troupe::config

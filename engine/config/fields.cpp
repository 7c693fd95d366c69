#include "engine/config/fields.hpp"

#include <algorithm>
#include <array>

namespace troupe::config {
namespace {

constexpr double second = 1000, minute = 60 * second, hour = 60 * minute, day = 24 * hour;
constexpr double kib = 1024, mib = 1024 * kib, gib = 1024 * mib;
constexpr std::uint8_t consumes = handles | aggregates;
constexpr std::uint8_t calls = ingests | handles;

using t = type;

/// A row of the table, with what is not the rule said by name.
class row {
public:
  constexpr row(std::string_view in, std::string_view called, type kind, std::string_view says)
      : made_{in, called, kind} {
    made_.sentence = says;
  }
  constexpr row& or_else(std::string_view value) { return made_.fallback = value, *this; }
  constexpr row& within(double least, double most) { return made_.low = least, made_.high = most, *this; }
  constexpr row& among(std::string_view words) { return made_.choices = words, *this; }
  constexpr row& of(std::uint8_t which) { return made_.fits = which, *this; }
  constexpr row& must() { return made_.needed = true, *this; }
  constexpr row& hidden() { return made_.secret = true, *this; }
  constexpr row& reloads() { return made_.live = true, *this; }
  constexpr operator field() const { return made_; }

private:
  field made_;
};

constexpr field table[]{
    row("", "version", t::count, "Version of this grammar: 1.").within(1, 1).must(),
    row("", "app", t::name, "Prefix of this app's operational Redis keys.").must(),
    row("", "kafka", t::section, "Where Kafka is."),
    row("", "redis", t::section,
        "Where Redis is. Aggregates need it; where it is written, handlers reach it, ingests keep their "
        "idempotency keys there, and processes tell of themselves (troupe status)."),
    row("", "admin", t::section, "The address for metrics, health and control."),
    row("", "dashboard", t::section, "The live dashboard, of this process alone or of `troupe web`."),
    row("", "shutdown", t::section, "How long a clean stop may take."),
    row("", "log", t::section, "What is logged."),
    row("", "limits", t::section, "Limits of the whole process."),
    row("", "state", t::text,
        "Folder where a process keeps what must outlive its crash: an event whose handler killed it three "
        "times goes to the dead-letter topic. Shared by the app's processes on a host, and on a disk of it."),
    row("", "instance", t::name,
        "Name of this process among those of the app, the same when it is started again. Otherwise the "
        "host's name and a number."),
    row("", "defaults", t::section, "Any key of an actor, merged under each actor that it fits."),
    row("", "actors", t::actors,
        "The actors by name. One key among ingest, handler, aggregate and generate says an actor's kind.")
        .must(),

    row("kafka", "brokers", t::brokers,
        "Addresses, a list or one string with commas; `embedded` starts the demo's own broker.")
        .or_else("localhost:9092"),
    row("kafka", "properties", t::client_properties,
        "Any librdkafka property (TLS, SASL, …), for all clients. Wins over Troupe's own, but for those "
        "that a promise stands on."),
    row("kafka", "consumer", t::client_properties, "The same, for consumers only."),
    row("kafka", "producer", t::client_properties, "The same, for producers only."),
    row("redis", "url", t::redis_url, "redis://user:password@host:port/database; rediss:// for TLS.")
        .or_else("redis://localhost:6379/0")
        .hidden(),
    row("admin", "listen", t::listen,
        "Address of /metrics, /livez, /readyz and control; port 0 takes a free one, \"\" none at all.")
        .or_else("127.0.0.1:9090"),
    row("dashboard", "listen", t::listen,
        "Address of the dashboard. `troupe run` has one where this is written, `\"\"` is none; port 0 takes "
        "a "
        "free one. Without `auth`, who asks on any other address than this host's own can only look, and "
        "sees "
        "no payloads.")
        .or_else("127.0.0.1:8088"),
    row("dashboard", "interval", t::duration, "How often it reads Redis and tells the browsers.")
        .or_else("1s")
        .within(250, minute),
    row("dashboard", "hosts", t::hosts,
        "Further names it answers to, such as a reverse proxy's: `troupe.example.com`, with the port where "
        "browsers show one."),
    row("dashboard", "auth", t::section, "Who may log in. Where it is written, everybody has to.").hidden(),
    row("dashboard.auth", "operators", t::accounts,
        "Who may look and act: names and hashes that `troupe web --hash-password` prints.")
        .hidden(),
    row("dashboard.auth", "viewers", t::accounts, "The same for who may only look.").hidden(),
    row("shutdown", "deadline", t::duration, "A clean stop ends within it; past it the exit code is 75.")
        .or_else("10s")
        .within(100, hour),
    row("shutdown", "revoke", t::duration,
        "How long running events may take when their partition is revoked; then they are abandoned.")
        .or_else("3s")
        .within(0, hour),
    row("log", "level", t::choice, "The least that is logged.")
        .or_else("info")
        .among("debug|info|warning|error")
        .reloads(),
    row("limits", "memory", t::size,
        "Resident memory; a process that holds more drains and exits with 70, to be started again.")
        .within(16 * mib, 1024 * gib),

    row("actor", "ingest", t::section, "HTTP in, Kafka out.").of(ingests),
    row("actor", "consume", t::section, "What is read from Kafka.").of(consumes),
    row("actor", "handler", t::call,
        "What is called for each event: a registered name, `{ http: URL }`, or `{ simulate: { … } }`.")
        .of(calls),
    row("actor", "settings", t::settings,
        "What the handler reads by context.setting(name): words of its own, which it checks itself.")
        .of(calls),
    row("actor", "aggregate", t::section, "Counts in Redis, exactly once.").of(aggregates),
    row("actor", "generate", t::section, "Events made up, for demos and load.").of(generates),
    row("actor", "pool", t::section, "The workers, and what waits for them.").of(handles),
    row("actor", "deadline", t::duration, "How long one call of the handler may take.")
        .or_else("5s")
        .within(1, day)
        .of(calls)
        .reloads(),
    row("actor", "retry", t::section, "What happens to a transient failure.").of(handles).reloads(),
    row("actor", "breaker", t::section, "When the pool pauses because too much fails.").of(handles).reloads(),
    row("actor", "dlq", t::section, "Where events go that cannot be processed.").of(handles),
    row("actor", "publish", t::section, "Where the handler's events go.").of(handles),
    row("actor", "guarantee", t::choice,
        "What is promised of the events that the handler publishes: exactly_once commits them, dead "
        "letters and the input's offsets in one Kafka transaction.")
        .or_else("at_least_once")
        .among("at_least_once|exactly_once")
        .of(handles),

    row("actor.ingest", "route", t::route, "Method and path: `POST /checkout`.").must(),
    row("actor.ingest", "listen", t::listen, "Address of the HTTP server.").must(),
    row("actor.ingest", "topic", t::topic, "The topic that events go to.").must(),
    row("actor.ingest", "key", t::ingest_key,
        "`header:NAME`, or a JSON pointer into the body; without it events are spread over the partitions."),
    row("actor.ingest", "acks", t::choice, "Who must have an event before it counts.")
        .or_else("all")
        .among("all|1"),
    row("actor.ingest", "timeout", t::duration, "How long the broker may take.")
        .or_else("10s")
        .within(10, hour),
    row("actor.ingest", "require", t::shapes,
        "JSON pointers and the type that must stand there; a violation answers 400."),
    row("actor.ingest", "stamp", t::pointer, "Where the server writes the time it took the event."),
    row("actor.ingest", "batch", t::boolean, "Takes arrays and NDJSON too, all or nothing.").or_else("false"),
    row("actor.ingest", "cors", t::text, "The origin that browsers may send from; `*` is any."),
    row("actor.ingest", "respond", t::count, "The status of an accepted request.")
        .or_else("202")
        .within(200, 299),
    row("actor.ingest", "limits", t::section, "What a client may ask for."),
    row("actor.ingest.limits", "body", t::size, "The largest body.").or_else("1MiB").within(1, gib),
    row("actor.ingest.limits", "headers", t::size, "The largest head of a request.")
        .or_else("8KiB")
        .within(256, mib),
    row("actor.ingest.limits", "read", t::duration, "How long a request may take to arrive.")
        .or_else("10s")
        .within(1, hour),
    row("actor.ingest.limits", "idle", t::duration, "How long a connection may be silent.")
        .or_else("75s")
        .within(1, day),
    row("actor.ingest.limits", "connections", t::count, "The most at a time.")
        .or_else("10000")
        .within(1, 1'000'000),

    row("actor.consume", "topic", t::topics,
        "A topic, a list of topics, or a pattern that starts with ^ (POSIX extended).")
        .must(),
    row("actor.consume", "group", t::group, "The consumer group.").must(),
    row("actor.consume", "start", t::choice, "Where reading starts where the group has no position yet.")
        .or_else("earliest")
        .among("earliest|latest"),
    row("actor.consume", "static", t::boolean,
        "Keeps its seat in the group while it is started again: no rebalance, no wait for the session's end. "
        "One that is stopped for good holds its partitions until then.")
        .or_else("false"),
    row("actor.consume", "window", t::count,
        "Events admitted per partition beyond the last acknowledged commit: the most a crash redelivers.")
        .or_else("4096")
        .within(1, 1'000'000),
    row("actor.consume", "window_bytes", t::size, "The same in bytes.")
        .or_else("16MiB")
        .within(kib, 64 * gib),

    row("actor.handler", "http", t::http_url, "Events are posted to this URL.").hidden(),
    row("actor.handler", "simulate", t::section, "No work at all, for trials and load."),
    row("actor.handler.simulate", "latency", t::duration, "How long a call takes.")
        .or_else("0ms")
        .within(0, hour),
    row("actor.handler.simulate", "fail", t::ratio, "Share of the calls that fail transiently.")
        .or_else("0%")
        .within(0, 1),
    row("actor.handler.simulate", "permanent", t::ratio, "Share of the events that fail permanently.")
        .or_else("0%")
        .within(0, 1),

    row("actor.pool", "workers", t::count, "Events processed at a time.")
        .or_else("8")
        .within(1, 10'000)
        .reloads(),
    row("actor.pool", "max_workers", t::count,
        "The most threads while hanging calls are substituted; the larger of 32 and workers where not "
        "written.")
        .or_else("32")
        .within(1, 10'000),
    row("actor.pool", "mailbox", t::count, "Runnable events that may wait.")
        .or_else("1024")
        .within(1, 1'000'000),
    row("actor.pool", "order_by", t::choice, "What is processed in order, one event at a time.")
        .or_else("key")
        .among("key|partition|none"),

    row("actor.retry", "attempts", t::count, "Calls, the first included; afterwards the dead-letter topic.")
        .or_else("5")
        .within(1, 1000)
        .reloads(),
    row("actor.retry", "backoff", t::choice, "How the wait grows with the attempts.")
        .or_else("quadratic")
        .among("constant|linear|quadratic|exponential")
        .reloads(),
    row("actor.retry", "initial", t::duration, "The wait after the first call.")
        .or_else("1s")
        .within(1, day)
        .reloads(),
    row("actor.retry", "max", t::duration, "The longest wait.").or_else("1m").within(1, day).reloads(),
    row("actor.retry", "jitter", t::ratio, "Share of the wait that is random.")
        .or_else("0.2")
        .within(0, 1)
        .reloads(),

    row("actor.breaker", "failure_ratio", t::ratio, "Share of failures that opens the breaker.")
        .or_else("0.5")
        .within(0.001, 1)
        .reloads(),
    row("actor.breaker", "over", t::count, "Outcomes looked at.").or_else("20").within(1, 100'000).reloads(),
    row("actor.breaker", "open_for", t::duration, "The time between probes.")
        .or_else("10s")
        .within(1, day)
        .reloads(),

    row("actor.dlq", "topic", t::topic,
        "The dead-letter topic; `<topic>.<actor>.dlq` where not written, one for each source topic."),
    row("actor.dlq", "create", t::boolean, "Whether a missing dead-letter topic is created.").or_else("true"),
    row("actor.dlq", "flood", t::section, "When too many dead letters open the breaker.").reloads(),
    row("actor.dlq.flood", "ratio", t::ratio, "Share of dead letters among the last 200 outcomes.")
        .or_else("0.2")
        .within(0.001, 1)
        .reloads(),
    row("actor.dlq.flood", "run", t::count, "Dead letters in a row.")
        .or_else("50")
        .within(1, 1'000'000)
        .reloads(),

    row("actor.publish", "topic", t::topic, "The topic that events go to.").must(),
    row("actor.publish", "key", t::pointer,
        "JSON pointer into the published event; without it events are spread over the partitions."),
    row("actor.publish", "acks", t::choice, "Who must have an event before it counts.")
        .or_else("all")
        .among("all|1"),
    row("actor.publish", "timeout", t::duration, "How long the broker may take.")
        .or_else("10s")
        .within(10, hour),

    row("actor.aggregate", "where", t::conditions, "JSON pointers and their values; all must match."),
    row("actor.aggregate", "count_by", t::pointer, "JSON pointer to the value that is counted.").must(),
    row("actor.aggregate", "into", t::counted, "The Redis key of a count, with {value}.").must(),
    row("actor.aggregate", "per_minute", t::section, "Counts per minute of event time, as sorted sets."),
    row("actor.aggregate", "event_time", t::pointer,
        "JSON pointer to the time of the event (RFC 3339); the record's timestamp where not written."),
    row("actor.aggregate", "flush", t::section, "When counts go to Redis.").reloads(),
    row("actor.aggregate.per_minute", "into", t::by_minute,
        "The Redis key of a minute's sorted set, with {minute}.")
        .must(),
    row("actor.aggregate.per_minute", "keep", t::duration, "How long a minute is kept.")
        .or_else("48h")
        .within(minute, 36'500 * day),
    row("actor.aggregate.flush", "every", t::duration, "The longest wait.")
        .or_else("5s")
        .within(10, day)
        .reloads(),
    row("actor.aggregate.flush", "max_keys", t::count,
        "So many different keys are flushed at once, whatever the time.")
        .or_else("10000")
        .within(1, 10'000'000)
        .reloads(),

    row("actor.generate", "topic", t::topic, "The topic that events go to.").must(),
    row("actor.generate", "key", t::text, "The key of each event."),
    row("actor.generate", "keys", t::count,
        "N: one event each for device-1 to device-N, instead of one for `key`.")
        .within(1, 1'000'000),
    row("actor.generate", "value", t::text, "The value of each event.").must(),
    row("actor.generate", "every", t::duration, "The time between events.").or_else("500ms").within(1, day),
    row("actor.generate", "acks", t::choice, "Who must have an event before it counts.")
        .or_else("all")
        .among("all|1"),
    row("actor.generate", "timeout", t::duration, "How long the broker may take.")
        .or_else("10s")
        .within(10, hour),
};

} // namespace

std::span<const field> fields() {
  return table;
}

const field* find_field(std::string_view section, std::string_view name) {
  const auto found = std::find_if(std::begin(table), std::end(table),
                                  [&](const field& f) { return f.section == section && f.name == name; });
  return found == std::end(table) ? nullptr : found;
}

std::vector<const field*> fields_of(std::string_view section) {
  std::vector<const field*> all;
  for (const auto& f : table)
    if (f.section == section) all.push_back(&f);
  return all;
}

std::string section_of(const field& f) {
  if (f.name == "defaults") return "actor";
  return f.section.empty() ? std::string{f.name} : std::string{f.section} + "." + std::string{f.name};
}

std::vector<std::string_view> choices_of(const field& f) {
  std::vector<std::string_view> all;
  for (auto rest = f.choices; !rest.empty();) {
    const auto bar = rest.find('|');
    all.push_back(rest.substr(0, bar));
    rest = bar == rest.npos ? std::string_view{} : rest.substr(bar + 1);
  }
  return all;
}

std::string_view kind_name(kinds k) {
  switch (k) {
  case ingests:
    return "ingest";
  case handles:
    return "handler";
  case aggregates:
    return "aggregate";
  case generates:
    return "generate";
  case all_kinds:
    break;
  }
  return "actor";
}

std::string_view type_name(type kind) {
  static constexpr std::array<std::string_view, 29> names{"map",
                                                          "map of actors",
                                                          "name or map",
                                                          "text",
                                                          "name",
                                                          "number",
                                                          "duration",
                                                          "size",
                                                          "ratio",
                                                          "true or false",
                                                          "choice",
                                                          "topic",
                                                          "topics",
                                                          "names",
                                                          "group",
                                                          "JSON pointer",
                                                          "key",
                                                          "text",
                                                          "text",
                                                          "host:port",
                                                          "addresses",
                                                          "URL",
                                                          "URL",
                                                          "route",
                                                          "map of scalars",
                                                          "map of scalars",
                                                          "map of scalars",
                                                          "map of types",
                                                          "map of hashes"};
  return names[static_cast<std::size_t>(kind)];
}

} // namespace troupe::config

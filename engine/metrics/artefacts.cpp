#include "engine/metrics/artefacts.hpp"

#include "engine/metrics/catalogue.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::metrics {
namespace {

using tree = nlohmann::ordered_json;

constexpr int columns = 24, width = 8, height = 7;

/// What an operator asks first comes first; a metric belongs to the first row that its name has a word of.
struct row {
  std::string_view title;
  std::vector<std::string_view> words; ///< none: what is left
};
const std::vector<row>& rows() {
  static const std::vector<row> all{
      {"Are we behind", {"lag_", "event_age", "backpressure", "lost_offsets"}},
      {"Handlers", {"attempts", "retries", "process_duration", "pool_", "mailbox", "hung", "breaker"}},
      {"Dead letters", {"dlq"}},
      {"Kafka", {"messaging_", "rebalances", "commits", "assigned", "transaction", "redelivered"}},
      {"Counts and Redis", {"counted", "skewed", "page_views", "redis"}},
      {"HTTP", {"ingest", "web_"}},
      {"Processes", {}},
  };
  return all;
}

bool belongs(const row& to, std::string_view name) {
  if (to.words.empty()) return true;
  for (const auto word : to.words)
    if (name.find(word) != std::string_view::npos) return true;
  return false;
}

std::string unit_of(std::string_view name) {
  if (name == "process_start_time_seconds") return "dateTimeFromNow";
  if (name.ends_with("_cpu_seconds_total")) return "percentunit";
  if (name.ends_with("_seconds")) return "s";
  if (name.ends_with("_bytes")) return "bytes";
  return name.ends_with("_total") ? "ops" : "short";
}

tree target(const std::string& expression, const std::string& legend, char id) {
  return {{"expr", expression}, {"legendFormat", legend}, {"refId", std::string(1, id)}};
}

tree targets_of(const catalogue_entry& entry) {
  const std::string name{entry.name};
  const std::string of = "{job=~\"$job\"}";
  switch (entry.type) {
  case metric_type::counter:
    return {target("sum without (instance, pod) (rate(" + name + of + "[$__rate_interval]))", "__auto", 'A')};
  case metric_type::gauge:
    return {target(name + of, "__auto", 'A')};
  case metric_type::histogram: {
    const auto quantile = [&](const char* q) {
      return "histogram_quantile(" + std::string{q} + ", sum without (instance, pod) (rate(" + name +
             "_bucket" + of + "[$__rate_interval])))";
    };
    return {target(quantile("0.5"), "p50 {{actor}}{{messaging_consumer_group_name}}", 'A'),
            target(quantile("0.99"), "p99 {{actor}}{{messaging_consumer_group_name}}", 'B')};
  }
  }
  return tree::array();
}

tree panel_of(const catalogue_entry& entry, int id, int x, int y) {
  return {
      {"id", id},
      {"type", "timeseries"},
      {"title", std::string{entry.name}},
      {"description", std::string{entry.help}},
      {"datasource", {{"type", "prometheus"}, {"uid", "${datasource}"}}},
      {"gridPos", {{"h", height}, {"w", width}, {"x", x}, {"y", y}}},
      {"fieldConfig",
       {{"defaults", {{"unit", unit_of(entry.name)}, {"min", 0}}}, {"overrides", tree::array()}}},
      {"options",
       {{"legend", {{"displayMode", "list"}, {"placement", "bottom"}}}, {"tooltip", {{"mode", "multi"}}}}},
      {"targets", targets_of(entry)}};
}

tree panels() {
  tree all = tree::array();
  std::vector<bool> placed(catalogue().size(), false);
  int id = 0, y = 0;
  for (const auto& r : rows()) {
    all.push_back({{"id", ++id},
                   {"type", "row"},
                   {"title", std::string{r.title}},
                   {"collapsed", false},
                   {"gridPos", {{"h", 1}, {"w", columns}, {"x", 0}, {"y", y++}}},
                   {"panels", tree::array()}});
    int x = 0;
    for (std::size_t i = 0; i < catalogue().size(); ++i) {
      const auto& entry = catalogue()[i];
      if (placed[i] || !belongs(r, entry.name)) continue;
      placed[i] = true;
      all.push_back(panel_of(entry, ++id, x, y));
      x += width;
      if (x < columns) continue;
      x = 0;
      y += height;
    }
    if (x > 0) y += height;
  }
  return all;
}

struct alert {
  const char *name, *expression, *lasts, *severity, *summary;
};

// What somebody has to do something about, and nothing else.
constexpr std::array alerts{
    alert{"TroupeEventsLost", "increase(troupe_lost_offsets_total[15m]) > 0", "0m", "critical",
          "{{ $labels.group }} lost {{ $value }} events of {{ $labels.topic }}: retention or a recreated "
          "topic took "
          "them before they were read"},
    alert{"TroupeBehind", "max by (group, topic) (troupe_consumer_lag_seconds) > 300", "5m", "warning",
          "{{ $labels.group }} is {{ $value | humanizeDuration }} behind in {{ $labels.topic }}"},
    alert{"TroupeDeadLetters", "sum by (actor, error_type) (increase(troupe_dlq_messages_total[15m])) > 0",
          "0m", "warning",
          "{{ $labels.actor }} wrote dead letters ({{ $labels.error_type }}): troupe dlq ls"},
    alert{"TroupeBreakerOpen", "max by (actor) (troupe_breaker_open) > 0", "5m", "warning",
          "the breaker of {{ $labels.actor }} is open: its downstream is out, or most of its events fail"},
    alert{"TroupeHandlersHang", "sum by (actor) (troupe_hung_handlers) > 0", "1m", "critical",
          "{{ $value }} calls of {{ $labels.actor }} are past their deadline and do not return; past "
          "max_workers the "
          "process ends"},
    alert{"TroupeCommitsFail",
          "sum by (group) (increase(troupe_offset_commits_total{result=\"failed\"}[5m])) > 0", "10m",
          "warning", "commits of {{ $labels.group }} keep failing: a crash would redeliver its windows"},
    alert{"TroupeActorsDie", "sum by (kind) (increase(troupe_actor_restarts_total[15m])) > 0", "0m",
          "warning", "actors of kind {{ $labels.kind }} died and were replaced: see the log for actor_died"},
    alert{"TroupeRedisAway", "min by (instance) (troupe_redis_up) < 1", "1m", "critical",
          "Redis does not answer {{ $labels.instance }}: counting waits, nothing is lost"},
    alert{"TroupeUncounted", "sum by (actor, reason) (increase(troupe_uncounted_events_total[15m])) > 0",
          "0m", "warning", "{{ $labels.actor }} could not count {{ $value }} events ({{ $labels.reason }})"},
    alert{"TroupeMemoryNearLimit",
          "process_resident_memory_bytes / on (instance, job) (troupe_memory_limit_bytes > 0) > 0.9", "5m",
          "warning", "{{ $labels.instance }} is near limits.memory, past which it drains and ends"},
    alert{"TroupeLogLinesDropped", "increase(troupe_log_lines_dropped_total[15m]) > 0", "0m", "warning",
          "{{ $labels.instance }} drops log lines: nobody reads its standard error fast enough"},
};

/// In single quotes, as YAML has them.
std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text)
    out += c == '\'' ? std::string{"''"} : std::string{c};
  return out + '\'';
}

} // namespace

std::string grafana_dashboard() {
  const tree datasource{{"name", "datasource"}, {"type", "datasource"}, {"query", "prometheus"}};
  const tree job{{"name", "job"},
                 {"type", "query"},
                 {"datasource", {{"type", "prometheus"}, {"uid", "${datasource}"}}},
                 {"query", "label_values(troupe_build_info, job)"},
                 {"includeAll", true},
                 {"multi", true},
                 {"refresh", 2}};
  const tree all{{"uid", "troupe"},
                 {"title", "Troupe"},
                 {"schemaVersion", 38},
                 {"editable", true},
                 {"refresh", "10s"},
                 {"time", {{"from", "now-1h"}, {"to", "now"}}},
                 {"templating", {{"list", tree::array({datasource, job})}}},
                 {"panels", panels()}};
  return all.dump(2) + '\n';
}

std::string alert_rules() {
  std::string out = "# Made from the metrics' catalogue: TROUPE_REGENERATE=1 test_metrics\n"
                    "groups:\n  - name: troupe\n    rules:\n";
  for (const auto& a : alerts) {
    out += "      - alert: " + std::string{a.name} + "\n        expr: " + quoted(a.expression) + "\n";
    if (std::string_view{a.lasts} != "0m") out += "        for: " + std::string{a.lasts} + "\n";
    out += "        labels: { severity: " + std::string{a.severity} +
           " }\n        annotations:\n          summary: " + quoted(a.summary) + "\n";
  }
  return out;
}

} // namespace troupe::metrics

#include "engine/metrics/catalogue.hpp"

#include <algorithm>
#include <array>

namespace troupe::metrics {
namespace {

using enum metric_type;

// messaging_*: OpenTelemetry semantic conventions for messaging 1.44 (in development there), translated to
// Prometheus names.
constexpr std::array entries{
    catalogue_entry{"messaging_client_consumed_messages_total", counter,
                    "Messages delivered to the application, each delivery once."},
    catalogue_entry{
        "messaging_client_sent_messages_total", counter,
        "Messages a producer tried to send, by whether the broker acknowledged them (error_type)."},
    catalogue_entry{"messaging_client_operation_duration_seconds", histogram,
                    "Duration of client operations: send, commit."},
    catalogue_entry{"messaging_process_duration_seconds", histogram,
                    "Duration of processing, per call of a handler or per batch of an aggregator."},

    catalogue_entry{
        "troupe_attempts_total", counter,
        "Calls of a handler by result: ok, retry, dlq (dead-lettered after it), drop (filtered)."},
    catalogue_entry{"troupe_retries_total", counter, "Retries scheduled, by the class of the error."},
    catalogue_entry{"troupe_dlq_messages_total", counter,
                    "Dead letters acknowledged by the broker, by the class of the error."},
    catalogue_entry{
        "troupe_dlq_actions_total", counter,
        "Orders about dead letters that the dashboard carried out, by action: replay, discard, edit; "
        "and by result: done, stopped, failed."},
    catalogue_entry{"troupe_counted_events_total", counter, "Events that an aggregator counted."},
    catalogue_entry{"troupe_page_views_total", counter,
                    "Events that were counted by aggregators whose `where` asks for page_view."},
    catalogue_entry{"troupe_uncounted_events_total", counter,
                    "Events that an aggregator did not count, by reason; filtered ones are not among them."},
    catalogue_entry{
        "troupe_skewed_events_total", counter,
        "Events that were counted, though their time is more than 5 minutes ahead of the clock, or "
        "further back than the counts of a minute are kept, by direction."},
    catalogue_entry{"troupe_redelivered_skipped_total", counter,
                    "Events skipped after a restart because the commit's metadata says they are finished."},
    catalogue_entry{"troupe_lost_offsets_total", counter,
                    "Offsets that were gone before they could be read (retention, a recreated topic)."},
    catalogue_entry{"troupe_rebalances_total", counter, "Rebalances of the consumer group seen here."},
    catalogue_entry{"troupe_offset_commits_total", counter, "Offset commits per partition, by result."},
    catalogue_entry{"troupe_transactions_total", counter,
                    "Transactions of an actor with exactly_once, by result: committed, aborted, unknown "
                    "(what the group committed then says which)."},
    catalogue_entry{"troupe_backpressure_pauses_total", counter,
                    "Times a partition was left unread because its window or its pool was full."},
    catalogue_entry{"troupe_config_reloads_total", counter,
                    "Reloads of the configuration, by result: ok, refused."},
    catalogue_entry{"troupe_actor_restarts_total", counter, "Actors that died and were replaced, by kind."},
    catalogue_entry{"troupe_log_lines_dropped_total", counter,
                    "Log lines dropped because standard error did not keep up."},

    catalogue_entry{"troupe_ingest_requests_total", counter, "HTTP requests answered, by actor and status."},
    catalogue_entry{"troupe_pool_workers", gauge, "Workers of the pool by state: busy, idle."},
    catalogue_entry{"troupe_pool_paused", gauge,
                    "1 while the pool starts no calls: an operator paused it, or its breaker is open."},
    catalogue_entry{"troupe_breaker_open", gauge, "1 while the circuit breaker is open or probing."},
    catalogue_entry{"troupe_hung_handlers", gauge, "Calls still running past their deadline."},
    catalogue_entry{"troupe_mailbox_messages", gauge, "Runnable events waiting for a worker."},
    catalogue_entry{"troupe_mailbox_capacity_messages", gauge, "How many runnable events may wait."},
    catalogue_entry{"troupe_consumer_lag_messages", gauge,
                    "Events between the committed position and the end of the partition."},
    catalogue_entry{
        "troupe_consumer_lag_seconds", gauge,
        "Age of the oldest unfinished event of the partition, as far as it was read; 0 where none waits."},
    catalogue_entry{
        "troupe_dlq_open_messages", gauge,
        "Dead letters in the topic that nobody has dealt with, of all processes of the app together; "
        "as Redis has it, not there while it does not answer."},
    catalogue_entry{"troupe_assigned_partitions", gauge, "Partitions assigned to this process."},
    catalogue_entry{"troupe_redis_up", gauge, "1 while Redis answers."},
    catalogue_entry{
        "troupe_redis_dropped_updates_total", counter,
        "Updates of the operational state (troupe status, the dashboard) that Redis did not take in time."},
    catalogue_entry{"troupe_web_stream_clients", gauge,
                    "Browsers that follow the dashboard of this process, where it has one."},
    catalogue_entry{"troupe_memory_limit_bytes", gauge,
                    "Resident memory past which the process drains and exits (limits.memory)."},
    catalogue_entry{"troupe_build_info", gauge, "Always 1; the labels say which build this is."},

    catalogue_entry{"troupe_mailbox_wait_seconds", histogram,
                    "Time a runnable event waited until a worker took it."},
    catalogue_entry{"troupe_event_age_seconds", histogram,
                    "Age of an event, by its timestamp, when it was done."},
    catalogue_entry{"troupe_transaction_duration_seconds", histogram,
                    "Duration of one transaction: publishing, offsets, commit."},
    catalogue_entry{"troupe_redis_flush_duration_seconds", histogram,
                    "Duration of one flush of counts and position to Redis."},

    catalogue_entry{"process_cpu_seconds_total", counter, "Total user and system CPU time spent in seconds."},
    catalogue_entry{"process_resident_memory_bytes", gauge, "Resident memory size in bytes."},
    catalogue_entry{"process_virtual_memory_bytes", gauge, "Virtual memory size in bytes."},
    catalogue_entry{"process_open_fds", gauge, "Number of open file descriptors."},
    catalogue_entry{"process_max_fds", gauge, "Maximum number of open file descriptors."},
    catalogue_entry{"process_threads", gauge, "Number of threads."},
    catalogue_entry{"process_start_time_seconds", gauge,
                    "Start time of the process since the Unix epoch in seconds."},
};

} // namespace

std::span<const catalogue_entry> catalogue() {
  return entries;
}

const catalogue_entry* find_in_catalogue(std::string_view name) {
  const auto at = std::find_if(entries.begin(), entries.end(), [&](const auto& e) { return e.name == name; });
  return at == entries.end() ? nullptr : &*at;
}

} // namespace troupe::metrics

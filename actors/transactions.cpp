#include "actors/transactions.hpp"

#include "engine/log/log.hpp"

#include <caf/send.hpp>

#include <algorithm>
#include <chrono>
#include <map>
#include <utility>

namespace troupe::actors {
namespace {

using kind = kafka::transaction_outcome::kind;

/// What one transaction carries, so that it ends well before its timeout even after an outage has filled all
/// windows.
constexpr std::size_t most_bytes = std::size_t{32} << 20;

std::shared_ptr<const std::vector<outgoing>> alone(outgoing event) {
  return std::make_shared<const std::vector<outgoing>>(1, std::move(event));
}

} // namespace

transactions::transactions(const group_seat& seat)
    : seat_{seat}, committed_{seat.shared->metrics.counter("troupe_transactions_total",
                                                           {{"actor", seat.actor}, {"result", "committed"}})},
      aborted_{seat.shared->metrics.counter("troupe_transactions_total",
                                            {{"actor", seat.actor}, {"result", "aborted"}})},
      unknown_{seat.shared->metrics.counter("troupe_transactions_total",
                                            {{"actor", seat.actor}, {"result", "unknown"}})},
      duration_{
          seat.shared->metrics.histogram("troupe_transaction_duration_seconds", {{"actor", seat.actor}})} {}

transactions::~transactions() {
  end_assignment();
  client_->stop();
}

result<std::unique_ptr<transactions>> transactions::open(const group_seat& seat,
                                                         const config::worker_actor& spec) {
  auto instance = seat.shared->instance();
  if (!instance) return instance.failure();
  kafka::transactions_config wanted;
  wanted.connection = seat.shared->kafka;
  wanted.id = seat.shared->settings.app + '.' + seat.actor + '.' + *instance;
  if (spec.publish) wanted.message_timeout = std::min(wanted.message_timeout, spec.publish->timeout);
  wanted.trouble = [actor = seat.actor](const error& e, bool fatal) {
    log::write(fatal ? log::level::error : log::level::warning, "transaction_trouble", e.detail,
               {{"actor", actor}});
  };
  wanted.log = log_kafka;
  auto opened = kafka::transactions::open(std::move(wanted));
  if (!opened) return opened.failure();
  std::unique_ptr<transactions> made{new transactions{seat}};
  made->client_ = std::move(opened).value();
  // At once: a former self may have left a transaction open, which holds up readers and our own positions.
  made->thread_.run([client = made->client_] { client->prepare(); });
  return made;
}

void transactions::begin_assignment(std::size_t partitions) {
  held_.assign(partitions, {});
  assigned_ = std::make_shared<std::atomic<bool>>(true);
  refused_.clear();
  failures_ = 0;
  not_before_ = {};
}

void transactions::end_assignment() {
  held_.clear();
  wanted_.clear();
  if (assigned_) *assigned_ = false;
  if (under_way_) under_way_->current = false;
}

void transactions::hold(const flow::publish_events& what, std::vector<outgoing> events) {
  held_[what.partition].hold(
      {what.event, what.attempt, std::make_shared<const std::vector<outgoing>>(std::move(events)), {}});
}

void transactions::hold(const flow::write_dead_letter& what) {
  auto letter = flow::make_dead_letter(*what.event, dlq_topic_of(seat_, *what.event->topic),
                                       seat_.consume.group, seat_.actor, what.why);
  held_[what.partition].hold({what.event, what.why.attempts, alone(std::move(letter)), what.why.error_class});
}

std::size_t transactions::bytes_of(const flow::event_done& what) const {
  return held_[what.partition].bytes_of(what.event->offset);
}

void transactions::want(flow::partition_index which, kafka::commit_request request) {
  wanted_.push_back({which, std::move(request)});
}

std::vector<kafka::commit_report> transactions::give_back_waiting() {
  std::vector<kafka::commit_report> out;
  std::erase_if(wanted_, [&](const wanted& one) {
    if (!refused_.waits(one.which)) return false;
    out.push_back(
        {one.request.where, one.request.offset,
         error{errc::unavailable, "an output of it is not taken; it has one more chance at the end"}, 0});
    return true;
  });
  return out;
}

transactions::running transactions::take(bool last_chance) {
  running out;
  out.since = std::chrono::steady_clock::now();
  out.last_chance = last_chance;
  std::vector<flow::partition_index> wanting;
  for (const auto& one : wanted_)
    wanting.push_back(one.which);
  std::size_t bytes = 0;
  std::vector<bool> taken(wanted_.size());
  for (const auto i : refused_.next(wanting, out.since, last_chance)) {
    if (bytes >= most_bytes) break;
    for (auto& one : held_[wanting[i]].below(wanted_[i].request.offset)) {
      bytes += one.bytes();
      out.outputs.push_back(std::move(one));
      out.from.push_back(wanting[i]);
    }
    out.commits.push_back(std::move(wanted_[i]));
    taken[i] = true;
  }
  std::size_t i = 0;
  std::erase_if(wanted_, [&](const wanted&) { return taken[i++]; });
  return out;
}

void transactions::begin(const std::shared_ptr<kafka::consumer>& consumer, bool now_or_never) {
  if (under_way_ || wanted_.empty()) return;
  if (!now_or_never && std::chrono::steady_clock::now() < not_before_) return;
  auto next = take(now_or_never);
  if (next.commits.empty()) return;
  under_way_ = std::move(next);
  kafka::transaction job;
  for (const auto& one : under_way_->outputs)
    job.events.push_back(one.events);
  for (const auto& one : under_way_->commits)
    job.offsets.push_back(one.request);
  thread_.run([client = client_, seat = consumer, assigned = assigned_, to = seat_.supervisor,
               job = std::move(job)]() mutable {
    auto member = seat->current_membership();
    seat.reset(); // whose supervisor may die meanwhile: the group must not wait for it
    // Asked after the membership was taken, which is therefore none of a later assignment.
    if (!*assigned) member = error{errc::conflict, "the assignment has ended"};
    if (!member) {
      caf::anon_send(to, transaction_ended{{kind::aborted, member.failure(), {}}});
      return;
    }
    job.member = *member;
    caf::anon_send(to, transaction_ended{client->run(job)});
  });
}

/// It becomes a dead letter, and a dead letter an envelope, in the next transaction. False where nothing is
/// left to be made smaller.
bool transactions::make_smaller(flow::held_output one, flow::partition_index from, const error& why,
                                settlement& out) {
  if (one.dead_as.empty()) {
    const auto now = wall_ms();
    out.buried.push_back({0, one.event, {why.detail, "too_large", one.attempts, now, now}, from});
    hold(out.buried.back());
    return true;
  }
  if (one.enveloped && one.envelope_head == 0) return false;
  one.envelope_head = one.enveloped ? one.envelope_head / 4 : envelope_head;
  if (!one.enveloped) one.enveloped = one.events;
  one.events = alone(flow::make_envelope(one.enveloped->front(), one.envelope_head));
  held_[from].hold(std::move(one));
  return true;
}

/// How long it waits.
milliseconds transactions::set_aside(const wanted& which, const error& why) {
  const auto waits = refused_.refused(which.which, why.detail, std::chrono::steady_clock::now());
  if (waits.news)
    log::error("output_refused",
               why.detail + "; what is published from this partition waits and is tried again, the others go "
                            "on (create the topic, or grant the right to write to it)",
               {{"actor", seat_.actor},
                {"topic", which.request.where.topic},
                {"partition", which.request.where.partition}});
  return waits.delay;
}

void transactions::count_committed(const running& of) {
  committed_.add();
  failures_ = 0;
  not_before_ = {};
  std::size_t events = 0;
  for (const auto& one : of.outputs) {
    events += one.events->size();
    if (!one.dead_as.empty())
      seat_.shared->count_dead_letter(seat_.actor, one.dead_as, one.events->front().topic);
  }
  seat_.shared->sent.add(events);
}

void transactions::settle_committed(running& of, settlement& out, double seconds) {
  for (const auto& one : of.commits) {
    held_[one.which].committed(one.request.offset);
    if (refused_.taken(one.which))
      log::info("output_taken", "what was refused is published, the partition goes on",
                {{"actor", seat_.actor},
                 {"topic", one.request.where.topic},
                 {"partition", one.request.where.partition}});
    out.reports.push_back({one.request.where, one.request.offset, std::nullopt, seconds});
  }
  out.published = static_cast<std::size_t>(
      std::count_if(of.outputs.begin(), of.outputs.end(), [](const flow::held_output& one) {
        return one.dead_as.empty() && !one.events->empty();
      }));
}

/// Who was in it through no fault of its own, or has something smaller to offer, goes again at once.
void transactions::settle_refused(running& of, const kafka::transaction_outcome& outcome, settlement& out,
                                  double seconds) {
  std::map<flow::partition_index, error> stuck;
  for (const auto& one : outcome.refused)
    if (one.why.code != errc::too_large ||
        !make_smaller(of.outputs[one.input], of.from[one.input], one.why, out))
      stuck.emplace(of.from[one.input], one.why);
  for (auto& one : of.commits) {
    const auto why = stuck.find(one.which);
    if (why != stuck.end()) out.again_in.push_back(set_aside(one, why->second));
    if (why != stuck.end() && of.last_chance)
      out.reports.push_back({one.request.where, one.request.offset, why->second, seconds});
    else
      wanted_.push_back(std::move(one));
  }
}

void transactions::settle_failed(running& of, const kafka::transaction_outcome& outcome, settlement& out,
                                 double seconds) {
  out.start_again = outcome.what == kind::unknown;
  if (outcome.what == kind::aborted) {
    const auto delay = policy::delay_of(write_again, ++failures_, 0);
    not_before_ = std::chrono::steady_clock::now() + delay;
    out.again_in.push_back(delay);
  }
  for (const auto& one : of.commits)
    out.reports.push_back({one.request.where, one.request.offset, outcome.why, seconds});
}

transactions::settlement transactions::settle(const transaction_ended& m) {
  auto ended = std::move(*std::exchange(under_way_, std::nullopt));
  const auto& outcome = m.outcome;
  const auto took = std::chrono::duration<double>(std::chrono::steady_clock::now() - ended.since).count();
  duration_.observe(took);
  settlement out;
  if (outcome.what == kind::committed) {
    count_committed(ended);
    if (ended.current) settle_committed(ended, out, took);
    return out;
  }
  (outcome.what == kind::unknown ? unknown_ : aborted_).add();
  if (outcome.what != kind::refused)
    log::write(outcome.what == kind::unknown ? log::level::error : log::level::warning,
               outcome.what == kind::unknown ? "transaction_unknown" : "transaction_aborted",
               outcome.why.detail, {{"actor", seat_.actor}});
  if (!ended.current) return out;
  if (outcome.what == kind::refused)
    settle_refused(ended, outcome, out, took);
  else
    settle_failed(ended, outcome, out, took);
  return out;
}

} // namespace troupe::actors

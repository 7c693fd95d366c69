#include "actors/transactions.hpp"

#include "actors/letter_rules.hpp"
#include "engine/log/log.hpp"

#include <caf/send.hpp>

#include <algorithm>
#include <chrono>
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

transactions::running transactions::take() {
  running out;
  out.since = std::chrono::steady_clock::now();
  std::size_t bytes = 0;
  auto next = wanted_.begin();
  for (; next != wanted_.end() && bytes < most_bytes; ++next) {
    for (auto& one : held_[next->which].below(next->request.offset)) {
      bytes += one.bytes();
      out.outputs.push_back(std::move(one));
      out.from.push_back(next->which);
    }
  }
  out.commits.assign(std::make_move_iterator(wanted_.begin()), std::make_move_iterator(next));
  wanted_.erase(wanted_.begin(), next);
  return out;
}

void transactions::begin(const std::shared_ptr<kafka::consumer>& consumer, bool now_or_never) {
  if (under_way_ || wanted_.empty()) return;
  if (!now_or_never && std::chrono::steady_clock::now() < not_before_) return;
  under_way_ = take();
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

/// They become dead letters, and dead letters envelopes, in the next transaction. False where nothing is left
/// to be made smaller.
bool transactions::bury_too_large(const running& of, const kafka::transaction_outcome& why) {
  bool smaller = false;
  for (const auto i : why.too_large) {
    auto one = of.outputs[i];
    if (one.dead_as.empty()) {
      const auto now = wall_ms();
      hold(flow::write_dead_letter{
          0, one.event, {why.why.detail, "too_large", one.attempts, now, now}, of.from[i]});
      log::warning("dead_letter", why.why.detail,
                   {{"actor", seat_.actor}, {"event_id", one.event->id()}, {"error_type", "too_large"}});
    } else if (one.enveloped && one.envelope_head == 0) {
      continue;
    } else {
      one.envelope_head = one.enveloped ? one.envelope_head / 4 : envelope_head;
      if (!one.enveloped) one.enveloped = one.events;
      one.events = alone(flow::make_envelope(one.enveloped->front(), one.envelope_head));
      held_[of.from[i]].hold(std::move(one));
    }
    smaller = true;
  }
  return smaller;
}

void transactions::count_committed(const running& of) {
  committed_.add();
  failures_ = 0;
  not_before_ = {};
  std::size_t events = 0;
  for (const auto& one : of.outputs) {
    events += one.events->size();
    if (!one.dead_as.empty())
      seat_.shared->metrics
          .counter("troupe_dlq_messages_total", {{"actor", seat_.actor}, {"error_type", one.dead_as}})
          .add();
  }
  seat_.shared->sent.add(events);
}

transactions::settlement transactions::settle(const transaction_ended& m) {
  auto ended = std::move(*std::exchange(under_way_, std::nullopt));
  const auto& outcome = m.outcome;
  const auto now = std::chrono::steady_clock::now();
  const auto took = std::chrono::duration<double>(now - ended.since).count();
  duration_.observe(took);
  settlement out;
  if (outcome.what == kind::committed) {
    count_committed(ended);
  } else {
    (outcome.what == kind::unknown ? unknown_ : aborted_).add();
    log::write(outcome.what == kind::unknown ? log::level::error : log::level::warning,
               outcome.what == kind::unknown ? "transaction_unknown" : "transaction_aborted",
               outcome.why.detail, {{"actor", seat_.actor}});
  }
  if (!ended.current) return out;
  out.start_again = outcome.what == kind::unknown;
  if (outcome.what == kind::too_large && bury_too_large(ended, outcome)) {
    wanted_.insert(wanted_.begin(), std::make_move_iterator(ended.commits.begin()),
                   std::make_move_iterator(ended.commits.end()));
    return out;
  }
  if (outcome.what == kind::aborted || outcome.what == kind::too_large) {
    out.again_in = policy::delay_of(write_again, ++failures_, 0);
    not_before_ = now + *out.again_in;
  }
  for (const auto& one : ended.commits) {
    if (outcome.what == kind::committed) held_[one.which].committed(one.request.offset);
    out.reports.push_back({one.request.where, one.request.offset,
                           outcome.what == kind::committed ? std::nullopt : std::optional{outcome.why},
                           took});
  }
  return out;
}

} // namespace troupe::actors

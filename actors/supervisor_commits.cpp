#include "actors/supervisor.hpp"

#include "engine/core/failpoint.hpp"
#include "engine/log/log.hpp"

#include <algorithm>

// The commit side of a supervisor: what its readers want committed, by commits or by transactions, and the
// answers.
namespace troupe::actors {
namespace {

constexpr milliseconds commit_every{200};
/// Readers downstream see what is published only when its transaction has committed.
constexpr milliseconds transaction_every{100};
constexpr std::string_view says_less = "; the next one records less of what is finished out of order "
                                       "(raise the broker's offset.metadata.max.bytes to 4096)";

} // namespace

void supervisor_state::ask_last_commit(member& of) {
  self->send(of.reader, commit_due{true});
  of.owes_last = true;
  ++last_awaited;
}

void supervisor_state::on_commit_wanted(commit_wanted& m) {
  if (m.generation != generation || m.which >= members.size()) return;
  // A reader that is on its way out. Kept, its commit would go out with the next assignment's first ones and
  // be taken, though another member may have gone on from there.
  if (at == step::leaving) return;
  auto& from = members[m.which];
  from.behind = m.behind;
  if (m.commit) {
    from.committing = m.commit->offset;
    kafka::commit_request request{from.where, m.commit->offset, std::move(m.commit->metadata)};
    if (exactly_once)
      exactly_once->want(m.which, std::move(request));
    else
      commits.push_back(std::move(request));
  }
  if (!m.last) {
    if (!std::exchange(turn_scheduled, true)) self->send(self, end_of_turn{});
    return;
  }
  if (at != step::committing || !std::exchange(from.owes_last, false)) return;
  if (m.commit) {
    from.last_out = true;
    ++commits_awaited;
  }
  if (--last_awaited > 0) return;
  send_commits();
  if (commits_awaited == 0) leave_partitions();
}

void supervisor_state::send_commits() {
  // Nothing orders the group's first commit and a transaction; and their answers are told apart by their
  // order.
  if (std::any_of(members.begin(), members.end(), [](const member& m) { return m.first_commit; })) return;
  if (exactly_once) exactly_once->begin(consumer, at == step::committing);
  if (commits.empty()) return;
  failpoint("before_commit");
  consumer->commit(std::exchange(commits, {}));
}

void supervisor_state::on_transaction_ended(const transaction_ended& m) {
  const auto ended = exactly_once->settle(m);
  if (ended.start_again) {
    uncertain = true;
    if (at == step::running) begin_drain(drain_for::restart);
    if (at == step::committing) leave_partitions();
    return; // its readers get no answer: they end, and are born again at the group's offsets
  }
  note_outcomes(ended);
  for (const auto delay : ended.again_in)
    self->delayed_send(self, delay, end_of_turn{});
  on_commits_ended({ended.reports});
  if (at != step::leaving) send_commits();
}

/// What became of outputs that were held back, where pools without exactly_once hear of each publish.
void supervisor_state::note_outcomes(const transactions::settlement& of) {
  for (std::size_t i = 0; i < of.published; ++i)
    pool->held_was_published();
  if (of.buried.empty()) return;
  for (const auto& late : of.buried) {
    tell_dead(*late.event, late.why);
    pool->held_is_dead(late.event, late.why, std::chrono::steady_clock::now(), actions);
  }
  after();
}

void supervisor_state::on_commits_ended(const commits_ended& m) {
  for (const auto& report : m.reports) {
    (report.failure ? count.commits_failed : count.commits_ok)->add();
    shared->commit_duration.observe(report.seconds);
    const auto which = std::find_if(members.begin(), members.end(),
                                    [&](const member& p) { return p.where == report.where; });
    if (which == members.end()) continue;
    // With exactly_once there is no metadata: then it is an output that was too large.
    const bool too_large = !exactly_once && report.failure && report.failure->code == errc::too_large;
    if (report.failure) {
      log::warning(
          "commit_failed", report.failure->detail + std::string{too_large ? says_less : ""},
          {{"actor", actor.name}, {"topic", report.where.topic}, {"partition", report.where.partition}});
      which->dirty = true;
    } else {
      shared->lag.update(spec.consume.group, report.where, report.offset, which->behind, consumer);
      if (!crashed.empty()) forget_crashes(report.where, report.offset);
    }
    if (std::exchange(which->first_commit, false)) continue;
    if (which->committing != report.offset) continue; // sent under a past assignment, answered late
    which->committing.reset();
    if (which->reader) self->send(which->reader, commit_done{!report.failure, too_large});
    if (!std::exchange(which->last_out, false)) continue;
    --commits_awaited;
    if (at == step::committing && too_large && which->reader) ask_last_commit(*which);
  }
  if (at == step::committing && last_awaited == 0 && commits_awaited == 0) {
    leave_partitions();
    return;
  }
  if (at == step::running || at == step::committing) send_commits();
  if (at == step::running &&
      std::any_of(members.begin(), members.end(), [](const member& p) { return p.dirty; }))
    arm_commit();
}

void supervisor_state::arm_commit() {
  if (std::exchange(commit_armed, true)) return;
  self->delayed_send(self, exactly_once ? transaction_every : commit_every, commit_tick{});
}

void supervisor_state::on_commit_tick() {
  commit_armed = false;
  if (at != step::running) return;
  for (auto& p : members) {
    if (!std::exchange(p.dirty, false) || !p.reader) continue;
    hand_over_settled(p);
    self->send(p.reader, commit_due{false});
  }
}

} // namespace troupe::actors

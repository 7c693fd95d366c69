#include "actors/supervisor.hpp"

#include "actors/partition_reader.hpp"
#include "engine/core/failpoint.hpp"
#include "engine/log/log.hpp"

#include <caf/send.hpp>

#include <algorithm>

namespace troupe::actors {
namespace {

/// What the last commits and the goodbye to the group may take after a drain.
constexpr milliseconds goodbye{2000};
/// What publishes and dead letters under way may take when no call runs any more.
constexpr milliseconds last_writes{1000};

} // namespace

void supervisor_state::on_assigned(const group_assigned& m) {
  if (stopping) return; // the closing consumer answers by itself
  was_lost = false;
  assignment = m.partitions;
  ++generation;
  count.rebalances->add();
  log::info("assigned", "the group assigned partitions",
            {{"actor", actor.name},
             {"group", spec.consume.group},
             {"partitions", static_cast<std::int64_t>(assignment.size())}});
  if (!told_joined) {
    told_joined = true;
    self->send(conductor, joined{actor.name});
  }
  find_again(true);
}

/// `first`: the consumer has just asked for the commits; otherwise they are asked for again.
void supervisor_state::find_again(bool first) {
  if (assignment.empty()) {
    consumer->assign({});
    at = step::running;
    pool->resume();
    return;
  }
  at = step::leaving;
  if (!first && exactly_once && exactly_once->under_way()) {
    // It may still commit, under this very membership: what the group's offsets say before is not the last
    // word.
    self->delayed_send(self, milliseconds{50}, try_again{});
    return;
  }
  if (first) {
    find_positions(seat, consumer, generation, assignment, {first_positions, suspects});
  } else {
    std::vector<topic_partition> where;
    for (const auto& p : assignment)
      where.push_back(p.where);
    find_positions_again(seat, consumer, generation, std::move(where), {first_positions, suspects});
  }
}

void supervisor_state::on_positions(const positions_found& m) {
  if (m.generation != generation || purpose != drain_for::none) return;
  if (at != step::leaving || !members.empty()) return; // answered already: it was asked twice
  if (m.failure) {
    log::warning("positions_unknown", m.failure->detail + "; asking again", {{"actor", actor.name}});
    self->delayed_send(self, milliseconds{1000}, try_again{});
    return;
  }
  // Calls of a supervisor that died may still run: their keys are not free yet.
  const bool inherited = route->under_way->load() > 0 && busy_slots() == 0;
  if (inherited && std::chrono::steady_clock::now() < born + spec.deadline) {
    self->delayed_send(self, milliseconds{50}, positions_found{m});
    return;
  }
  // So may calls of ours that a drain left behind; each ends, or counts as hung, at its deadline.
  const bool still_called = std::any_of(slots.begin(), slots.end(), [&](const slot& x) {
    return x.calling && !x.hung && std::any_of(m.committed.begin(), m.committed.end(), [&](const auto& p) {
             return p.where == topic_partition{*x.calling->event->topic, x.calling->event->partition};
           });
  });
  if (still_called) {
    self->delayed_send(self, milliseconds{50}, positions_found{m});
    return;
  }
  suspects.clear();
  if (exactly_once) exactly_once->begin_assignment(m.committed.size());
  crashed.clear();
  if (route->journal)
    for (const auto& [call, history] : m.crashed)
      crashed[call].history = history;
  std::vector<kafka::position> start;
  std::vector<kafka::commit_request> first_commits;
  members.clear();
  for (std::size_t i = 0; i < m.committed.size(); ++i) {
    const auto& p = m.committed[i];
    const auto which = static_cast<flow::partition_index>(i);
    auto offset = *p.offset;
    // A group without a commit begins at one place, however often it looks before its first commit.
    if (m.fresh[i]) {
      first_positions.insert_or_assign(p.where, offset);
      if (spec.consume.start == config::start_at::latest) first_commits.push_back({p.where, offset, {}});
    }
    reader_seat birth;
    birth.shared = shared;
    birth.supervisor = caf::actor_cast<caf::actor>(self);
    birth.generation = generation;
    birth.which = which;
    birth.where = p.where;
    birth.start = offset;
    birth.recorded = flow::decode_metadata(p.metadata, offset);
    birth.limits = {spec.consume.window, spec.consume.window_bytes};
    if (exactly_once) birth.recording = flow::recording::prefix;
    birth.group = spec.consume.group;
    pool->add_partition(which);
    members.emplace_back();
    members.back().where = p.where;
    members.back().reader = self->spawn<caf::linked + caf::monitored>(partition_reader, std::move(birth));
    ++readers_alive;
    // The queue is taken before the assignment, so that nothing lands in the consumer's own.
    members.back().first_commit = m.fresh[i] && spec.consume.start == config::start_at::latest;
    const auto reader = members.back().reader;
    auto queue = std::make_shared<kafka::message_queue>(
        consumer->queue_of(p.where, [reader] { caf::anon_send(reader, queue_woke{}); }));
    self->send(reader, queue_ready{std::move(queue)});
    start.push_back({p.where, offset});
    shared->lag.update(spec.consume.group, p.where, offset, {}, consumer);
  }
  std::vector<topic_partition> taken;
  taken.reserve(start.size());
  for (const auto& p : start)
    taken.push_back(p.where);
  show_assigned(seat, taken);
  consumer->assign(std::move(start));
  // Without this, a crash before the first commit would begin at another end of the log (start: latest).
  if (!first_commits.empty()) consumer->commit(std::move(first_commits));
  pool->resume();
  at = step::running;
  after();
}

void supervisor_state::begin_drain(drain_for why) {
  purpose = std::max(purpose, why);
  if (at != step::running) return; // under way already, or nothing runs yet
  at = step::draining;
  only_writes_left = false;
  pool->drain();
  const auto bound = purpose == drain_for::stop ? std::max(shared->settings.shutdown_deadline - goodbye,
                                                           shared->settings.shutdown_deadline / 2)
                                                : shared->settings.shutdown_revoke;
  self->delayed_send(self, was_lost ? milliseconds{0} : bound, drain_bound{++drain_serial});
  check_drained();
}

void supervisor_state::check_drained() {
  if (at != step::draining) return;
  if (pool->under_way() == 0) {
    take_last_commits();
  } else if (pool->running() == 0 && !std::exchange(only_writes_left, true)) {
    // Publishes and dead letters that the broker does not take now are like parked events: they stay.
    self->delayed_send(self, last_writes, drain_bound{++drain_serial});
  }
}

void supervisor_state::take_last_commits() {
  for (auto& m : members)
    hand_over_settled(m); // before they are asked
  end_turn();
  if (exactly_once) on_commits_ended({exactly_once->give_back_waiting()});
  at = step::committing;
  if (was_lost || uncertain) {
    leave_partitions(); // commits would be refused, or be made twice
    return;
  }
  self->delayed_send(self, goodbye, drain_bound{++drain_serial});
  last_awaited = 0;
  for (auto& m : members)
    if (m.reader) ask_last_commit(m);
  if (last_awaited == 0)
    leave_partitions();
  else
    send_commits(); // a reader whose commit waits here answers nothing before it
}

void supervisor_state::leave_partitions() {
  at = step::leaving;
  uncertain = false;
  if (exactly_once) exactly_once->end_assignment();
  const auto now = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < members.size(); ++i) {
    pool->drop_partition(static_cast<flow::partition_index>(i), now);
    shared->lag.remove(spec.consume.group, members[i].where);
    if (members[i].reader) self->send(members[i].reader, stop_order{});
  }
  if (writer) self->send(writer, forget_letters{});
  show_assigned(seat, {});
  commits.clear();
  commits_awaited = last_awaited = 0;
  if (readers_alive == 0) on_readers_gone();
}

void supervisor_state::on_readers_gone() {
  members.clear();
  const auto why = std::exchange(purpose, drain_for::none);
  if (why == drain_for::restart) {
    ++generation;
    find_again(false);
  } else if (why == drain_for::revoke) {
    ++generation;
    assignment.clear();
    failpoint("before_release");
    consumer->release();
  } else if (why == drain_for::stop) {
    ++generation;
    const auto me = caf::actor_cast<caf::actor>(self);
    consumer->close(goodbye, [me](bool clean) { caf::anon_send(me, consumer_closed{clean}); });
  }
}

void supervisor_state::on_down(const caf::down_msg& m) {
  const auto is = [&](const caf::actor& a) { return a && a.address() == m.source; };
  if (is(writer)) {
    log::error("actor_died", "the dead-letter writer died and is replaced", {{"actor", actor.name}});
    shared->metrics.counter("troupe_actor_restarts_total", {{"kind", "dead_letter_writer"}}).add();
    spawn_writer();
    for (const auto& letter : pool->unburied())
      ask_bury(letter);
    return;
  }
  for (std::size_t i = 0; i < slots.size(); ++i)
    if (is(slots[i].worker)) return on_worker_down(i);
  for (auto& left : members) {
    if (!is(left.reader)) continue;
    left.reader = nullptr;
    --readers_alive;
    if (at == step::leaving) {
      if (readers_alive == 0) on_readers_gone();
      return;
    }
    log::error("actor_died", "a partition reader died; its partition starts again from its commit",
               {{"actor", actor.name}, {"topic", left.where.topic}, {"partition", left.where.partition}});
    shared->metrics.counter("troupe_actor_restarts_total", {{"kind", "partition_reader"}}).add();
    if (at == step::committing && std::exchange(left.owes_last, false) && --last_awaited == 0) {
      send_commits();
      if (commits_awaited == 0) leave_partitions();
    } else if (at == step::running) {
      begin_drain(drain_for::restart);
    }
    return;
  }
}

void supervisor_state::on_trouble(const consumer_trouble& m) {
  log::write(m.fatal ? log::level::error : log::level::warning, "consumer_trouble", m.what.detail,
             {{"actor", actor.name}, {"group", spec.consume.group}});
  if (is_fenced(seat, m)) {
    self->send(conductor, gave_up{actor.name, m.what.detail, 78});
    return;
  }
  // A fatal error ends the membership: a new supervisor takes a new seat.
  if (m.fatal) self->quit(caf::sec::runtime_error);
}

void supervisor_state::quit_now() {
  for (const auto& s : slots)
    if (s.worker) self->send(s.worker, stop_order{});
  if (writer) self->send(writer, stop_order{});
  self->quit();
}

void supervisor_state::open() {
  if (spec.guarantee == config::guarantee::exactly_once && !exactly_once) {
    auto made = transactions::open(seat, spec);
    if (!made) {
      self->send(self, consumer_opened{nullptr, made.failure()});
      return;
    }
    exactly_once = std::move(made).value();
  }
  open_consumer(seat);
}

caf::behavior supervisor_state::make_behavior(services* s, config::actor what, caf::actor above,
                                              caf::actor out) {
  shared = s;
  actor = std::move(what);
  spec = std::get<config::worker_actor>(actor.kind);
  around = std::make_shared<const surroundings>(surroundings{actor.name, spec.settings, shared->redis});
  conductor = std::move(above);
  publisher = std::move(out);
  if (spec.publish && !spec.publish->key.empty()) {
    const json::pointer key = *json::pointer::parse(spec.publish->key); // checked with the config
    publish_key.emplace(std::span{&key, 1});
  }
  seat = {
      shared, caf::actor_cast<caf::actor>(self), actor.name, spec.consume, spec.dlq, std::size_t{12} << 20,
      false};
  born = std::chrono::steady_clock::now();
  set_up_pool();
  open();
  self->set_down_handler([this](caf::down_msg& m) { on_down(m); });
  // Linked both ways so that none outlives the supervisor; a child's death is on_down's business. An order
  // without a source is no child's either.
  self->set_exit_handler([this](caf::exit_msg& m) {
    if (!m.source || m.source == conductor.address()) self->quit(std::move(m.reason));
  });
  return {
      // CAF compares with one after the other: what comes by the thousand stands first.
      [this](const calls_ended&) { on_calls_ended(); },
      [this](const simulations_due&) { on_simulations_due(); },
      [this](offered& m) {
        if (m.generation != generation || m.which >= members.size()) return;
        members[m.which].owed = true;
        if (!crashed.empty()) mark_crashed(members[m.which].where, m.events);
        pool->offer(m.which, std::move(m.events), std::chrono::steady_clock::now());
        after();
      },
      [this](const end_of_turn&) {
        turn_scheduled = false;
        end_turn();
      },
      [this](const consumer_opened& m) {
        if (m.failure && m.failure->code != errc::bad_config && shared->started && !stopping) {
          self->delayed_send(self, milliseconds{1000}, try_again{});
          return;
        }
        if (m.failure) {
          self->send(conductor,
                     gave_up{actor.name, m.failure->detail, m.failure->code == errc::bad_config ? 78 : 69});
          quit_now();
          return;
        }
        consumer = m.consumer;
        if (stopping) {
          purpose = drain_for::stop;
          on_readers_gone();
        }
      },
      [this](const group_assigned& m) { on_assigned(m); },
      [this](const positions_found& m) { on_positions(m); },
      [this](const group_revoked& m) {
        was_lost = m.lost;
        if (stopping) return; // closing answers by itself
        if (at == step::running && !members.empty())
          begin_drain(drain_for::revoke);
        else if (at == step::draining || at == step::committing || readers_alive > 0)
          purpose = std::max(purpose, drain_for::revoke);
        else {
          purpose = drain_for::revoke;
          on_readers_gone();
        }
      },
      [this](commit_wanted& m) { on_commit_wanted(m); },
      [this](const commits_ended& m) { on_commits_ended(m); },
      [this](const transaction_ended& m) { on_transaction_ended(m); },
      [this](const position_lost& m) {
        if (m.generation != generation) return;
        suspects.insert(m.where);
        begin_drain(drain_for::restart);
      },
      [this](const consumer_trouble& m) { on_trouble(m); },
      [this](const consumer_closed& m) {
        if (!m.clean)
          log::warning("left_without_goodbye", "the group did not answer in time", {{"actor", actor.name}});
        if (abandoned)
          self->send(conductor, gave_up{actor.name, "handlers were still running at the deadline", 75});
        consumer.reset();
        quit_now();
      },
      [this](const published& m) {
        failpoint("published");
        pool->published(m.token, m.failure, std::chrono::steady_clock::now(), wall_ms(), actions);
        after();
      },
      [this](const buried& m) {
        pool->dead_letter_written(m.id, std::chrono::steady_clock::now(), actions);
        after();
      },
      [this](const tick&) {
        tick_armed.reset();
        solitude_awaited = false;
        pool->tick(std::chrono::steady_clock::now(), actions);
        after();
      },
      [this](const commit_tick&) { on_commit_tick(); },
      [this](const deadline_tick&) {
        on_deadlines();
        after();
      },
      [this](const drain_bound& m) {
        if (m.serial != drain_serial) return;
        if (at == step::draining) {
          for (const auto& x : slots)
            if (x.calling) x.calling->context.cancel();
          abandoned = pool->running() > 0;
          if (abandoned)
            log::warning("abandoned",
                         "calls still run at the end of the drain; their events will be delivered again",
                         {{"actor", actor.name}, {"calls", static_cast<std::int64_t>(pool->running())}});
          take_last_commits();
        } else if (at == step::committing) {
          leave_partitions();
        }
      },
      [this](const try_again&) {
        if (!consumer) {
          open();
          return;
        }
        if (at == step::leaving && members.empty() && purpose == drain_for::none && !assignment.empty())
          find_again(false);
      },
      [this](const new_publisher& m) {
        publisher = m.publisher;
        for (const auto& p : pool->unpublished())
          ask_publish(p);
      },
      [this](const reload_order& m) { reload(m.next); },
      [this](const report_wanted& m) { self->send(m.to, report()); },
      [this](const pool_order& m) {
        self->send(m.reply_to, order_obeyed{m.order, obey(m)});
        after();
      },
      [this](const who_is_there&) {
        roster all;
        if (writer) all.members.emplace_back("dead_letter_writer", writer);
        for (const auto& m : members)
          all.members.emplace_back("partition_reader", m.reader);
        for (const auto& x : slots)
          all.members.emplace_back("worker", x.worker);
        return all;
      },
      [this](const stop_order&) {
        if (std::exchange(stopping, true)) return;
        abandoned = false;
        if (!consumer) return; // consumer_opened goes on
        if (at == step::running && !members.empty()) {
          begin_drain(drain_for::stop);
        } else if (at == step::leaving && readers_alive == 0) {
          purpose = drain_for::stop;
          on_readers_gone();
        } else if (at == step::running) {
          purpose = drain_for::stop;
          on_readers_gone();
        } else {
          purpose = drain_for::stop;
        }
      },
  };
}

caf::behavior supervisor(caf::stateful_actor<supervisor_state>* self, services* shared, config::actor what,
                         caf::actor conductor, caf::actor publisher) {
  return self->state.make_behavior(shared, std::move(what), std::move(conductor), std::move(publisher));
}

} // namespace troupe::actors

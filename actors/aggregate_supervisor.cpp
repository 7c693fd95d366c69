#include "actors/aggregate_supervisor.hpp"

#include "engine/log/log.hpp"

#include <caf/send.hpp>

#include <algorithm>

namespace troupe::actors {
namespace {

/// What an aggregator gets at once: of a size that stays in the processor's caches on its way.
constexpr std::size_t block_bytes = std::size_t{256} << 10;
/// With so much handed over and not counted nothing more is read: enough to keep all threads busy. One
/// reading brings what librdkafka fetched ahead, so that this and its budget bound what lies in the process.
constexpr std::size_t most_in_flight = std::size_t{2} << 20;
/// What librdkafka may fetch ahead.
constexpr std::size_t prefetch = std::size_t{2} << 20;
/// Blocks kept for the next reading.
constexpr std::size_t most_spare = 16;
constexpr milliseconds commit_every{1000};
constexpr milliseconds goodbye{2000};

} // namespace

void aggregate_supervisor_state::find() {
  at = step::leaving;
  if (assignment.empty()) {
    consumer->assign({});
    at = step::running;
    return;
  }
  find_count_positions(seat, consumer, store, counts, generation, assignment, origins, suspects);
}

void aggregate_supervisor_state::on_positions(const positions_found& m) {
  if (m.generation != generation || purpose != drain_for::none || stopping) return;
  if (at != step::leaving || !members.empty()) return; // answered already: it was asked twice
  if (m.failure) {
    if (m.exit_code != 0) return quit_with(m.failure->detail, m.exit_code);
    log::warning("positions_unknown", m.failure->detail + "; asking again", {{"actor", actor.name}});
    self->delayed_send(self, milliseconds{1000}, try_again{});
    return;
  }
  suspects.clear();
  ledger = m.ledger;
  members.clear();
  which_of.clear();
  last_member = nullptr;
  blocked = in_flight = 0;
  std::vector<topic_partition> where;
  std::vector<kafka::position> start;
  for (std::size_t i = 0; i < m.committed.size(); ++i) {
    const auto& p = m.committed[i];
    aggregator_seat birth{shared,
                          caf::actor_cast<caf::actor>(self),
                          actor.name,
                          spec.consume.group,
                          generation,
                          i,
                          p.where,
                          *p.offset,
                          m.read_from[i],
                          ledger,
                          store,
                          counts,
                          {spec.flush_every, spec.flush_max_keys}};
    origins[p.where] = m.origins[i];
    members.push_back({p.where, self->spawn<caf::linked + caf::monitored>(aggregator, std::move(birth)),
                       m.origins[i], m.read_from[i], nullptr, false, false});
    ++alive;
    where.push_back(p.where);
    start.push_back({p.where, m.read_from[i]});
    // Kafka remembers the ledger from the beginning.
    to_commit[p.where] = *p.offset;
    shared->lag.update(spec.consume.group, p.where, *p.offset, {}, consumer);
  }
  const auto me = caf::actor_cast<caf::actor>(self);
  queue = consumer->joint_queue(where, [me] { caf::anon_send(me, queue_woke{}); });
  show_assigned(seat, where);
  consumer->assign(std::move(start));
  at = step::running;
  self->send(self, commit_tick{});
  read();
}

void aggregate_supervisor_state::read() {
  if (at != step::running || !queue || blocked > 0 || in_flight >= most_in_flight) return;
  unread = false;
  queue.read_all([this](const kafka::message& m) { take(m); });
  for (auto& m : members)
    if (m.block) hand_over(m);
  if (!suspects.empty()) drain(drain_for::restart);
}

void aggregate_supervisor_state::take(const kafka::message& m) {
  auto* to = member_of(m);
  if (!to) return;
  if (!m.is_event()) return not_an_event(m, *to);
  if (m.offset() < to->next || !to->aggregator) return; // the broker sends whole batches
  to->next = m.offset() + 1;
  if (!to->block) to->block = empty_block();
  auto& block = *to->block;
  block.next = to->next;
  block.newest_ms = m.timestamp_ms();
  if (!m.has_value()) {
    ++block.tombstones;
    return;
  }
  block.events.add(m.value());
  if (record_time) block.timestamps_ms.push_back(block.newest_ms);
  if (block.events.bytes() >= block_bytes) hand_over(*to);
}

aggregate_supervisor_state::member* aggregate_supervisor_state::member_of(const kafka::message& m) {
  const std::pair key{m.topic_handle(), m.partition()};
  if (key == last_key && last_member) return last_member; // a fetch brings long runs of one partition
  auto at_key = which_of.find(key);
  if (at_key == which_of.end()) {
    const topic_partition where{m.topic(), m.partition()};
    const auto found =
        std::find_if(members.begin(), members.end(), [&](const member& x) { return x.where == where; });
    if (found == members.end()) return nullptr;
    at_key = which_of.emplace(key, static_cast<std::size_t>(found - members.begin())).first;
  }
  last_key = key;
  return last_member = &members[at_key->second];
}

void aggregate_supervisor_state::not_an_event(const kafka::message& m, const member& of) {
  const auto why = m.failure();
  if (why.code == errc::conflict)
    suspects.insert(of.where);
  else
    log::warning("partition_trouble", why.detail, {{"actor", actor.name}, {"topic", of.where.topic}});
}

std::shared_ptr<event_block> aggregate_supervisor_state::empty_block() {
  if (spare.empty()) return std::make_shared<event_block>();
  auto block = std::move(spare.back());
  spare.pop_back();
  return block;
}

void aggregate_supervisor_state::hand_over(member& to) {
  in_flight += to.block->events.bytes();
  self->send(to.aggregator, count_batch{std::exchange(to.block, nullptr)});
}

void aggregate_supervisor_state::commit(std::size_t which, std::int64_t position) {
  to_commit[members[which].where] = position;
  if (commits_armed) return;
  commits_armed = true;
  self->delayed_send(self, commit_every, commit_tick{});
}

void aggregate_supervisor_state::drain(drain_for why) {
  purpose = std::max(purpose, why);
  if (at != step::running) return;
  at = step::flushing;
  if (purpose == drain_for::restart || was_lost) { // what is counted since the last flush is counted again
    leave();
    return;
  }
  for (auto& m : members) {
    m.last_done = !m.aggregator;
    if (m.aggregator) self->send(m.aggregator, flush_now{true});
  }
  const auto bound = purpose == drain_for::stop ? std::max(shared->settings.shutdown_deadline - goodbye,
                                                           shared->settings.shutdown_deadline / 2)
                                                : shared->settings.shutdown_revoke;
  self->delayed_send(self, bound, drain_bound{++drain_serial});
  check_flushed();
}

void aggregate_supervisor_state::check_flushed() {
  if (at != step::flushing) return;
  if (!std::all_of(members.begin(), members.end(), [](const member& m) { return m.last_done; })) return;
  self->send(self, commit_tick{}); // the lag is seen right in Kafka, too
  leave();
}

void aggregate_supervisor_state::leave() {
  at = step::leaving;
  queue = {};
  unread = false;
  show_assigned(seat, {});
  for (auto& m : members) {
    shared->lag.remove(spec.consume.group, m.where);
    if (m.aggregator) self->send(m.aggregator, stop_order{});
  }
  if (alive == 0) on_gone();
}

void aggregate_supervisor_state::on_gone() {
  members.clear();
  last_member = nullptr;
  ++generation;
  const auto why = std::exchange(purpose, drain_for::none);
  if (why == drain_for::restart) {
    find();
  } else if (why == drain_for::revoke) {
    assignment.clear();
    to_commit.clear();
    consumer->release();
  } else if (why == drain_for::stop) {
    const auto me = caf::actor_cast<caf::actor>(self);
    consumer->close(goodbye, [me](bool clean) { caf::anon_send(me, consumer_closed{clean}); });
  }
}

void aggregate_supervisor_state::on_down(const caf::down_msg& d) {
  for (std::size_t i = 0; i < members.size(); ++i) {
    auto& m = members[i];
    if (!m.aggregator || m.aggregator.address() != d.source) continue;
    m.aggregator = nullptr;
    m.last_done = true;
    --alive;
    if (at == step::leaving) {
      if (alive == 0) on_gone();
      return;
    }
    log::error("actor_died", "an aggregator died; counting goes on from what Redis holds",
               {{"actor", actor.name}, {"topic", m.where.topic}, {"partition", m.where.partition}});
    shared->metrics.counter("troupe_actor_restarts_total", {{"kind", "aggregator"}}).add();
    if (at == step::flushing)
      check_flushed();
    else
      drain(drain_for::restart);
    return;
  }
}

void aggregate_supervisor_state::quit_with(std::string why, int exit_code) {
  self->send(conductor, gave_up{actor.name, std::move(why), exit_code});
}

caf::behavior aggregate_supervisor_state::make_behavior(services* s, config::actor what, caf::actor above) {
  shared = s;
  actor = std::move(what);
  spec = std::get<config::aggregate_actor>(actor.kind);
  conductor = std::move(above);
  counts = {spec.where,
            spec.count_by,
            spec.into,
            spec.per_minute ? spec.per_minute->into : std::string{},
            spec.per_minute ? spec.per_minute->keep : milliseconds{0},
            spec.event_time};
  record_time = counts.uses_record_time();
  store = std::make_shared<aggregate::count_store>(shared->redis, shared->settings.app, spec.consume.group);
  seat = {shared, caf::actor_cast<caf::actor>(self), actor.name, spec.consume, std::nullopt, prefetch, true};
  auto& m = shared->metrics;
  rebalances = &m.counter("troupe_rebalances_total", {{"group", spec.consume.group}});
  commits_ok = &m.counter("troupe_offset_commits_total", {{"group", spec.consume.group}, {"result", "ok"}});
  commits_failed =
      &m.counter("troupe_offset_commits_total", {{"group", spec.consume.group}, {"result", "failed"}});
  open_consumer(seat);
  self->set_down_handler([this](caf::down_msg& d) { on_down(d); });
  self->set_exit_handler([this](caf::exit_msg& e) {
    if (!e.source || e.source == conductor.address()) self->quit(std::move(e.reason));
  });
  return {
      [this](const consumer_opened& o) {
        if (o.failure && o.failure->code != errc::bad_config && shared->started && !stopping) {
          self->delayed_send(self, milliseconds{1000}, try_again{});
          return;
        }
        if (o.failure) {
          quit_with(o.failure->detail, o.failure->code == errc::bad_config ? 78 : 69);
          self->quit();
          return;
        }
        consumer = o.consumer;
        if (stopping) {
          purpose = drain_for::stop;
          on_gone();
        }
      },
      [this](const group_assigned& g) {
        if (stopping) return; // the closing consumer answers by itself
        was_lost = false;
        assignment = g.partitions;
        ++generation;
        rebalances->add();
        log::info("assigned", "the group assigned partitions",
                  {{"actor", actor.name},
                   {"group", spec.consume.group},
                   {"partitions", static_cast<std::int64_t>(assignment.size())}});
        if (!std::exchange(told_joined, true)) self->send(conductor, joined{actor.name});
        find();
      },
      [this](const positions_found& p) { on_positions(p); },
      [this](const group_revoked& r) {
        was_lost = r.lost;
        if (stopping) return;
        if (at == step::running && !members.empty()) {
          drain(drain_for::revoke);
        } else if (alive > 0) {
          purpose = std::max(purpose, drain_for::revoke);
        } else {
          purpose = drain_for::revoke;
          on_gone();
        }
      },
      [this](const queue_woke&) {
        unread = true;
        read();
      },
      [this](const batch_counted& b) {
        auto& block = *b.block;
        const auto bytes = block.events.bytes();
        if (spare.size() < most_spare && block.events.capacity() <= 2 * block_bytes) {
          block.events.clear();
          block.timestamps_ms.clear();
          block.tombstones = 0;
          spare.push_back(b.block);
        }
        if (b.generation != generation) return;
        in_flight -= std::min(in_flight, bytes);
        if (unread) read();
      },
      [this](const counting_blocked& b) {
        if (b.generation != generation || b.which >= members.size() || members[b.which].blocked == b.blocked)
          return;
        members[b.which].blocked = b.blocked;
        if (b.blocked) {
          if (blocked++ == 0)
            shared->metrics
                .counter("troupe_backpressure_pauses_total", {{"topic", members[b.which].where.topic}})
                .add();
        } else if (--blocked == 0) {
          read();
        }
      },
      [this](const counts_flushed& f) {
        if (f.generation != generation || f.which >= members.size()) return;
        shared->lag.update(spec.consume.group, members[f.which].where, f.position, {f.newest_ms, false},
                           consumer);
        commit(f.which, f.position);
      },
      [this](const last_flush_done& f) {
        if (f.generation != generation || f.which >= members.size()) return;
        members[f.which].last_done = true;
        check_flushed();
      },
      [this](const recount_needed& r) {
        if (r.generation != generation) return;
        log::warning("recount", r.why + "; starting again from what Redis holds", {{"actor", actor.name}});
        if (at == step::flushing) {
          members[r.which].last_done = true; // its successor reads the position from Redis
          check_flushed();
        } else {
          drain(drain_for::restart);
        }
      },
      [this](const commit_tick&) {
        commits_armed = false;
        if (to_commit.empty() || !consumer) return;
        std::vector<kafka::commit_request> all;
        for (const auto& [where, position] : to_commit)
          all.push_back({where, position, encode_origin(ledger, origins[where])});
        to_commit.clear();
        consumer->commit(std::move(all));
      },
      [this](const commits_ended& c) {
        for (const auto& report : c.reports) {
          (report.failure ? commits_failed : commits_ok)->add();
          shared->commit_duration.observe(report.seconds);
        }
      },
      [this](const consumer_trouble& t) {
        log::write(t.fatal ? log::level::error : log::level::warning, "consumer_trouble", t.what.detail,
                   {{"actor", actor.name}, {"group", spec.consume.group}});
        if (is_fenced(seat, t))
          quit_with(t.what.detail, 78);
        else if (t.fatal)
          self->quit(caf::sec::runtime_error);
      },
      [this](const consumer_closed& c) {
        if (!c.clean)
          log::warning("left_without_goodbye", "the group did not answer in time", {{"actor", actor.name}});
        if (abandoned) quit_with("counts were not flushed at the deadline; they will be counted again", 75);
        consumer.reset();
        self->quit();
      },
      [this](const drain_bound& d) {
        if (d.serial != drain_serial || at != step::flushing) return;
        abandoned = true;
        leave();
      },
      [this](const try_again&) {
        if (!consumer)
          open_consumer(seat);
        else if (at == step::leaving && members.empty() && purpose == drain_for::none && !assignment.empty())
          find();
      },
      [this](const reload_order& r) {
        const auto& now = std::get<config::aggregate_actor>(r.next.kind);
        spec.flush_every = now.flush_every;
        spec.flush_max_keys = now.flush_max_keys;
        for (const auto& x : members)
          if (x.aggregator) self->send(x.aggregator, flush_settings{spec.flush_every, spec.flush_max_keys});
      },
      [](const new_publisher&) {},
      [this](const who_is_there&) {
        roster all;
        for (const auto& x : members)
          all.members.emplace_back("aggregator", x.aggregator);
        return all;
      },
      [this](const stop_order&) {
        if (std::exchange(stopping, true) || !consumer) return;
        abandoned = false;
        if (at == step::running && !members.empty()) {
          drain(drain_for::stop);
        } else {
          purpose = drain_for::stop;
          if (alive == 0) on_gone();
        }
      },
  };
}

caf::behavior aggregate_supervisor(caf::stateful_actor<aggregate_supervisor_state>* self, services* shared,
                                   config::actor what, caf::actor conductor) {
  return self->state.make_behavior(shared, std::move(what), std::move(conductor));
}

} // namespace troupe::actors

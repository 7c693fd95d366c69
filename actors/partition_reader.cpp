#include "actors/partition_reader.hpp"

#include "engine/log/log.hpp"

#include <algorithm>

namespace troupe::actors {
namespace {

/// Events handed to the pool at once. Large enough to make the message free, small enough for fair turns.
constexpr std::size_t batch_size = 256;
/// A window this full asks for a commit without waiting for the next tick.
constexpr double early_commit = 0.25;

} // namespace

void partition_reader_state::read() {
  if (!queue || !wanted || stopped || !ledger->open()) return;
  if (next == batch.size()) {
    batch.clear();
    next = 0;
    const auto most = std::min(batch_size, ledger->room());
    unread = queue->read(batch, most) == most;
  }
  std::vector<flow::admitted> events;
  events.reserve(batch.size() - next);
  // Large events can fill the window in the middle of a batch: the others wait for it.
  for (; next < batch.size() && ledger->open() && !stopped; ++next) {
    auto& m = batch[next];
    if (!m.is_event()) {
      const auto why = m.failure();
      if (why.code == errc::conflict) {
        stopped = true;
        self->send(seat.supervisor, position_lost{seat.generation, seat.where, why.detail});
        continue;
      }
      log::warning("partition_trouble", why.detail,
                   {{"topic", seat.where.topic}, {"partition", seat.where.partition}, {"group", seat.group}});
      continue;
    }
    consumed->add();
    auto event = std::make_shared<record>(m.to_record(topic));
    const auto slot = ledger->admit(event->offset, event->bytes());
    newest_ms = event->timestamp_ms;
    if (slot) {
      if (times.size() <= *slot) times.resize(*slot + 1);
      times[*slot] = event->timestamp_ms;
      events.push_back({std::move(event), *slot});
    } else {
      skipped->add();
    }
  }
  if (next < batch.size())
    unread = true;
  else
    batch.clear(), next = 0; // unpins what was fetched
  if (!events.empty()) {
    wanted = false;
    self->send(seat.supervisor, offered{seat.generation, seat.which, std::move(events)});
  } else if (unread) {
    self->send(self, queue_woke{}); // all of it was recorded as finished
  }
  if (!ledger->open()) full->add();
}

void partition_reader_state::commit(bool last) {
  if (last) {
    stopped = true;
    if (ledger->commit_under_way()) {
      last_pending = true; // its report comes first
      return;
    }
  }
  auto snapshot = ledger->take_commit();
  const auto oldest = ledger->oldest();
  if (snapshot || last)
    self->send(seat.supervisor, commit_wanted{seat.generation,
                                              seat.which,
                                              last,
                                              std::move(snapshot),
                                              {oldest ? times[*oldest] : newest_ms, oldest.has_value()}});
}

caf::behavior partition_reader_state::make_behavior(reader_seat s) {
  seat = std::move(s);
  topic = std::make_shared<const std::string>(seat.where.topic);
  auto& m = seat.shared->metrics;
  consumed = &m.counter("messaging_client_consumed_messages_total",
                        {{"messaging_system", "kafka"},
                         {"messaging_destination_name", seat.where.topic},
                         {"messaging_consumer_group_name", seat.group}});
  skipped = &m.counter("troupe_redelivered_skipped_total", {{"group", seat.group}});
  full = &m.counter("troupe_backpressure_pauses_total", {{"topic", seat.where.topic}});
  ledger.emplace(seat.start, std::move(seat.recorded), seat.limits, seat.recording);
  return {
      [this](const queue_ready& ready) {
        queue = ready.queue;
        read();
      },
      [this](const queue_woke&) {
        unread = true;
        read();
      },
      [this](const more_wanted&) {
        wanted = true;
        if (unread) read();
      },
      [this](const settled& done) {
        for (std::size_t i = 0; i < done.slots.size(); ++i)
          ledger->finish(done.slots[i], done.held_bytes.empty() ? 0 : done.held_bytes[i]);
        if (ledger->fill() > early_commit) commit(false);
      },
      [this](const commit_due& due) {
        // What was finished since the one under way was taken has no other turn until the next event.
        due_again = ledger->commit_under_way();
        commit(due.last);
      },
      [this](const commit_done& done) {
        if (done.too_large) ledger->metadata_refused();
        ledger->commit_ended(done.acknowledged);
        const bool due = std::exchange(due_again, false);
        if (last_pending) {
          last_pending = false;
          commit(true);
        } else if (!stopped) {
          if (unread) read();
          if (done.acknowledged && (due || ledger->fill() > early_commit)) commit(false);
        }
      },
      [this](const stop_order&) { self->quit(); },
  };
}

caf::behavior partition_reader(caf::stateful_actor<partition_reader_state>* self, reader_seat seat) {
  return self->state.make_behavior(std::move(seat));
}

} // namespace troupe::actors

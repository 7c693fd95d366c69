#include "actors/publisher.hpp"

#include <caf/send.hpp>

namespace troupe::actors {
caf::behavior publisher_state::make_behavior(services* s) {
  shared = s;
  return {
      [this](const publish_request& m) {
        auto out = shared->producer(m.acks, m.timeout);
        if (!out) {
          self->send(m.reply_to, published{m.token, out.failure()});
          return;
        }
        shared->produce(**out, *m.events,
                        [token = m.token, to = m.reply_to](const std::optional<error>& failure) {
                          caf::anon_send(to, published{token, failure});
                        });
      },
      [this](const user_publish& m) {
        auto out = shared->producer(config::acks::all, config::publish{}.timeout);
        if (!out) {
          m.report->answer(out.failure());
          return;
        }
        self->delayed_send(self, m.deadline, user_deadline{m.report});
        shared->produce(**out, m.event, [report = m.report](result<kafka::delivery> r) {
          report->answer(r ? result<void>{} : result<void>{r.failure()});
        });
      },
      [](const user_deadline& m) {
        m.report->answer(
            error{errc::timeout,
                  "no acknowledgement within the deadline: whether the event was written is unknown"});
      },
      [this](const flush_producers& m) {
        // Waiting is not for an actor's thread.
        shared->chores.run([s = shared, m] {
          caf::anon_send(m.reply_to, producers_flushed{s->flush_producers(m.deadline)});
        });
      },
      [this](const stop_order&) { self->quit(); },
  };
}

caf::behavior publisher(caf::stateful_actor<publisher_state>* self, services* shared) {
  return self->state.make_behavior(shared);
}

void publisher_front::publish(outgoing event, milliseconds deadline, report done) {
  caf::actor to;
  {
    const std::lock_guard hold{lock_};
    to = actor_;
  }
  auto once = std::make_shared<report_once>(std::move(done));
  if (!to) {
    once->answer(error{errc::unavailable, "the engine is not running"});
    return;
  }
  caf::anon_send(to, user_publish{std::move(event), deadline, std::move(once)});
}

void publisher_front::point_to(caf::actor now) {
  const std::lock_guard hold{lock_};
  actor_ = std::move(now);
}

} // namespace troupe::actors

#include "actors/dead_letter_writer.hpp"

#include "actors/letter_rules.hpp"
#include "engine/core/failpoint.hpp"
#include "engine/log/log.hpp"

#include <caf/send.hpp>

namespace troupe::actors {
namespace {

/// How long librdkafka tries one dead letter before we hear of it and try it again.
constexpr milliseconds dlq_timeout{60'000};

} // namespace

void dead_letter_writer_state::write(flow::task_id id) {
  const auto at = letters.find(id);
  if (at == letters.end()) return;
  if (!out) {
    auto made = shared->producer(config::acks::all, dlq_timeout);
    if (!made) {
      self->send(self, bury_answer{id, made.failure()});
      return;
    }
    out = *made;
  }
  const auto& p = at->second;
  shared->produce(*out, p.envelope ? flow::make_envelope(p.letter, p.head) : p.letter,
                  [me = caf::actor_cast<caf::actor>(self), id](result<kafka::delivery> r) {
                    caf::anon_send(me, bury_answer{id, r ? std::nullopt : std::optional{r.failure()}});
                  });
}

caf::behavior dead_letter_writer_state::make_behavior(services* s, caf::actor to, std::string of) {
  shared = s;
  supervisor = std::move(to);
  actor = std::move(of);
  return {
      [this](bury& m) {
        const auto id = m.id;
        if (letters.emplace(id, pending{std::move(m.letter), std::move(m.error_class)}).second) write(id);
      },
      [this](const forget_letters&) { letters.clear(); },
      [this](const bury_again& m) { write(m.id); },
      [this](const bury_answer& m) {
        const auto at = letters.find(m.id);
        if (at == letters.end()) return;
        auto& p = at->second;
        if (!m.failure) {
          failpoint("letter_acknowledged");
          shared->count_dead_letter(actor, p.error_class, p.letter.topic);
          letters.erase(at);
          self->send(supervisor, buried{m.id});
          return;
        }
        if (m.failure->code == errc::too_large && (!p.envelope || p.head > 0)) {
          p.head = p.envelope ? p.head / 4 : envelope_head;
          p.envelope = true;
          write(m.id);
          return;
        }
        log::error("dead_letter_refused",
                   m.failure->detail +
                       "; the event keeps its key and is not skipped, the dead letter is tried again",
                   {{"actor", actor}, {"topic", p.letter.topic}, {"attempt", std::int64_t{p.tries + 1}}});
        self->delayed_send(self, policy::delay_of(write_again, ++p.tries, 0), bury_again{m.id});
      },
      [this](const stop_order&) { self->quit(); },
  };
}

caf::behavior dead_letter_writer(caf::stateful_actor<dead_letter_writer_state>* self, services* shared,
                                 caf::actor supervisor, std::string actor) {
  return self->state.make_behavior(shared, std::move(supervisor), std::move(actor));
}

} // namespace troupe::actors

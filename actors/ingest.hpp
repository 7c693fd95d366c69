#pragma once

#include "actors/answer_memory.hpp"
#include "actors/messages.hpp"
#include "actors/services.hpp"
#include "engine/http/server.hpp"
#include "engine/ingest/intake.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>

#include <deque>
#include <map>
#include <memory>
#include <optional>

namespace troupe::actors {

/// How much of an ingest's requests is under way: its queue is bounded in requests and bytes.
struct ingest_gate {
  static constexpr std::size_t most_requests = 4096;
  static constexpr std::size_t most_bytes = std::size_t{64} << 20;
  std::atomic<std::size_t> requests{0}, bytes{0};
};

/// A request under way. Whoever lets go of it unanswered has it answered 503.
struct asked {
  asked(http::request q, http::reply r, std::shared_ptr<ingest_gate> g)
      : what{std::move(q)}, to{std::move(r)}, gate{std::move(g)}, size{what.body.size()} {
    ++gate->requests;
    gate->bytes += size;
  }
  ~asked() {
    gate->bytes -= size;
    --gate->requests;
  }
  asked(const asked&) = delete;
  asked& operator=(const asked&) = delete;

  http::request what;
  http::reply to;
  std::shared_ptr<ingest_gate> gate;
  std::size_t size;
  std::string idempotency_key; ///< empty: none
  bool handled = false;        ///< its handler has answered, or is not waited for any more
};

class answer_words;

/// HTTP in, Kafka out: a request is answered when the broker has all of its events, or with what is wrong.
struct ingest_state {
  static inline const char* name = "ingest";
  explicit ingest_state(caf::event_based_actor* ptr) : self{ptr} {}
  caf::behavior make_behavior(services* shared, config::actor what, caf::actor conductor);

  result<void> open_door();
  void on_request(const std::shared_ptr<asked>& q);
  void on_looked_up(answer_looked_up& m);
  void on_done(const request_done& m);
  void go_on(const std::shared_ptr<asked>& q);
  void on_deadline();
  void on_handled(const request_handled& m);
  void publish(const std::shared_ptr<asked>& q, std::vector<outgoing> events, std::string body);
  void refuse(const std::shared_ptr<asked>& q, const ingest::problem& why,
              std::optional<milliseconds> retry_after = {});
  void call_handler(const std::shared_ptr<asked>& q, std::optional<std::string> key);
  [[nodiscard]] std::optional<std::string> key_of(const asked& q) const;

  caf::event_based_actor* self;
  services* shared = nullptr;
  caf::actor conductor;
  std::string actor;
  config::ingest_actor spec;
  std::optional<ingest::intake> intake;
  std::shared_ptr<ingest_gate> gate;
  std::shared_ptr<answer_words> words;
  std::shared_ptr<const surroundings> around;
  std::optional<answer_memory> memory;
  std::map<std::string, std::weak_ptr<asked>> under_way; ///< by idempotency key; gone where a handler let go
  std::deque<std::pair<steady_time, std::weak_ptr<asked>>> overdue; ///< calls of the handler, oldest first
  std::shared_ptr<executor> threads;                                ///< of a handler that blocks
  steady_time leave_by{};
  bool stopping = false;
};
caf::behavior ingest(caf::stateful_actor<ingest_state>* self, services* shared, config::actor what,
                     caf::actor conductor);

} // namespace troupe::actors

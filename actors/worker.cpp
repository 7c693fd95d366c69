#include "actors/worker.hpp"

#include "engine/handler/run_handler.hpp"
#include "engine/json/split.hpp"

#include <caf/send.hpp>

#include <algorithm>
#include <cctype>
#include <iterator>

namespace troupe::actors {
namespace {

milliseconds left_of(const call& what) {
  const auto left = what.context.deadline() - std::chrono::steady_clock::now();
  return std::max(milliseconds{0}, std::chrono::duration_cast<milliseconds>(left));
}

/// A share in [0, 1) that is the same for the same event (and attempt).
double share_of(const record& event, unsigned attempt) {
  const auto seed = std::hash<std::string>{}(event.id() + '#' + std::to_string(attempt));
  return static_cast<double>(seed >> 11) * 0x1.0p-53;
}

const header* find_header(const record& event, std::string_view name) {
  const auto same = [&](const header& h) {
    return h.value && std::equal(h.name.begin(), h.name.end(), name.begin(), name.end(), [](char a, char b) {
             return std::tolower(static_cast<unsigned char>(a)) ==
                    std::tolower(static_cast<unsigned char>(b));
           });
  };
  const auto at = std::find_if(event.headers.begin(), event.headers.end(), same);
  return at == event.headers.end() ? nullptr : &*at;
}

/// A Kafka key or header is bytes; an HTTP header is a line of visible text.
std::string header_safe(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if ((u >= 0x20 && u < 0x7F && c != '%') || u >= 0x80) {
      out += c;
    } else {
      out += '%';
      out += "0123456789ABCDEF"[u >> 4];
      out += "0123456789ABCDEF"[u & 15];
    }
  }
  return out;
}

std::shared_ptr<journal::call_note> note_call(const call_route& route, const call& what) {
  return route.journal ? route.journal->note(route.group, *what.event, what.alone) : nullptr;
}

outcome run_blocking(const call_route& route, call& what) {
  const auto note = note_call(route, what);
  const journal::runs_on_this_thread here{note ? note->state() : nullptr};
  const auto& by = std::get<call_route::by_function>(route.how);
  return run_handler(std::get<blocking_handler>(by.run), *what.event, what.context);
}

/// A call under way: as long as there is a copy of what may answer it, whoever holds that.
class open_call {
public:
  open_call(std::shared_ptr<call> what, std::shared_ptr<const call_route> by)
      : what_{std::move(what)}, by_{std::move(by)} {
    what_->begun.store(true);
    by_->under_way->fetch_add(1);
  }
  open_call(const open_call&) = delete;
  open_call& operator=(const open_call&) = delete;
  ~open_call() { by_->under_way->fetch_sub(1); }

  [[nodiscard]] const std::shared_ptr<call>& what() const { return what_; }
  [[nodiscard]] const call_route& by() const { return *by_; }
  /// Only the first one counts.
  void answer(outcome result) {
    if (answered_.exchange(true)) return;
    what_->result = std::move(result);
    by_->ended->put(what_);
  }

private:
  std::shared_ptr<call> what_;
  std::shared_ptr<const call_route> by_; ///< so it outlives the worker
  std::atomic<bool> answered_{false};
};

void run_async(const std::shared_ptr<open_call>& one) {
  const auto& what = one->what();
  const auto& by = std::get<call_route::by_function>(one->by().how);
  const auto& handler = std::get<async_handler>(by.run);
  const auto note = note_call(one->by(), *what);
  const journal::runs_on_this_thread here{note ? note->state() : nullptr};
  run_handler(handler, what->event, std::shared_ptr<context>{what, &what->context},
              [one, note](outcome result) {
                if (note) note->end();
                one->answer(std::move(result));
              });
}

} // namespace

void ended_calls::put(std::shared_ptr<call> one) {
  bool first = false;
  {
    const std::lock_guard hold{lock_};
    first = calls_.empty();
    calls_.push_back(std::move(one));
  }
  if (first) caf::anon_send(supervisor_, calls_ended{});
}

void ended_calls::take(std::vector<std::shared_ptr<call>>& into) {
  const std::lock_guard hold{lock_};
  calls_.swap(into);
}

bool simulated_calls::add(steady_time due, std::shared_ptr<call> one) {
  const std::lock_guard hold{lock_};
  auto at = calls_.end(); // almost always: the latency is one for all
  while (at != calls_.begin() && std::prev(at)->due > due)
    --at;
  calls_.insert(at, {due, std::move(one)});
  if (alarm_ && *alarm_ <= due) return false;
  alarm_ = due;
  return true;
}

std::optional<steady_time> simulated_calls::take(steady_time now, std::vector<std::shared_ptr<call>>& into) {
  const std::lock_guard hold{lock_};
  for (; !calls_.empty() && calls_.front().due <= now; calls_.pop_front())
    into.push_back(std::move(calls_.front().what));
  if (alarm_ && *alarm_ <= now) alarm_.reset();
  if (calls_.empty() || (alarm_ && *alarm_ <= calls_.front().due)) return std::nullopt;
  alarm_ = calls_.front().due;
  return alarm_;
}

outcome end_simulated(const config::simulate_handler& how, const call& what) {
  if (how.latency > milliseconds{0} && left_of(what) == milliseconds{0})
    return outcome::transient("deadline exceeded", "deadline");
  if (how.permanent > 0 && share_of(*what.event, 0) < how.permanent)
    return outcome::permanent("simulated permanent failure", "simulated");
  if (how.fail > 0 && share_of(*what.event, what.context.attempt()) < how.fail)
    return outcome::transient("simulated failure", "simulated");
  return outcome::success();
}

http::call make_http_call(const http::url& to, const call& what, milliseconds left) {
  const auto& e = *what.event;
  http::call out;
  out.to = to;
  const auto* type = find_header(e, "content-type");
  out.headers = {{"Content-Type", type ? header_safe(*type->value) : "application/json"},
                 {"Idempotency-Key", e.id()},
                 {"X-Troupe-Topic", *e.topic},
                 {"X-Troupe-Partition", std::to_string(e.partition)},
                 {"X-Troupe-Offset", std::to_string(e.offset)},
                 {"X-Troupe-Attempt", std::to_string(what.context.attempt())},
                 {"X-Troupe-Actor", what.context.actor()},
                 {"X-Troupe-Deadline", std::to_string(left.count())}};
  if (e.key) out.headers.emplace_back("X-Troupe-Key", header_safe(*e.key));
  for (const auto* name : {"traceparent", "tracestate"})
    if (const auto* h = find_header(e, name)) out.headers.emplace_back(name, header_safe(*h->value));
  out.body = e.value.value_or("");
  return out;
}

outcome judge_answer(const std::variant<http::answer, http::broken_call>& got, bool publishes) {
  if (const auto* broken = std::get_if<http::broken_call>(&got)) {
    switch (broken->kind) {
    case http::failure::no_connection:
      return outcome::unavailable(broken->detail, {}, "no_connection");
    case http::failure::reset:
      return outcome::transient(broken->detail, "reset");
    case http::failure::deadline:
      return outcome::transient(broken->detail, "deadline");
    case http::failure::cancelled:
      return outcome::transient(broken->detail, "cancelled");
    case http::failure::too_large:
      return outcome::transient(broken->detail, "answer_too_large");
    case http::failure::malformed:
      return outcome::transient(broken->detail, "malformed_answer");
    }
  }
  const auto& a = std::get<http::answer>(got);
  const auto status = "HTTP " + std::to_string(a.status);
  const auto error_class = "http_" + std::to_string(a.status);
  if (a.status >= 200 && a.status < 300) {
    auto done = outcome::success();
    const auto filled = [](char c) { return c != ' ' && c != '\t' && c != '\r' && c != '\n'; };
    if (!publishes || std::none_of(a.body.begin(), a.body.end(), filled)) return done;
    const auto events = json::split_events(a.body);
    if (!events)
      return outcome::permanent("the answer is neither a JSON object nor an array of events to publish",
                                "bad_answer");
    for (const auto& value : *events) {
      outgoing event;
      event.value = value;
      done.events.push_back(std::move(event));
    }
    return done;
  }
  if (a.status == 429 || a.status == 503) return outcome::unavailable(status, a.retry_after, error_class);
  if (a.status == 408 || a.status == 425 || a.status >= 500) {
    auto again = outcome::transient(status, error_class);
    again.retry_after = a.retry_after;
    return again;
  }
  return outcome::permanent(status, error_class);
}

void worker_state::begin(const std::shared_ptr<call>& what) {
  if (const auto* s = std::get_if<call_route::by_simulation>(&route->how)) {
    // Nothing is done: should this actor die meanwhile, the call has never begun.
    const auto takes = std::min<steady_time::duration>(s->as.latency, left_of(*what));
    if (s->calls->add(self->clock().now() + takes, what))
      self->delayed_send(route->supervisor, takes, simulations_due{});
    return;
  }
  const auto one = std::make_shared<open_call>(what, route);
  if (const auto* f = std::get_if<call_route::by_function>(&route->how)) {
    if (std::holds_alternative<async_handler>(f->run)) return run_async(one);
    f->threads->run([one] { one->answer(run_blocking(one->by(), *one->what())); });
    return;
  }
  const auto& h = std::get<call_route::by_http>(route->how);
  const auto left = left_of(*what);
  h.client->send(make_http_call(h.to, *what, left), left,
                 [one, publishes = h.publishes](std::variant<http::answer, http::broken_call> got) {
                   one->answer(judge_answer(got, publishes));
                 });
}

caf::behavior worker_state::make_behavior(std::shared_ptr<const call_route> by) {
  route = std::move(by);
  return {
      [this](const begin_call& m) { begin(m.what); },
      [this](const stop_order&) { self->quit(); },
  };
}

caf::behavior worker(caf::stateful_actor<worker_state>* self, std::shared_ptr<const call_route> route) {
  return self->state.make_behavior(std::move(route));
}

} // namespace troupe::actors

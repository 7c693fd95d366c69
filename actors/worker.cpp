#include "actors/worker.hpp"

#include "actors/http_call.hpp"
#include "engine/handler/run_handler.hpp"

#include <caf/send.hpp>

#include <algorithm>
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

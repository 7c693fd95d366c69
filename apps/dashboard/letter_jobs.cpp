#include "apps/dashboard/letter_jobs.hpp"

#include "engine/core/uuid.hpp"
#include "engine/deadletters/archive.hpp"
#include "engine/deadletters/letter_json.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

namespace troupe::dashboard {
namespace {

using tree = nlohmann::ordered_json;
using clock = std::chrono::steady_clock;
using state = job_view::state;

double seconds_since(clock::time_point then) {
  return std::chrono::duration<double>(clock::now() - then).count();
}

} // namespace

std::string name_of(state s) {
  switch (s) {
  case state::running:
    return "running";
  case state::done:
    return "done";
  case state::failed:
    return "failed";
  case state::stopped:
    return "stopped";
  }
  return {};
}

std::string verb_for(deadletters::action what) {
  return what == deadletters::action::replayed ? "replay" : "discard";
}

tree json_of(const deadletters::plan& what, bool keys) {
  tree all{{"count", what.count()}, {"targets", tree::object()}, {"skipped", tree::object()}};
  for (const auto& [topic, n] : what.counts)
    if (!topic.empty()) all["targets"][topic] = n;
  for (const auto& [why, n] : what.left_out)
    all["skipped"][why] = n;
  all["first_keys"] = tree::array();
  for (const auto& key : what.first_keys)
    if (keys) all["first_keys"].push_back(deadletters::is_text(key) ? key : "0x" + deadletters::hex(key));
  return all;
}

tree json_of(const job_view& job) {
  const auto& p = job.progress;
  tree all{{"job", job.id},  {"topic", job.topic}, {"action", verb_for(job.what)},
           {"by", job.by},   {"at", job.begun_ms}, {"state", name_of(job.now)},
           {"done", p.done}, {"total", p.total},   {"skipped", tree::object()}};
  if (p.done > 0 && job.seconds > 0) {
    const auto rate = static_cast<double>(p.done) / job.seconds;
    all["per_second"] = rate;
    if (job.now == state::running)
      all["eta_s"] = static_cast<double>(p.total - std::min(p.total, p.done)) / rate;
  }
  for (const auto& [why, n] : p.left_out)
    all["skipped"][why] = n;
  if (!job.trouble.empty()) all["trouble"] = job.trouble;
  return all;
}

struct letter_jobs::job {
  explicit job(deadletters::routes to) : ways{std::move(to)} {}

  const deadletters::routes ways;
  deadletters::plan plan;
  clock::time_point began = clock::now();
  job_view view;       ///< under the lock of all
  std::jthread thread; ///< last: it uses the others
};

letter_jobs::letter_jobs(kafka::connection to, listeners who)
    : kafka_{std::move(to)}, listeners_{std::move(who)} {}

letter_jobs::~letter_jobs() {
  close();
}

void letter_jobs::close() {
  std::list<std::unique_ptr<job>> all;
  {
    const std::lock_guard hold{lock_};
    closed_ = true;
    all.swap(jobs_);
  }
  for (auto& j : all)
    j->thread.request_stop();
  all.clear(); // joins
}

result<std::string> letter_jobs::start(deadletters::plan what, deadletters::routes ways, std::string by) {
  const std::lock_guard hold{lock_};
  if (closed_) return error{errc::unavailable, "the dashboard is closing"};
  std::size_t running = 0;
  for (const auto& j : jobs_) {
    if (j->view.now != state::running) continue;
    ++running;
    // Of two at work on a topic the later one would end the other.
    if (j->view.topic == what.order.topic)
      return error{errc::conflict, "a " + verb_for(j->view.what) + " of " + j->view.topic + " by " +
                                       j->view.by + " is at work; wait for it, or stop it"};
  }
  if (running >= most_at_once)
    return error{errc::unavailable,
                 std::to_string(running) + " replays and discards are at work; wait for one"};
  forget_old();
  auto& j = *jobs_.emplace_front(std::make_unique<job>(std::move(ways)));
  j.view.id = random_uuid();
  j.view.by = std::move(by);
  j.view.topic = what.order.topic;
  j.view.what = what.order.what;
  j.view.begun_ms = wall_ms();
  j.view.progress.total = what.count();
  j.view.progress.left_out = what.left_out;
  j.plan = std::move(what);
  j.thread = std::jthread{[this, &j](const std::stop_token& stop) { work(j, stop); }};
  return j.view.id;
}

/// Under the lock. Those that run are fewer than may be kept.
void letter_jobs::forget_old() {
  for (auto at = jobs_.end(); jobs_.size() >= most_kept && at != jobs_.begin();)
    if ((*--at)->view.now != state::running) at = jobs_.erase(at);
}

void letter_jobs::work(job& on, const std::stop_token& stop) {
  const auto change = [&](auto&& how) {
    const std::lock_guard hold{lock_};
    on.view.seconds = seconds_since(on.began);
    how(on.view);
    return on.view;
  };
  if (listeners_.began) listeners_.began(change([](auto&) {}));
  deadletters::progress so_far;
  const deadletters::pace how{0, on.view.by, // written before the thread began, like the plan
                              [&](const auto& now) { change([&](auto& v) { v.progress = now; }); },
                              [&](const auto& text) { change([&](auto& v) { v.trouble = text; }); }};
  auto archive = deadletters::archive::open(kafka_);
  deadletters::resolver resolver{kafka_, on.ways};
  const auto ended =
      archive ? resolver.carry_out(**archive, on.plan, how, stop, so_far) : result<void>{archive.failure()};
  const bool cut = stop.stop_requested() && so_far.done < on.plan.count();
  const auto last = [&] {
    const std::lock_guard hold{lock_};
    auto view = on.view;
    view.seconds = seconds_since(on.began);
    if (archive) view.progress = so_far;
    view.now = !ended ? state::failed : cut ? state::stopped : state::done;
    if (ended)
      view.trouble.clear();
    else
      view.trouble = ended.failure().detail;
    return view;
  }();
  // Told before it is seen as ended: whoever waits for that finds what the listener does.
  if (listeners_.ended) listeners_.ended(last);
  change([&](auto& v) { v = last; });
}

std::optional<job_view> letter_jobs::find(const std::string& id) const {
  const std::lock_guard hold{lock_};
  for (const auto& j : jobs_)
    if (j->view.id == id) return j->view;
  return std::nullopt;
}

std::vector<job_view> letter_jobs::newest() const {
  const std::lock_guard hold{lock_};
  std::vector<job_view> all;
  for (const auto& j : jobs_)
    all.push_back(j->view);
  return all;
}

bool letter_jobs::stop(const std::string& id) {
  const std::lock_guard hold{lock_};
  for (const auto& j : jobs_)
    if (j->view.id == id) return j->thread.request_stop(), true;
  return false;
}

} // namespace troupe::dashboard

#include "apps/dashboard/hub.hpp"

#include "apps/dashboard/answers.hpp"
#include "apps/dashboard/merge_patch.hpp"

#include <chrono>
#include <utility>

namespace troupe::dashboard {
namespace {

using namespace std::chrono_literals;

constexpr auto kept = 60s;
constexpr auto silence = 10s;
constexpr std::size_t most_followers = 100;
constexpr std::size_t most_kept = std::size_t{8} << 20;    ///< bytes of past events
constexpr std::size_t most_waiting = std::size_t{4} << 20; ///< bytes that one follower has not read

std::string event_text(const char* kind, std::int64_t number, const std::string& data) {
  return "id: " + std::to_string(number) + "\nevent: " + kind + "\ndata: " + data + "\n\n";
}

} // namespace

hub::hub(std::int64_t first) : number_{first} {}

void hub::publish(nlohmann::json document, steady_time now) {
  // Only this publishes, so the document stands still without the lock.
  const auto patch = merge_patch(document_, document);
  if (patch.empty()) return;
  auto text = std::make_shared<const std::string>(text_of(document));
  const auto change = text_of(patch);
  const std::lock_guard hold{lock_};
  document_ = std::move(document);
  text_ = std::move(text);
  ++number_;
  told_ = now;
  auto news = std::make_shared<const std::string>(event_text("patch", number_, change));
  tell(*news);
  events_bytes_ += news->size();
  events_.push_back({number_, now, std::move(news)});
  forget_before(now - kept);
}

void hub::tell(const std::string& text) {
  for (auto at = followers_.begin(); at != followers_.end();)
    at = at->to->write(text) ? std::next(at) : followers_.erase(at);
}

void hub::forget_before(steady_time when) {
  while (!events_.empty() && (events_.front().at < when || events_bytes_ > most_kept)) {
    events_bytes_ -= events_.front().text->size();
    events_.pop_front();
  }
}

void hub::keep_alive(steady_time now) {
  const std::lock_guard hold{lock_};
  for (auto at = followers_.begin(); at != followers_.end();)
    at = at->may() ? std::next(at) : followers_.erase(at);
  if (now - told_ < silence) return;
  told_ = now;
  tell(":\n\n");
}

std::shared_ptr<const std::string> hub::snapshot() const {
  const std::lock_guard hold{lock_};
  return text_;
}

void hub::follow(http::reply to, std::optional<std::int64_t> last, std::function<bool()> may) {
  const std::lock_guard hold{lock_};
  if (closed_ || followers_.size() >= most_followers)
    return to(
        problem(503, closed_ ? "the dashboard stops" : "too many follow already: poll /api/v1/snapshot"));
  auto made = to.open({.content_type = "text/event-stream",
                       .body = {},
                       .headers = {{"Cache-Control", "no-store"}, {"X-Accel-Buffering", "no"}}},
                      most_waiting);
  if (!made) return;
  std::string begin = "retry: 2000\n\n";
  // What was missed, where all of it is still there.
  if (last && !events_.empty() && *last <= number_ && *last + 1 >= events_.front().number) {
    for (const auto& e : events_)
      if (e.number > *last) begin += *e.text;
  } else {
    begin += event_text("snapshot", number_, *text_);
  }
  if (made->write(begin)) followers_.push_back({std::move(made), std::move(may)});
}

std::size_t hub::followers() const {
  const std::lock_guard hold{lock_};
  return followers_.size();
}

void hub::close() {
  const std::lock_guard hold{lock_};
  closed_ = true;
  followers_.clear();
}

} // namespace troupe::dashboard

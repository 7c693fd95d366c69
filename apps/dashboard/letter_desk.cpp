#include "apps/dashboard/letter_desk.hpp"

#include <algorithm>

namespace troupe::dashboard {
namespace {

constexpr std::size_t threads = 2;
constexpr std::size_t most_remembered = 64;
constexpr int kept_times_the_cost = 10;
constexpr std::chrono::seconds longest_kept{60};

} // namespace

letter_desk::letter_desk(kafka::connection to, std::size_t most_waiting)
    : kafka_{std::move(to)}, most_waiting_{most_waiting}, threads_{std::make_unique<executor>(threads)} {}

letter_desk::~letter_desk() = default;

bool letter_desk::take(question what) {
  if (threads_->busy() >= most_waiting_) return false;
  threads_->run([this, what = std::move(what)] {
    auto archive = borrow();
    if (!archive) return what(archive.failure());
    what(archive->get());
    give_back(std::move(*archive));
  });
  return true;
}

result<std::unique_ptr<deadletters::archive>> letter_desk::borrow() {
  {
    const std::lock_guard hold{lock_};
    if (!free_.empty()) {
      auto one = std::move(free_.back());
      free_.pop_back();
      return one;
    }
  }
  return deadletters::archive::open(kafka_);
}

void letter_desk::give_back(std::unique_ptr<deadletters::archive> one) {
  const std::lock_guard hold{lock_};
  free_.push_back(std::move(one));
}

result<std::string> letter_desk::remembered(const std::string& topic, const std::string& name,
                                            const std::function<result<std::string>()>& read) {
  const auto began = clock::now();
  std::uint64_t changes = 0;
  {
    const std::lock_guard hold{lock_};
    if (const auto at = memories_.find(name); at != memories_.end() && at->second.until > began)
      return at->second.text;
    changes = changes_[topic];
  }
  auto text = read();
  if (!text) return text;
  const auto now = clock::now();
  const auto kept = std::min<clock::duration>((now - began) * kept_times_the_cost, longest_kept);
  const std::lock_guard hold{lock_};
  if (changes_[topic] != changes) return text; // it is old already
  std::erase_if(memories_, [&](const auto& m) { return m.second.until <= now; });
  if (memories_.size() >= most_remembered)
    memories_.erase(std::min_element(memories_.begin(), memories_.end(), [](const auto& a, const auto& b) {
      return a.second.until < b.second.until;
    }));
  memories_[name] = {topic, *text, now + kept};
  return text;
}

void letter_desk::forget(const std::string& topic) {
  const std::lock_guard hold{lock_};
  ++changes_[topic];
  std::erase_if(memories_, [&](const auto& m) { return m.second.topic == topic; });
}

} // namespace troupe::dashboard

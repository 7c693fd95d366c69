#include "apps/dashboard/sessions.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <random>
#include <string_view>
#include <utility>

namespace troupe::dashboard {
namespace {

using namespace std::chrono_literals;

constexpr auto unused_for = 12h, at_most = 7 * 24h;
constexpr std::size_t most_sessions = 1000;
constexpr unsigned free_tries = 5;
constexpr milliseconds first_wait = 1s, longest_of_address = 15min, longest_of_name = 30s;
constexpr auto forgotten_after = 30min;
constexpr std::size_t most_remembered = 10'000;

} // namespace

std::string random_token() {
  constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  constexpr int length = 43;  // of 6 bits
  std::random_device entropy; // of the kernel
  std::string token;
  for (int i = 0; i < length; ++i)
    token += letters[entropy() % letters.size()];
  return token;
}

bool sessions::over(const session& s, steady_time now) {
  return now - s.used > unused_for || now - s.began > at_most;
}

std::string sessions::begin(std::string user, bool operates, steady_time now) {
  const std::lock_guard hold{lock_};
  std::erase_if(all_, [&](const auto& one) { return over(one.second, now); });
  if (all_.size() >= most_sessions)
    all_.erase(std::min_element(all_.begin(), all_.end(),
                                [](const auto& a, const auto& b) { return a.second.used < b.second.used; }));
  auto token = random_token();
  all_[token] = {{std::move(user), operates, random_token()}, now, now};
  return token;
}

std::optional<login> sessions::find(const std::string& token, steady_time now) {
  const std::lock_guard hold{lock_};
  const auto at = all_.find(token);
  if (at == all_.end()) return std::nullopt;
  if (over(at->second, now)) {
    all_.erase(at);
    return std::nullopt;
  }
  at->second.used = now;
  return at->second.who;
}

void sessions::end(const std::string& token) {
  const std::lock_guard hold{lock_};
  all_.erase(token);
}

milliseconds throttle::left(const book& in, const std::string& who, steady_time now) {
  const auto at = in.find(who);
  if (at == in.end() || at->second.open <= now) return 0ms;
  return std::chrono::ceil<milliseconds>(at->second.open - now);
}

std::optional<milliseconds> throttle::wait(const std::string& address, const std::string& name,
                                           steady_time now) {
  const auto longest = std::max(left(addresses_, address, now), left(names_, name, now));
  return longest > 0ms ? std::optional{longest} : std::nullopt;
}

void throttle::note(book& in, const std::string& who, milliseconds longest, steady_time now) {
  std::erase_if(in, [&](const auto& one) { return now - one.second.last > forgotten_after; });
  if (in.size() >= most_remembered && !in.contains(who)) in.erase(in.begin());
  auto& f = in[who];
  f.last = now;
  if (++f.count < free_tries) return;
  const auto doublings = std::min(f.count - free_tries, 20U);
  f.open = now + std::min(first_wait * (1U << doublings), longest);
}

void throttle::failed(const std::string& address, const std::string& name, steady_time now) {
  note(addresses_, address, longest_of_address, now);
  note(names_, name, longest_of_name, now);
}

void throttle::succeeded(const std::string& address, const std::string& name) {
  addresses_.erase(address);
  names_.erase(name);
}

} // namespace troupe::dashboard

#include "engine/journal/crash_book.hpp"

#include <algorithm>
#include <sstream>
#include <utility>

namespace troupe::journal {
namespace {

constexpr std::string_view headline = "troupe crashes 1";
constexpr std::int64_t kept_ms = std::int64_t{7} * 24 * 3600 * 1000;
constexpr std::size_t most_events = 1000;

} // namespace

crash_book crash_book::parse(std::string_view text) {
  crash_book book;
  std::istringstream lines{std::string{text}};
  std::string line;
  if (!std::getline(lines, line) || line != headline) return book;
  while (std::getline(lines, line)) {
    std::istringstream words{line};
    call_place call;
    crash_history history;
    std::string end;
    words >> history.crashes >> history.first_ms >> history.last_ms >> history.last_life >> call.partition >>
        call.offset >> call.timestamp_ms >> call.group >> call.topic >> end;
    // The last word tells a whole line from a torn one, whose topic may be cut.
    if (!words || end != "." || history.crashes == 0) continue;
    book.all_.emplace(std::move(call), history);
  }
  return book;
}

std::string crash_book::render() const {
  std::ostringstream out;
  out << headline << '\n';
  for (const auto& [call, history] : all_)
    out << history.crashes << ' ' << history.first_ms << ' ' << history.last_ms << ' ' << history.last_life
        << ' ' << call.partition << ' ' << call.offset << ' ' << call.timestamp_ms << ' ' << call.group << ' '
        << call.topic << " .\n";
  return out.str();
}

void crash_book::add(const suspicion& who, std::uint64_t life, std::int64_t wall) {
  auto& history = all_[who.call];
  if (history.crashes > 0 && history.last_life == life) return;
  if (history.crashes == 0) history.first_ms = wall;
  history.last_ms = wall;
  history.last_life = life;
  if (who.sure || history.crashes + 1 < most_crashes) ++history.crashes;
}

void crash_book::prune(std::int64_t wall) {
  std::erase_if(all_, [&](const auto& e) { return e.second.last_ms < wall - kept_ms; });
  while (all_.size() > most_events)
    all_.erase(std::min_element(all_.begin(), all_.end(), [](const auto& a, const auto& b) {
      return a.second.last_ms < b.second.last_ms;
    }));
}

} // namespace troupe::journal

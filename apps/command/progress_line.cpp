#include "apps/command/progress_line.hpp"

#include "apps/command/dlq_verbs.hpp"
#include "apps/command/words.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include <unistd.h>

namespace troupe {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds redraw{200}, between_lines{10'000};

std::string short_time(double seconds) {
  const auto s = static_cast<std::uint64_t>(std::ceil(seconds));
  if (s < 60) return std::to_string(s) + 's';
  if (s < 3600) return std::to_string(s / 60) + 'm' + std::to_string(s % 60) + 's';
  return std::to_string(s / 3600) + 'h' + std::to_string(s % 3600 / 60) + 'm';
}

} // namespace

std::string progress_text(const deadletters::progress& now, double seconds) {
  std::uint64_t skipped = 0;
  for (const auto& [why, n] : now.left_out)
    skipped += n;
  const auto share = now.total == 0 ? 100 : now.done * 100 / now.total;
  auto text = (share < 10    ? "  "
               : share < 100 ? " "
                             : "") +
              std::to_string(share) + "% " + words::count(now.done) + '/' + words::count(now.total);
  const double rate = seconds > 0 ? static_cast<double>(now.done) / seconds : 0;
  if (rate > 0) {
    text += "  " + words::count(static_cast<std::uint64_t>(std::llround(rate))) + "/s";
    if (now.done < now.total) text += "  eta " + short_time(static_cast<double>(now.total - now.done) / rate);
  }
  if (skipped > 0) text += "  skipped " + words::count(skipped);
  return text;
}

progress_line::progress_line()
    : terminal_{isatty(STDERR_FILENO) != 0}, next_{terminal_ ? began_ : began_ + between_lines} {}

progress_line::~progress_line() {
  if (drawn_) std::fputc('\n', stderr);
}

void progress_line::show(const deadletters::progress& now) {
  const std::lock_guard hold{lock_};
  const auto at = clock::now();
  if (at < next_ && !(terminal_ && now.done == now.total)) return;
  next_ = at + (terminal_ ? redraw : between_lines);
  const auto text = progress_text(now, std::chrono::duration<double>(at - began_).count());
  std::fprintf(stderr, terminal_ ? "\r\033[K%s" : "%s\n", text.c_str());
  std::fflush(stderr);
  drawn_ = terminal_;
}

void progress_line::say(const std::string& what) {
  const std::lock_guard hold{lock_};
  std::fprintf(stderr, "%s%s\n", drawn_ ? "\n" : "", what.c_str());
  drawn_ = false;
}

} // namespace troupe

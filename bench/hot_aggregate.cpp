// bench_hot_aggregate EVENTS
//
// Counts that many page views as an aggregator does, without a server: what is measured is the way of an
// event from its text to its place in the counts. Under callgrind the instructions for each event are (I(2N)
// - I(N)) / N, which no other load on the machine can touch.

#include "bench/page_views.hpp"
#include "engine/aggregate/tally.hpp"

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

constexpr std::size_t kept = 50'000; ///< events made ahead, so that their making is not counted
constexpr std::size_t paths = 1000;
constexpr std::size_t batch = 2000;      ///< between two looks at the clock
constexpr std::size_t flushed = 100'000; ///< events of a partition between two flushes
constexpr std::time_t first_second = 1'767'225'600;

} // namespace

int main(int argc, char** argv) {
  const std::uint64_t events = argc == 2 ? std::strtoull(argv[1], nullptr, 10) : 0;
  if (events == 0) {
    std::fprintf(stderr, "usage: bench_hot_aggregate EVENTS\n");
    return 64;
  }
  std::vector<std::string> values;
  std::uint64_t views = 0;
  for (bench::page_views made{kept, paths, first_second}; values.size() < kept;) {
    made.next();
    values.emplace_back(made.value());
    const auto times = events / kept + (values.size() <= events % kept ? 1 : 0);
    if (made.counts()) views += times;
  }

  troupe::aggregate::tally tally{{.where = {{"/type", "page_view"}},
                                  .count_by = "/payload/path",
                                  .into = "views:{value}",
                                  .minute_into = "page-views:{minute}",
                                  .minute_keep = std::chrono::hours{48},
                                  .event_time = "/timestamp"}};
  std::int64_t by_path = 0, by_minute = 0;
  const auto flush = [&] {
    const auto delta = tally.take();
    for (const auto& one : delta.totals)
      by_path += one.count;
    for (const auto& set : delta.minutes)
      for (const auto& one : set.members)
        by_minute += one.count;
  };
  troupe::json::texts handed;
  std::uint64_t filtered = 0, since_flush = 0;
  for (std::uint64_t i = 0; i < events; i += handed.size()) {
    handed.clear();
    for (auto at = i; at < events && handed.size() < batch; ++at)
      handed.add(values[at % kept]);
    tally.set_now(first_second * 1000);
    filtered += tally.count_all(handed, {}).of(troupe::aggregate::counted::filtered);
    since_flush += handed.size();
    if (since_flush >= flushed) flush(), since_flush = 0;
  }
  flush();
  if (events - filtered == views && by_path == static_cast<std::int64_t>(views) && by_minute == by_path)
    return 0;
  std::fprintf(stderr, "bench_hot_aggregate: counted %llu, by path %lld, by minute %lld, and not %llu\n",
               static_cast<unsigned long long>(events - filtered), static_cast<long long>(by_path),
               static_cast<long long>(by_minute), static_cast<unsigned long long>(views));
  return 1;
}

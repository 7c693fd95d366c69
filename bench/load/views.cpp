#include "bench/client.hpp"
#include "bench/load/jobs.hpp"
#include "bench/page_views.hpp"

#include <cstdint>
#include <cstdio>
#include <ctime>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace bench {

void views() {
  const auto events = static_cast<std::uint64_t>(number("EVENTS"));
  const auto paths = static_cast<std::size_t>(number("PATHS"));
  const auto filler = static_cast<std::size_t>(number("FILLER"));
  const std::time_t first_second = number("FIRST_SECOND");
  if (paths == 0) fail("no paths");
  rd_kafka_t* producer = open_in_bulk();
  rd_kafka_topic_t* topic = rd_kafka_topic_new(producer, setting("TOPIC"), nullptr);

  page_views made{events, paths, first_second, filler};
  std::map<std::string, std::vector<std::uint64_t>, std::less<>> by_minute;
  std::uint64_t bytes = 0;
  for (std::uint64_t i = 0; i < events; ++i) {
    made.next();
    auto minute = by_minute.find(made.minute());
    if (minute == by_minute.end()) minute = by_minute.emplace(made.minute(), paths).first;
    if (made.counts()) ++minute->second[made.path()];
    bytes += made.value().size();
    produce(producer, topic, std::string{made.key()}, made.value().data(), made.value().size());
    if (i % 1000 == 0) rd_kafka_poll(producer, 0);
  }
  close_producer(producer, topic);

  std::FILE* expected = std::fopen(setting("EXPECTED"), "w");
  if (!expected) fail("cannot write what is expected");
  std::vector<std::uint64_t> totals(paths);
  for (const auto& [minute, seen] : by_minute)
    for (std::size_t path = 0; path < paths; ++path) {
      totals[path] += seen[path];
      if (seen[path] > 0)
        std::fprintf(expected, "minute %s /products/item-%04zu %llu\n", minute.c_str(), path,
                     static_cast<unsigned long long>(seen[path]));
    }
  for (std::size_t path = 0; path < paths; ++path)
    if (totals[path] > 0)
      std::fprintf(expected, "total /products/item-%04zu %llu\n", path,
                   static_cast<unsigned long long>(totals[path]));
  std::fprintf(expected, "bytes %llu\n", static_cast<unsigned long long>(bytes));
  if (std::fclose(expected) != 0) fail("cannot write what is expected");
}

} // namespace bench

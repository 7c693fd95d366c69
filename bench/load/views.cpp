#include "bench/client.hpp"
#include "bench/load/jobs.hpp"
#include "bench/load/random.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <map>
#include <string>
#include <vector>

namespace bench {

namespace {

constexpr std::int64_t seconds_covered = 600;
constexpr std::uint64_t sessions = 100'000;

} // namespace

void views() {
  const auto events = static_cast<std::uint64_t>(number("EVENTS"));
  const auto paths = static_cast<std::size_t>(number("PATHS"));
  const std::string filler(static_cast<std::size_t>(number("FILLER")), 'x');
  const std::time_t first_second = number("FIRST_SECOND");
  if (paths == 0) fail("no paths");
  rd_kafka_t* producer = open_in_bulk();
  rd_kafka_topic_t* topic = rd_kafka_topic_new(producer, setting("TOPIC"), nullptr);

  random_numbers random;
  std::map<std::string, std::vector<std::uint64_t>> by_minute;
  std::vector<char> value(512 + filler.size());
  std::array<char, 32> second{};
  std::uint64_t bytes = 0;
  std::time_t shown = -1;
  std::vector<std::uint64_t>* counts = nullptr;
  for (std::uint64_t i = 0; i < events; ++i) {
    const double elapsed = static_cast<double>(i) / static_cast<double>(events) * seconds_covered;
    const auto now = first_second + static_cast<std::time_t>(elapsed);
    if (now != shown) {
      shown = now;
      std::tm parts{};
      gmtime_r(&now, &parts);
      std::strftime(second.data(), second.size(), "%Y-%m-%dT%H:%M:%S", &parts);
      counts = &by_minute[std::string{second.data(), 16}];
      counts->resize(paths);
    }
    const auto session = random.below(sessions);
    // A few pages are seen often, most rarely.
    const double u = random.unit();
    const auto path = std::min(paths - 1, static_cast<std::size_t>(u * u * static_cast<double>(paths)));
    const auto kind = random.below(10);
    const char* type = kind < 8 ? "page_view" : kind == 8 ? "click" : "search";
    if (kind < 8) ++(*counts)[path];
    const auto key = "session-" + std::to_string(session);
    const int size = std::snprintf(
        value.data(), value.size(),
        R"({"type":"%s","user_id":"user-%06llu","session_id":"%s","payload":{"path":"/products/item-%04zu","referrer":"https://search.example/items%s"},"timestamp":"%s.%09lluZ"})",
        type, static_cast<unsigned long long>(session * 7 % 1'000'000), key.c_str(), path, filler.c_str(),
        second.data(), static_cast<unsigned long long>(random.below(1'000'000'000)));
    bytes += static_cast<std::uint64_t>(size);
    produce(producer, topic, key, value.data(), static_cast<std::size_t>(size));
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

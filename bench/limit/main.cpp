// bench_limit views|orders|latency|produce|idle

#include "bench/client.hpp"
#include "bench/limit/jobs.hpp"

#include <map>
#include <string>

int main(int argc, char** argv) {
  const std::map<std::string, void (*)()> jobs{{"views", bench::views},
                                               {"orders", bench::orders},
                                               {"latency", bench::latency},
                                               {"produce", bench::produce},
                                               {"idle", bench::idle}};
  const auto job = jobs.find(argc == 2 ? argv[1] : "");
  if (job == jobs.end()) bench::fail("views, orders, latency, produce or idle?");
  bench::heed_sigterm();
  job->second();
}

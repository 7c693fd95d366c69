// bench_load views|orders|steady

#include "bench/client.hpp"
#include "bench/load/jobs.hpp"

#include <string_view>

int main(int argc, char** argv) {
  const std::string_view job = argc == 2 ? argv[1] : "";
  if (job == "views")
    bench::views();
  else if (job == "orders")
    bench::orders();
  else if (job == "steady")
    bench::steady();
  else
    bench::fail("views, orders or steady?");
}

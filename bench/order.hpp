#pragma once

#include "bench/client.hpp"

#include <simdjson.h>

#include <cstdint>
#include <string_view>

namespace bench {

/// An event of `bench_load orders` and `bench_load steady`: the n-th of its key, and when it was made.
struct order {
  std::int32_t key, sequence;
  std::int64_t at; ///< ns, CLOCK_MONOTONIC
};

inline order order_of(std::string_view text) {
  thread_local simdjson::ondemand::parser parser;
  thread_local simdjson::padded_string padded;
  padded = simdjson::padded_string{text};
  simdjson::ondemand::document json;
  std::int64_t key = 0, sequence = 0, at = 0;
  if (parser.iterate(padded).get(json) != simdjson::SUCCESS ||
      json["seq"].get_int64().get(sequence) != simdjson::SUCCESS ||
      json["key"].get_int64().get(key) != simdjson::SUCCESS ||
      json["at"].get_int64().get(at) != simdjson::SUCCESS)
    fail("an event that bench_load did not make");
  return {static_cast<std::int32_t>(key), static_cast<std::int32_t>(sequence), at};
}

} // namespace bench

#pragma once

#include "engine/deadletters/letter.hpp"
#include "engine/flow/dead_letter.hpp"

#include <string>
#include <vector>

namespace troupe::deadletters {

/// A letter as it lies in its topic.
inline record letter(const std::string& topic, std::vector<header> headers = {}) {
  record r;
  r.topic = std::make_shared<const std::string>(topic);
  r.partition = 2;
  r.offset = 918;
  r.timestamp_ms = 1'769'900'000'123;
  r.key = "c-17";
  r.value = R"({"total": 12})";
  r.headers = std::move(headers);
  return r;
}

/// What the engine makes of an event that failed.
inline record buried(record event, const std::string& topic, const std::string& actor) {
  const auto made = flow::make_dead_letter(event, topic, "group", actor,
                                           {.reason = "deadline exceeded after 5000 ms",
                                            .error_class = "timeout",
                                            .attempts = 5,
                                            .first_failed_ms = 1'769'903'940'125,
                                            .failed_ms = 1'769'904'000'000});
  auto r = letter(topic, made.headers);
  r.key = made.key;
  r.value = made.value;
  return r;
}

} // namespace troupe::deadletters

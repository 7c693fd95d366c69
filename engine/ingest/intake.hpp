#pragma once

#include "engine/core/record.hpp"
#include "engine/json/pointer.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace troupe::ingest {

/// What becomes of a request. Pointers are RFC 6901.
struct rules {
  std::string topic;
  std::string key_header;           ///< the header that holds the key; empty: none does
  std::optional<json::pointer> key; ///< or where in the event it lies
  std::vector<std::pair<json::pointer, std::string>> require; ///< the JSON type that must stand there
  std::optional<json::pointer> stamp;                         ///< where the server writes the time
  bool batch = false;                                         ///< arrays and NDJSON, too
};

/// Why a request is no event.
struct problem {
  int status = 400;
  std::string detail;
  std::optional<std::size_t> event = {}; ///< of a batch: which one, from 0
};
/// The body of type application/problem+json (RFC 9457).
std::string problem_json(const problem& what);

/// Turns request bodies into events: all of a body, or none. One thread at a time.
class intake {
public:
  explicit intake(rules r);
  ~intake();
  intake(intake&&) noexcept;

  /// `content_type` is the header, empty where there is none; `key` the value of the key's header; `now_ns`
  /// since the epoch.
  std::variant<std::vector<outgoing>, problem> events(std::string_view content_type,
                                                      const std::optional<std::string>& key,
                                                      const std::string& body, std::int64_t now_ns);
  /// Whether the request may become events at all, for a handler that makes them.
  std::optional<problem> check(std::string_view content_type, const std::optional<std::string>& key,
                               const std::string& body);
  /// Gives an event that a handler made what it lacks: topic, key, time.
  std::optional<problem> complete(outgoing& event, const std::optional<std::string>& key,
                                  std::int64_t now_ns);

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

} // namespace troupe::ingest

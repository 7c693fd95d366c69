#pragma once

#include "engine/core/record.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace troupe::flow {

/// Why an event is dead.
struct failure_record {
  std::string reason;      ///< header `error`
  std::string error_class; ///< header `error-class`
  unsigned attempts = 1;
  std::int64_t first_failed_ms = 0; ///< wall clock
  std::int64_t failed_ms = 0;
};

/// The event as it goes into `topic`: key, value, timestamp and user headers byte for byte; our headers set
/// once, however many hops it makes. `original-*` stay the first hop's.
outgoing make_dead_letter(const record& event, std::string topic, const std::string& group,
                          const std::string& actor, const failure_record& why);

/// For what the broker refuses for its size: a JSON envelope with the head of the payload (base64), its size
/// and SHA-256, and where the whole still lies; the headers of the letter that are ours are kept.
outgoing make_envelope(const outgoing& letter, std::size_t head_bytes = std::size_t{64} << 10);

/// A dead letter as it goes into `topic` to be handled again: what described its death is taken off,
/// `original-*` stay, `replay-count` is one more. An envelope has to be made whole before.
outgoing make_replay(const record& letter, std::string topic);

/// How often a letter, or the event that it was, has been replayed; 0 where the header is none of ours.
unsigned replay_count(const std::vector<header>& headers);

/// Whether a header is one that dead-lettering sets.
bool is_dead_letter_header(std::string_view name);

/// As an envelope has it, of the whole payload.
std::string sha256_hex(std::string_view bytes);

} // namespace troupe::flow

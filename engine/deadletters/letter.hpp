#pragma once

#include "engine/core/record.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// Dead letters as they lie in their topic: found, grouped, shown, brought back. Needs no running engine.
namespace troupe::deadletters {

/// The value of its first header of this name.
std::optional<std::string_view> header_of(const record& letter, std::string_view name);

/// When it died, RFC 3339 in UTC with milliseconds, so that texts compare as times do. Of what is no letter
/// of ours, its timestamp.
std::string failed_at(const record& letter);

/// Tells it from another one that has its place since the topic was made anew.
std::string identity(const record& letter);

/// Where the event was first read, as its headers say.
struct origin {
  topic_partition where;
  std::int64_t offset = 0;
};
std::optional<origin> origin_of(const record& letter);

/// What stands in place of a payload that was too large.
struct envelope {
  origin from;
  std::string sha256; ///< of the whole payload
};
bool is_envelope(const record& letter);
/// Nothing where it is damaged, or does not say where the whole lies.
std::optional<envelope> read_envelope(const record& letter);
/// The letter that the envelope stands for, from the event it was made of.
record unwrap(const record& enveloped, const record& original);

} // namespace troupe::deadletters

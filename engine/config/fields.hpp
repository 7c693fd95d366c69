#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// The grammar of the configuration as one table. The checks, the JSON Schema and the reference in Markdown
/// all come from it.
namespace troupe::config {

enum class type : std::uint8_t {
  section,  ///< a map with fields of its own
  actors,   ///< a map of names to actors
  call,     ///< a registered name, or one of the keys of its section
  text,     ///< any words
  name,     ///< letters, digits, - and _
  count,    ///< a whole number
  duration, ///< in milliseconds
  size,     ///< in bytes
  ratio,    ///< a share
  boolean,
  choice, ///< one of `choices`
  topic,
  topics, ///< a name, several, or a ^pattern
  hosts,  ///< a host's name, or several
  group,
  pointer,    ///< a JSON pointer
  ingest_key, ///< a JSON pointer or header:NAME
  counted,    ///< text with {value}
  by_minute,  ///< text with {minute}
  listen,
  brokers,
  redis_url,
  http_url,
  route,
  client_properties, ///< a map of librdkafka's names to scalars
  conditions,        ///< a map of JSON pointers to scalars
  settings,          ///< a map of names to scalars
  shapes,            ///< a map of JSON pointers to JSON types
  accounts,          ///< a map of people's names to hashes of passwords
};

/// The kinds of actors, as bits, in the order of the grammar.
enum kinds : std::uint8_t { ingests = 1, handles = 2, aggregates = 4, generates = 8, all_kinds = 15 };

struct field {
  std::string_view section; ///< "" is the top; "actor" an actor, "actor.pool" its pool
  std::string_view name;
  type is;
  std::string_view fallback{};   ///< as one would write it; empty: none
  double low = 0, high = 0;      ///< bounds of counts, durations (ms), sizes (bytes) and ratios
  std::string_view choices{};    ///< key|partition|none
  std::uint8_t fits = all_kinds; ///< of an actor's own keys
  bool needed = false;
  bool secret = false; ///< never repeated in a message
  bool live = false;   ///< changes on reload without a restart
  std::string_view sentence{};
};

std::span<const field> fields();
/// Nothing where the section has no such key.
const field* find_field(std::string_view section, std::string_view name);
std::vector<const field*> fields_of(std::string_view section);
/// The section of a field that has one: "actor.pool".
std::string section_of(const field& f);
std::vector<std::string_view> choices_of(const field& f);
/// An actor's kinds, by the key that says them.
std::string_view kind_name(kinds k);
/// What the values of a type look like, for the reference.
std::string_view type_name(type t);

} // namespace troupe::config

#pragma once

#include "engine/core/record.hpp"
#include "engine/core/result.hpp"

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::deadletters {

/// FIELD=VALUE, FIELD!=VALUE or FIELD~VALUE. Fields are the letter's own topic, partition and offset, its key
/// and value, and its headers by their names: error, error-class, actor, attempts, original-topic, …
struct condition {
  enum class how { is, is_not, contains };
  std::string field;
  how compare = how::is;
  std::string value;

  /// errc::usage, with how it is written.
  static result<condition> parse(std::string_view text);
  /// `contains` does not look at the case of letters. Of several headers of one name one is enough; what is
  /// missing is not anything.
  [[nodiscard]] bool holds(const record& letter) const;
};

struct filter {
  std::vector<condition> where; ///< all of them
  std::string since;            ///< died then or later; RFC 3339 as failed_at has it; empty: whenever
  /// Only these, by partition and offset, of which no others are read; empty: any.
  std::set<std::pair<std::int32_t, std::int64_t>> among;

  [[nodiscard]] bool takes(const record& letter) const;
};

/// 1h: so long before now; or a time as 2026-01-31T23:59:00Z. What filter::since takes.
result<std::string> parse_since(std::string_view text, std::int64_t now_ms);

} // namespace troupe::deadletters

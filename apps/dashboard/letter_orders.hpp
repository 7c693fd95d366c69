#pragma once

#include "engine/core/result.hpp"
#include "engine/deadletters/resolver.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// What a browser asks about dead letters, read strictly: what is wrong is errc::usage, and names the field.
namespace troupe::dashboard {

constexpr std::size_t most_conditions = 20;
constexpr std::size_t most_chosen = 1000; ///< letters named one by one

result<deadletters::filter> read_filter(const std::vector<std::string>& where, const std::string& since,
                                        std::int64_t now_ms);
constexpr std::size_t letters_shown = 100, most_shown = 1000; ///< where `max` is not given, and at most

/// Which letters of a topic are to be shown.
struct letter_question {
  std::string topic;
  deadletters::filter which;
  std::size_t most = letters_shown;
  std::string text; ///< the same for the same question
};
/// Of an address: topic, where (any number of them), since, max.
result<letter_question> read_question(const std::multimap<std::string, std::string>& parameters,
                                      std::int64_t now_ms);

/// Of a letter in its topic, as an address names it.
result<std::pair<std::int32_t, std::int64_t>> read_place(const std::string& partition,
                                                         const std::string& offset);
/// Whether it looks at nothing of the events themselves: whoever may not see payloads must not be able to ask
/// for them piece by piece either.
bool looks_at_deaths_only(const deadletters::filter& which);

struct letter_order {
  deadletters::order order;
  std::optional<std::uint64_t> count; ///< how many the person was told that it is about
  std::string typed;                  ///< the topic that they typed
};
/// {"topic", "action", "where"?, "since"?, "letters"?, "to_source"?, "force"?, "count"?, "typed"?}
result<letter_order> read_order(const std::string& body, std::int64_t now_ms);

struct letter_edit {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::string value;
};
/// {"topic", "partition", "offset", "value"}
result<letter_edit> read_edit(const std::string& body);

} // namespace troupe::dashboard

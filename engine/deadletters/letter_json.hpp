#pragma once

#include "engine/core/record.hpp"
#include "engine/deadletters/causes.hpp"
#include "engine/deadletters/marks.hpp"

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <string_view>

/// Letters as JSON, the same for the terminal's `--json` and the dashboard.
namespace troupe::deadletters {

/// Whether JSON and people can take it as it is: UTF-8 without zero bytes.
bool is_text(std::string_view bytes);
std::string hex(std::string_view bytes);

/// open, replayed, discarded
std::string word_for(const std::optional<action>& resolved);

/// A letter, whole: bytes as {"text": …} or {"hex": …}, null where there are none.
nlohmann::ordered_json json_of(const record& letter, const std::optional<action>& resolved);
/// What every letter tells of its death, without anything of its event: "hidden" instead of key, value and
/// the headers that the event came with.
nlohmann::ordered_json json_without_payload(const record& letter, const std::optional<action>& resolved);
nlohmann::ordered_json json_of(const cause& of);

} // namespace troupe::deadletters

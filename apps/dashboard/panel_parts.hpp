#pragma once

#include "engine/config/model.hpp"
#include "engine/core/result.hpp"
#include "engine/redis/client.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// What panels are made of; docs/dashboard.md says what each becomes on the page.
namespace troupe::dashboard {

/// The actor of the config that runs this handler; null where there is none.
const config::worker_actor* worker_with(const config::settings& s, const std::string& handler);
/// The page of the dead letters with this key that the actor of this handler writes. Empty where the config
/// has no such actor, or one that reads a pattern of topics and names none for its letters.
std::string letters_path(const config::settings& s, const std::string& handler, const std::string& key);

using cells = std::vector<nlohmann::json>;

/// One figure; without a value it is not known.
template <class T>
nlohmann::json tile(std::string label, std::string type, const std::optional<T>& value) {
  nlohmann::json one{{"label", std::move(label)}, {"type", std::move(type)}};
  if (value) one["value"] = *value;
  return one;
}

/// A curve: one value for each step of time, with a gap where none is known.
template <class T>
nlohmann::json curve(std::string label, std::int64_t from_ms, std::int64_t step_ms,
                     const std::vector<std::optional<T>>& values) {
  auto all = nlohmann::json::array();
  for (const auto& value : values)
    all.push_back(value ? nlohmann::json(*value) : nlohmann::json(nullptr));
  return {{"label", std::move(label)}, {"from", from_ms}, {"step_ms", step_ms}, {"values", std::move(all)}};
}

/// `columns`: label and type. `empty`: what stands there when there are no rows.
nlohmann::json table(std::string title, const std::vector<std::pair<std::string, std::string>>& columns,
                     std::vector<cells> rows, std::string empty, std::string note = {});

/// One pipeline; a refusal of any command is the failure of all.
result<redis::client::replies> ask_all(redis::client& redis, std::vector<redis::command> commands);

/// A number in what Redis answers; a score may be 1.7e+12.
std::optional<double> number_in(const redis::reply& text);
/// The same, whole; 0 where there is none: what nobody counted yet.
std::int64_t count_in(const redis::reply& text);

} // namespace troupe::dashboard

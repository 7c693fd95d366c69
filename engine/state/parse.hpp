#pragma once

#include "engine/redis/client.hpp"

#include <nlohmann/json.hpp>

#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

// Private to this folder: what Redis holds may have been written by another version, or by hand. Nothing here
// throws.
namespace troupe::state {

template <class T>
std::optional<T> number(std::string_view text) {
  T value{};
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// A member of an object, where it is of that type.
template <class T>
std::optional<T> in(const nlohmann::json& j, const char* name) {
  const auto at = j.find(name);
  if (at == j.end()) return std::nullopt;
  if constexpr (std::is_same_v<T, std::string>)
    return at->is_string() ? std::optional{at->get<T>()} : std::nullopt;
  else if constexpr (std::is_same_v<T, bool>)
    return at->is_boolean() ? std::optional{at->get<T>()} : std::nullopt;
  else
    return at->is_number() ? std::optional{at->get<T>()} : std::nullopt;
}

/// Calls with each field and value of a hash, or of an entry of a stream.
template <class F>
void each_field(const redis::reply& list, F&& f) {
  for (std::size_t i = 0; i + 1 < list.items.size(); i += 2)
    f(list.items[i].text, list.items[i + 1].text);
}

/// On one line; bytes that are no UTF-8 (an error's, say) replaced.
inline std::string text_of(const nlohmann::json& j) {
  return j.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

} // namespace troupe::state

#pragma once

#include <nlohmann/json.hpp>

#include <cmath>
#include <optional>
#include <type_traits>

/// Figures of the live document.
namespace troupe::dashboard {

/// Microseconds and millionths are noise that would make every figure a news.
inline double rounded(double x) {
  constexpr double steps = 1e6;
  return std::round(x * steps) / steps;
}

/// What is not known is not there.
template <class T>
void put(nlohmann::json& into, const char* name, const std::optional<T>& value) {
  if (!value) return;
  if constexpr (std::is_floating_point_v<T>)
    into[name] = rounded(*value);
  else
    into[name] = *value;
}

} // namespace troupe::dashboard

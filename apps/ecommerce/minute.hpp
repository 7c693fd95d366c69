#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace ecommerce {

/// The first minute that an order was counted in: nobody knows what there was before.
inline constexpr const char* counted_since_key = "orders-counted-since";

/// 2026-01-31T23:59 of an RFC 3339 time in UTC; empty where it is none.
inline std::string minute_of(std::string_view time) {
  constexpr std::string_view form = "dddd-dd-ddTdd:dd";
  if (time.size() < form.size() || time.back() != 'Z') return {};
  const bool fits = std::equal(form.begin(), form.end(), time.begin(),
                               [](char f, char c) { return f == 'd' ? c >= '0' && c <= '9' : f == c; });
  return fits ? std::string{time.substr(0, form.size())} : std::string{};
}

} // namespace ecommerce

#pragma once

#include <array>
#include <string_view>

/// How far each order has come, in Redis: of the latest ones a hash `order:<order_id>` with `placed` (ms),
/// `cents`, `minute`, and for each step `ok` or the place of its dead letter; their ids in the sorted set
/// `latest-orders`.
namespace ecommerce::progress {

/// What becomes of an order, in the order people think of it. Each is a key of the actor's `settings`: the
/// topic whose events say that it is done.
inline constexpr std::array steps{std::string_view{"inventory"}, std::string_view{"payment"},
                                  std::string_view{"email"}};
inline constexpr std::string_view done = "ok";
inline constexpr const char* latest_key = "latest-orders";

} // namespace ecommerce::progress

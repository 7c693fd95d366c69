#pragma once

#include "engine/core/result.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace ecommerce {

/// To write with: events keep the order in which people write them. What comes from elsewhere is read as
/// plain nlohmann::json: the ordered one copies what it holds as it grows, which overflows the stack on deep
/// nesting.
using json = nlohmann::ordered_json;

struct order_item {
  std::string product_id;
  std::int64_t quantity = 0;
  double price = 0;
};

/// The event of `order.placed`.
struct order {
  std::string order_id, customer_id;
  std::vector<order_item> items;
  double total = 0;
  std::string created_at; ///< RFC 3339
};

/// The items of an order, as a shop sends them. errc::usage names the field that is wrong.
troupe::result<std::vector<order_item>> read_items(const nlohmann::json& items);
/// errc::usage where `value` is no order; names the field.
troupe::result<order> read_order(const std::optional<std::string>& value);

/// In hundredths: what is added up must not drift.
std::int64_t cents(double amount);
double total_of(const std::vector<order_item>& items);

} // namespace ecommerce

#include "apps/ecommerce/order.hpp"

#include <cmath>

namespace ecommerce {
namespace {

using troupe::errc;
using troupe::error;
using troupe::result;

constexpr std::int64_t most_pieces = 1'000'000;
constexpr double highest_price = 1e9;
/// In hundredths. What the items of an order may come to: sums of it stay far within 64 bits.
constexpr std::int64_t highest_total = 100'000'000'000;

result<std::string> read_text(const nlohmann::json& from, const char* field) {
  const auto at = from.find(field);
  if (at == from.end() || !at->is_string() || at->get_ref<const std::string&>().empty())
    return error{errc::usage, std::string{field} + " must be a string that is not empty"};
  return at->get<std::string>();
}

/// Stops at the first sum that is too high, before it could overflow.
std::int64_t total_cents(const std::vector<order_item>& items) {
  std::int64_t sum = 0;
  for (const auto& i : items)
    if (sum += cents(i.price * static_cast<double>(i.quantity)); sum > highest_total) break;
  return sum;
}

result<order_item> read_item(const nlohmann::json& from) {
  if (!from.is_object()) return error{errc::usage, "it must be an object"};
  auto product = read_text(from, "product_id");
  if (!product) return product.failure();
  const auto quantity = from.find("quantity");
  if (quantity == from.end() || !quantity->is_number_integer() || quantity->get<double>() < 1 ||
      quantity->get<double>() > most_pieces)
    return error{errc::usage, "quantity must be a whole number from 1 to 1000000"};
  const auto price = from.find("price");
  if (price == from.end() || !price->is_number() || price->get<double>() < 0 ||
      price->get<double>() > highest_price)
    return error{errc::usage, "price must be a number from 0 to 1e9"};
  return order_item{std::move(product).value(), quantity->get<std::int64_t>(), price->get<double>()};
}

} // namespace

result<std::vector<order_item>> read_items(const nlohmann::json& items) {
  if (!items.is_array() || items.empty()) return error{errc::usage, "items must be a list of one at least"};
  std::vector<order_item> all;
  for (const auto& one : items) {
    auto item = read_item(one);
    if (!item)
      return error{errc::usage, "items[" + std::to_string(all.size()) + "]: " + item.failure().detail};
    all.push_back(std::move(item).value());
  }
  if (total_cents(all) > highest_total) return error{errc::usage, "the items must not come to more than 1e9"};
  return all;
}

result<order> read_order(const std::optional<std::string>& value) {
  const auto from = nlohmann::json::parse(value.value_or(""), nullptr, false);
  if (!from.is_object()) return error{errc::usage, "not a JSON object"};
  order o;
  for (const auto& [field, into] :
       {std::pair{"order_id", &o.order_id}, {"customer_id", &o.customer_id}, {"created_at", &o.created_at}}) {
    auto text = read_text(from, field);
    if (!text) return text.failure();
    *into = std::move(text).value();
  }
  // Never copied: nested deeply enough, a copy overflows the stack.
  static const nlohmann::json none;
  const auto listed = from.find("items");
  auto items = read_items(listed == from.end() ? none : *listed);
  if (!items) return items.failure();
  o.items = std::move(items).value();
  const auto total = from.find("total");
  if (total == from.end() || !total->is_number() || total->get<double>() < 0 ||
      total->get<double>() > static_cast<double>(highest_total) / 100)
    return error{errc::usage, "total must be a number from 0 to 1e9"};
  o.total = total->get<double>();
  return o;
}

std::int64_t cents(double amount) {
  return std::llround(amount * 100);
}

double total_of(const std::vector<order_item>& items) {
  return static_cast<double>(total_cents(items)) / 100;
}

} // namespace ecommerce

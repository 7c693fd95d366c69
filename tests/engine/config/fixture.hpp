#pragma once

#include "engine/config/load.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace troupe::config {

/// A file that is fine; tests add to it.
inline const std::string head = "version: 1\napp: shop\n";
inline const std::string inventory = "actors:\n"
                                     "  inventory:\n"
                                     "    consume: { topic: order.placed, group: inventory-service }\n"
                                     "    handler: ecommerce.reserve_inventory\n";
inline const std::string page_views = "actors:\n"
                                      "  page-views:\n"
                                      "    consume: { topic: user.events, group: page-views }\n"
                                      "    aggregate:\n"
                                      "      count_by: /payload/path\n"
                                      "      into: \"views:{value}\"\n";

inline inputs from_text(const std::string& text) {
  inputs from;
  from.files = {{"shop.yaml", text}};
  from.handlers = {"ecommerce.checkout", "ecommerce.reserve_inventory"};
  return from;
}

inline loaded load_text(const std::string& text) {
  return load(from_text(text));
}

/// Every problem as file:line:column: text, for messages and for whole comparisons.
inline std::vector<std::string> told(const loaded& l) {
  std::vector<std::string> all;
  for (const auto& p : l.problems)
    all.push_back(p.file + ":" + std::to_string(p.line) + ":" + std::to_string(p.column) + ": " +
                  (p.warning ? "warning: " : "") + p.text);
  return all;
}

/// The one problem there is, as line:column+width text.
inline std::string only(const loaded& l) {
  if (l.problems.size() != 1) return "not one problem but " + testing::PrintToString(told(l));
  const auto& p = l.problems.front();
  return std::to_string(p.line) + ":" + std::to_string(p.column) + "+" + std::to_string(p.width) + " " +
         p.text;
}

/// The settings; fails the test where there are none.
inline settings good(const loaded& l) {
  EXPECT_TRUE(l.config) << testing::PrintToString(told(l));
  return l.config.value_or(settings{});
}

inline worker_actor worker_of(const loaded& l) {
  const auto s = good(l);
  if (s.actors.size() != 1 || !std::holds_alternative<worker_actor>(s.actors[0].kind)) {
    ADD_FAILURE() << "not one worker actor";
    return {};
  }
  return std::get<worker_actor>(s.actors[0].kind);
}

/// The file with a line added to the inventory actor, as line 7.
inline std::string inventory_with(const std::string& line) {
  return head + inventory + "    " + line + "\n";
}

} // namespace troupe::config

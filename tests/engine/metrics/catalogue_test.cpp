#include "engine/metrics/catalogue.hpp"
#include "engine/metrics/registry.hpp"
#include "tests/engine/metrics/exposition.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace troupe::metrics {
namespace {

TEST(Catalogue, names_are_unique_and_follow_the_conventions) {
  std::set<std::string_view> seen;
  for (const auto& entry : catalogue()) {
    EXPECT_TRUE(seen.insert(entry.name).second) << entry.name;
    EXPECT_EQ(entry.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), std::string_view::npos)
        << entry.name;
    EXPECT_EQ(entry.type == metric_type::counter, entry.name.ends_with("_total")) << entry.name;
    if (entry.type == metric_type::histogram) {
      EXPECT_TRUE(entry.name.ends_with("_seconds")) << entry.name;
    }
    EXPECT_FALSE(entry.help.empty()) << entry.name;
    EXPECT_EQ(entry.help.find_first_of("\\\n"), std::string_view::npos) << entry.name;
    EXPECT_EQ(find_in_catalogue(entry.name), &entry);
  }
  EXPECT_EQ(find_in_catalogue("unheard_of"), nullptr);
}

TEST(Catalogue, every_entry_can_be_rendered) {
  registry all;
  for (const auto& entry : catalogue()) {
    if (entry.name.starts_with("process_")) continue; // the registry's own
    const std::string name{entry.name};
    if (entry.type == metric_type::counter) all.counter(name).add();
    if (entry.type == metric_type::gauge) all.gauge(name).set(1);
    if (entry.type == metric_type::histogram) all.histogram(name).observe(1);
  }
  const auto page = testing::parse_exposition(all.render());
  for (const auto& entry : catalogue()) {
    const char* type = entry.type == metric_type::counter ? "counter"
                       : entry.type == metric_type::gauge ? "gauge"
                                                          : "histogram";
    EXPECT_EQ(page.types.at(std::string{entry.name}), type);
    EXPECT_EQ(page.helps.at(std::string{entry.name}), entry.help);
  }
}

} // namespace
} // namespace troupe::metrics

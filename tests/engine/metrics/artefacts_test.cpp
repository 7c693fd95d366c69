#include "engine/metrics/artefacts.hpp"

#include "engine/metrics/catalogue.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

namespace troupe::metrics {
namespace {

/// What the file holds. With TROUPE_REGENERATE=1 it is written first.
std::string file(const std::string& name, const std::string& generated) {
  const auto path = std::string{TROUPE_SOURCE_DIR} + "/" + name;
  if (std::getenv("TROUPE_REGENERATE")) std::ofstream{path} << generated;
  std::ostringstream text;
  text << std::ifstream{path}.rdbuf();
  return text.str();
}

/// Every name of a metric in an expression; of a histogram's series the histogram's.
std::set<std::string> metrics_in(const std::string& text) {
  static const std::regex name{"\\b(troupe|messaging|process)_\\w+"};
  std::set<std::string> all;
  for (std::sregex_iterator at{text.begin(), text.end(), name}, end; at != end; ++at) {
    auto found = at->str();
    if (found.ends_with("_bucket")) found.resize(found.size() - std::string_view{"_bucket"}.size());
    if (found != "messaging_consumer_group_name") all.insert(found); // a label
  }
  return all;
}

TEST(Artefacts, TheFilesAreWhatTheCatalogueMakes) {
  EXPECT_TRUE(file("deploy/grafana.json", grafana_dashboard()) == grafana_dashboard())
      << "deploy/grafana.json is not up to date: run TROUPE_REGENERATE=1 test_metrics";
  EXPECT_TRUE(file("deploy/alerts.yaml", alert_rules()) == alert_rules())
      << "deploy/alerts.yaml is not up to date: run TROUPE_REGENERATE=1 test_metrics";
}

TEST(Artefacts, TheDashboardShowsEveryMetricOnceAndNoOther) {
  const auto board = nlohmann::json::parse(grafana_dashboard());
  std::multiset<std::string> shown;
  std::set<int> ids;
  for (const auto& panel : board["panels"]) {
    EXPECT_TRUE(ids.insert(panel["id"].get<int>()).second) << panel["id"];
    if (panel["type"] == "row") continue;
    std::set<std::string> named;
    for (const auto& t : panel["targets"])
      named.merge(metrics_in(t["expr"].get<std::string>()));
    ASSERT_EQ(named.size(), 1U) << panel.dump();
    EXPECT_EQ(*named.begin(), panel["title"]);
    shown.insert(*named.begin());
  }
  std::multiset<std::string> all;
  for (const auto& entry : catalogue())
    all.emplace(entry.name);
  EXPECT_EQ(shown, all);
}

TEST(Artefacts, AlertsNameMetricsThatThereAre) {
  const auto named = metrics_in(alert_rules());
  EXPECT_GE(named.size(), 10U);
  for (const auto& name : named)
    EXPECT_TRUE(find_in_catalogue(name)) << name;
}

TEST(Artefacts, CountersAreLookedAtAsRatesAndHistogramsAsQuantiles) {
  const auto board = nlohmann::json::parse(grafana_dashboard());
  for (const auto& panel : board["panels"]) {
    if (panel["type"] == "row") continue;
    const auto* entry = find_in_catalogue(panel["title"].get<std::string>());
    ASSERT_TRUE(entry);
    const auto expression = panel["targets"][0]["expr"].get<std::string>();
    EXPECT_EQ(expression.find("rate(") != std::string::npos, entry->type != metric_type::gauge) << expression;
    EXPECT_EQ(expression.find("_bucket") != std::string::npos, entry->type == metric_type::histogram)
        << expression;
  }
}

} // namespace
} // namespace troupe::metrics

#pragma once

#include <string>

/// What others need to look at our metrics, made from the catalogue, so that no name in them is wrong.
namespace troupe::metrics {

/// A Grafana dashboard with a panel for every metric: what deploy/grafana.json holds.
std::string grafana_dashboard();

/// Rules for Prometheus: what deploy/alerts.yaml holds.
std::string alert_rules();

} // namespace troupe::metrics

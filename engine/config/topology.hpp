#pragma once

#include "engine/config/model.hpp"

#include <string>
#include <vector>

namespace troupe::config {

/// What a config says who reads and writes what.
struct topology {
  struct node {
    /// topic, pattern, dlq, replay, ingest, handler, aggregate, generate, redis, http
    std::string kind;
    std::string name;
    std::string detail; ///< how it handles, or counts; may be empty
  };
  struct edge {
    std::size_t from = 0, to = 0; ///< indices into nodes
    std::string kind;             ///< consumes, publishes, buries, replays, counts, calls, asks
    std::string label;            ///< the group; may be empty
  };
  std::string app;
  std::vector<node> nodes;
  std::vector<edge> edges;
};

topology topology_of(const settings& s);

/// As a flowchart in Mermaid.
std::string mermaid(const topology& of);
/// {"schema":1,"app":…,"nodes":[{"id":"n0","kind":…,"name":…,"detail":…}],"edges":[{"from":"n0",…}]}
std::string topology_json(const topology& of);

} // namespace troupe::config

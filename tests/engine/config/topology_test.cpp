#include "engine/config/topology.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace troupe::config {
namespace {

settings of(std::vector<actor> actors) {
  settings s;
  s.app = "shop";
  s.actors = std::move(actors);
  return s;
}

worker_actor worker(std::vector<std::string> topics, const std::string& group) {
  worker_actor w;
  w.consume.topics = std::move(topics);
  w.consume.group = group;
  w.handler = named_handler{"shop.reserve"};
  return w;
}

ingest_actor door() {
  ingest_actor i;
  i.method = "POST";
  i.path = "/checkout";
  i.listen = "0.0.0.0:8080";
  i.topic = "order.placed";
  return i;
}

TEST(Topology, IsDrawnAsAFlowchart) {
  auto inventory = worker({"order.placed"}, "inventory-service");
  inventory.publish = publish{.topic = "inventory.reserved", .key = {}};
  aggregate_actor views;
  views.consume.topics = {"order.placed"};
  views.consume.group = "revenue";
  views.count_by = "/product";
  views.into = "sold:{value}";
  EXPECT_EQ(mermaid(topology_of(of(
                {{"checkout", door(), {}, {}}, {"inventory", inventory, {}, {}}, {"sold", views, {}, {}}}))),
            R"(flowchart LR
  n0["checkout<br>ingest"]
  n1(["POST /checkout on 0.0.0.0:8080"])
  n2[/"order.placed"/]
  n3["inventory<br>handler: shop.reserve"]
  n4[/"inventory.reserved"/]
  n5[/"order.placed.inventory.dlq"/]
  n6[/"order.placed.inventory.replay"/]
  n7["sold<br>aggregate: count by /product"]
  n8[("Redis")]
  n1 --> n0
  n0 --> n2
  n2 -->|"inventory-service"| n3
  n3 --> n4
  n3 -.-> n5
  n5 -.-> n6
  n6 -.->|"inventory-service"| n3
  n2 -->|"revenue"| n7
  n7 -->|"sold:{value}"| n8
)");
}

TEST(Topology, HasOneNodeForATopicWhoeverNamesIt) {
  auto first = worker({"a", "b"}, "one");
  first.dlq.topic = "graves";
  auto undertaker = worker({"graves"}, "two");
  const auto all = topology_of(of({{"first", first, {}, {}}, {"undertaker", undertaker, {}, {}}}));
  const auto count = [&](const std::string& name) {
    return std::count_if(all.nodes.begin(), all.nodes.end(), [&](const auto& n) { return n.name == name; });
  };
  EXPECT_EQ(count("graves"), 1);
  EXPECT_EQ(count("a.first.replay"), 1);
  EXPECT_EQ(count("b.first.replay"), 1);
  const auto burials =
      std::count_if(all.edges.begin(), all.edges.end(), [](const auto& e) { return e.kind == "buries"; });
  EXPECT_EQ(burials, 2) << "one of each actor, though it has two sources";
}

TEST(Topology, OfAPatternNamesNoTopicsThatAreNotKnown) {
  const auto all = topology_of(of({{"audit", worker({"^order\\..*"}, "audit"), {}, {}}}));
  ASSERT_EQ(all.nodes.size(), 2U);
  EXPECT_EQ(all.nodes[1].kind, "pattern");
  EXPECT_EQ(all.edges.size(), 1U);
}

TEST(Topology, IsJsonToo) {
  const auto json = nlohmann::json::parse(topology_json(topology_of(of({{"checkout", door(), {}, {}}}))));
  EXPECT_EQ(json["app"], "shop");
  EXPECT_EQ(json["nodes"].size(), 3U);
  EXPECT_EQ(json["edges"][1]["from"], json["nodes"][0]["id"]);
  EXPECT_EQ(json["edges"][1]["to"], json["nodes"][2]["id"]);
  EXPECT_EQ(json["nodes"][2]["name"], "order.placed");
}

TEST(Topology, TakesNoTextForMarkup) {
  auto w = worker({"a"}, "g\"|] --> x");
  w.handler = http_handler{"http://h/?a=<b>&c"};
  const auto text = mermaid(topology_of(of({{"x", w, {}, {}}})));
  EXPECT_NE(text.find("g#34;|] --#62; x"), std::string::npos) << text;
  EXPECT_NE(text.find("http://h/?a=#60;b#62;#38;c"), std::string::npos) << text;
}

} // namespace
} // namespace troupe::config

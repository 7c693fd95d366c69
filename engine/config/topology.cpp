#include "engine/config/topology.hpp"

#include <nlohmann/json.hpp>

#include <map>
#include <string_view>

namespace troupe::config {
namespace {

class builder {
public:
  explicit builder(const settings& s) : settings_{s} { made_.app = s.app; }

  topology build() {
    for (const auto& a : settings_.actors)
      std::visit([&](const auto& kind) { add(a.name, kind); }, a.kind);
    return std::move(made_);
  }

private:
  std::size_t node(const std::string& kind, const std::string& name, const std::string& detail = {}) {
    const auto [at, fresh] = known_.emplace(std::pair{kind, name}, made_.nodes.size());
    if (fresh) made_.nodes.push_back({kind, name, detail});
    return at->second;
  }
  /// A topic is the same one whoever names it, also as somebody's dead letters.
  std::size_t topic(const std::string& name, const std::string& kind = "topic") {
    for (const auto* as : {"topic", "dlq", "replay"})
      if (const auto at = known_.find({as, name}); at != known_.end()) return at->second;
    return node(kind, name);
  }
  void edge(std::size_t from, std::size_t to, const std::string& kind, const std::string& label = {}) {
    made_.edges.push_back({from, to, kind, label});
  }
  void consume(std::size_t actor, const config::consume& from) {
    for (const auto& name : from.topics)
      edge(from.is_pattern() ? node("pattern", name) : topic(name), actor, "consumes", from.group);
  }

  void add(const std::string& name, const worker_actor& w) {
    std::string how = "simulated";
    if (const auto* named = std::get_if<named_handler>(&w.handler)) how = named->name;
    if (std::holds_alternative<http_handler>(w.handler)) how = "over HTTP";
    if (w.guarantee == guarantee::exactly_once) how += ", exactly once";
    const auto me = node("handler", name, how);
    consume(me, w.consume);
    if (const auto* http = std::get_if<http_handler>(&w.handler)) edge(me, node("http", http->url), "calls");
    if (w.publish) edge(me, topic(w.publish->topic), "publishes");
    if (w.consume.is_pattern()) {
      if (!w.dlq.topic.empty()) edge(me, topic(w.dlq.topic, "dlq"), "buries");
      return; // the others are known when their sources are
    }
    for (const auto& source : w.consume.topics) {
      const auto graves = topic(w.dlq.topic.empty() ? default_dlq(source, name) : w.dlq.topic, "dlq");
      const auto replays = topic(source + '.' + name + ".replay", "replay");
      if (w.dlq.topic.empty() || source == w.consume.topics.front()) edge(me, graves, "buries");
      edge(graves, replays, "replays");
      edge(replays, me, "consumes", w.consume.group);
    }
  }
  void add(const std::string& name, const aggregate_actor& a) {
    const auto me = node("aggregate", name, "count by " + a.count_by);
    consume(me, a.consume);
    edge(me, node("redis", "Redis"), "counts", a.into);
  }
  void add(const std::string& name, const generate_actor& g) {
    edge(node("generate", name), topic(g.topic), "publishes");
  }
  void add(const std::string& name, const ingest_actor& i) {
    const auto me = node("ingest", name, i.handler);
    edge(node("http", i.method + ' ' + i.path + " on " + i.listen), me, "asks");
    edge(me, topic(i.topic), "publishes");
  }

  const settings& settings_;
  topology made_;
  std::map<std::pair<std::string, std::string>, std::size_t> known_;
};

/// A user's text for the inside of quotes: what would end them, or be read as markup, becomes an entity.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text)
    if (std::string_view{"\"<>&#;`\\"}.find(c) != std::string_view::npos ||
        static_cast<unsigned char>(c) < 0x20)
      out += '#' + std::to_string(static_cast<int>(static_cast<unsigned char>(c))) + ';';
    else
      out += c;
  return out;
}

std::string shape(const topology::node& n) {
  const auto name = '"' + escaped(n.name);
  if (n.kind == "handler" || n.kind == "aggregate" || n.kind == "generate" || n.kind == "ingest")
    return '[' + name + "<br>" + n.kind + (n.detail.empty() ? "" : ": " + escaped(n.detail)) + "\"]";
  if (n.kind == "redis") return "[(" + name + "\")]";
  if (n.kind == "http") return "([" + name + "\"])";
  if (n.kind == "pattern") return "{{" + name + "\"}}";
  return "[/" + name + "\"/]";
}

} // namespace

topology topology_of(const settings& s) {
  return builder{s}.build();
}

std::string mermaid(const topology& of) {
  std::string out = "flowchart LR\n";
  for (std::size_t i = 0; i < of.nodes.size(); ++i)
    out += "  n" + std::to_string(i) + shape(of.nodes[i]) + '\n';
  for (const auto& e : of.edges) {
    const bool dashed = e.kind == "buries" || e.kind == "replays" || of.nodes[e.from].kind == "replay";
    out += "  n" + std::to_string(e.from) + (dashed ? " -.->" : " -->");
    if (!e.label.empty()) out += "|\"" + escaped(e.label) + "\"|";
    out += " n" + std::to_string(e.to) + '\n';
  }
  return out;
}

std::string topology_json(const topology& of) {
  using tree = nlohmann::ordered_json;
  const auto id = [](std::size_t i) { return 'n' + std::to_string(i); };
  tree nodes = tree::array(), edges = tree::array();
  for (std::size_t i = 0; i < of.nodes.size(); ++i) {
    const auto& n = of.nodes[i];
    nodes.push_back({{"id", id(i)}, {"kind", n.kind}, {"name", n.name}, {"detail", n.detail}});
  }
  for (const auto& e : of.edges)
    edges.push_back({{"from", id(e.from)}, {"to", id(e.to)}, {"kind", e.kind}, {"label", e.label}});
  const tree all{{"schema", 1}, {"app", of.app}, {"nodes", std::move(nodes)}, {"edges", std::move(edges)}};
  return all.dump(-1, ' ', false, tree::error_handler_t::replace) + '\n';
}

} // namespace troupe::config

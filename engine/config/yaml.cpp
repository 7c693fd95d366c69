#include "engine/config/yaml.hpp"

#include "engine/core/utf8.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <sstream>
#include <unordered_map>
#include <utility>

namespace troupe::config {
namespace {

constexpr std::size_t largest_text = std::size_t{1} << 20;
constexpr std::size_t most_nodes = 100'000;
constexpr std::size_t most_bytes = std::size_t{8} << 20;
constexpr std::size_t deepest = 32;

/// Thrown through yaml-cpp where going on makes no sense; its problem is told already.
struct stop {};

std::size_t characters(std::string_view text) {
  std::size_t n = 0;
  for (const char c : text)
    n += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return n;
}

/// What a tree weighs: its values and their text.
struct weight {
  std::size_t nodes = 0, bytes = 0;
};

weight weight_of(const node& n) {
  weight all{1, n.text.size()};
  const auto add = [&](const node& below) {
    const auto w = weight_of(below);
    all.nodes += w.nodes;
    all.bytes += w.bytes;
  };
  for (const auto& e : n.entries)
    add(e.value);
  for (const auto& i : n.items)
    add(i);
  return all;
}

std::size_t depth_of(const node& n) {
  std::size_t below = 0;
  for (const auto& e : n.entries)
    below = std::max(below, depth_of(e.value));
  for (const auto& i : n.items)
    below = std::max(below, depth_of(i));
  return below + 1;
}

std::vector<std::string_view> raw_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const auto end = text.find('\n');
    lines.push_back(text.substr(0, end));
    text = end == text.npos ? std::string_view{} : text.substr(end + 1);
  }
  return lines;
}

/// Builds the tree. yaml-cpp's own nodes would lose duplicate keys, quotes that never close, and the
/// difference between a second document and a wrong indentation.
class builder : public YAML::EventHandler {
public:
  builder(std::string_view text, std::size_t from, problem_list& problems)
      : text_{text}, lines_{raw_lines(text)}, from_{from}, problems_{problems} {}

  [[nodiscard]] place at(const YAML::Mark& mark, std::size_t width = 1) const {
    place p;
    p.origin = from_;
    p.line = std::max(0, mark.line) + 1;
    // At the end of the text yaml-cpp names a line that is not there.
    p.line = std::clamp(p.line, 1, std::max(1, static_cast<int>(lines_.size())));
    const auto line = line_at(p.line);
    const auto bytes =
        p.line == mark.line + 1 ? static_cast<std::size_t>(std::max(0, mark.column)) : line.size();
    p.column = static_cast<int>(characters(line.substr(0, std::min(bytes, line.size())))) + 1;
    p.width = width;
    return p;
  }

  [[nodiscard]] std::string_view line_at(int line) const {
    const auto i = static_cast<std::size_t>(line) - 1;
    return i < lines_.size() ? lines_[i] : std::string_view{};
  }

  [[noreturn]] void refuse(const place& where, std::string why) {
    problems_.error(where, std::move(why));
    throw stop{};
  }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0)
      refuse(at(mark), "a second YAML document starts here, but a file holds one: check the indentation, or "
                       "remove the ---");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    node n;
    const char first = byte_at(mark);
    n.at = at(mark, first == 'n' || first == 'N' ? 4 : 1);
    written_null_ = first == '~' || first == 'n' || first == 'N';
    add(std::move(n), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto known = anchors_.find(anchor);
    if (known == anchors_.end()) refuse(at(mark), "this alias stands inside of what it repeats");
    if (open_.size() + depth_of(known->second) > deepest) too_deep(at(mark));
    count(at(mark), weight_of(known->second));
    place_value(known->second);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    check_tag(mark, tag);
    node n;
    n.is = node::shape::scalar;
    n.text = value;
    n.at = at(mark, tag == "!" ? quoted_width(mark) : plain_width(mark, value));
    if (value.find('\0') != value.npos) refuse(n.at, "a NUL character can't be part of a value");
    add(std::move(n), anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, node::shape::list);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, node::shape::map);
  }
  void OnMapEnd() override { close(); }

  node root;

private:
  struct level {
    node made;
    YAML::anchor_t anchor = 0;
    std::optional<entry> key; ///< of a map, once it was read and until its value is
    std::unordered_map<std::string, place> seen;
  };

  [[nodiscard]] char byte_at(const YAML::Mark& mark) const {
    const auto line = line_at(mark.line + 1);
    const auto column = static_cast<std::size_t>(std::max(0, mark.column));
    return column < line.size() ? line[column] : '\0';
  }

  void check_tag(const YAML::Mark& mark, const std::string& tag) {
    if (!tag.empty() && tag != "?" && tag != "!")
      refuse(at(mark), "tags such as !!str are not used here: remove it");
  }

  [[noreturn]] void too_deep(const place& where) {
    refuse(where, "nested deeper than " + std::to_string(deepest) + " levels");
  }

  void count(const place& where, weight w) {
    held_.nodes += w.nodes;
    held_.bytes += w.bytes;
    if (held_.nodes > most_nodes || held_.bytes > most_bytes)
      refuse(where, "more than " + std::to_string(most_nodes) +
                        " values or 8 MiB, aliases counted as what they repeat");
  }

  void add(node n, YAML::anchor_t anchor) {
    count(n.at, {1, n.text.size()});
    if (anchor != 0) anchors_[anchor] = n;
    place_value(std::move(n));
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, node::shape shape) {
    check_tag(mark, tag);
    level l;
    l.made.is = shape;
    l.made.at = at(mark);
    l.anchor = anchor;
    count(l.made.at, {1, 0});
    if (!open_.empty() && open_.back().made.map() && !open_.back().key)
      refuse(l.made.at, "a key must be a word, not a list or a map; quote a value that starts with { or [");
    if (open_.size() >= deepest) too_deep(l.made.at);
    open_.push_back(std::move(l));
  }

  void close() {
    level l = std::move(open_.back());
    open_.pop_back();
    if (l.anchor != 0) anchors_[l.anchor] = l.made;
    place_value(std::move(l.made));
  }

  void place_value(node n) {
    if (open_.empty()) {
      root = std::move(n);
      return;
    }
    auto& top = open_.back();
    if (top.made.list()) {
      top.made.items.push_back(std::move(n));
    } else if (!top.key) {
      if (!n.scalar()) refuse(n.at, "a key is missing here: write name: value");
      top.key = entry{std::move(n.text), n.at, {}};
    } else {
      end_entry(top, std::move(n));
    }
  }

  void end_entry(level& top, node value) {
    entry e = std::move(*top.key);
    top.key.reset();
    // An empty value is marked where the next piece begins; its key is the better place.
    if (value.nothing() && (!written_null_ || value.at.line != e.at.line)) value.at = e.at;
    const auto [first, fresh] = top.seen.emplace(e.key, e.at);
    if (!fresh) {
      problems_.error(e.at, "the key " + quoted(e.key) + " stands here twice; it is already in line " +
                                std::to_string(first->second.line));
      return;
    }
    e.value = std::move(value);
    top.made.entries.push_back(std::move(e));
  }

  /// From the opening quote (behind an anchor) to the closing one; refuses a quote that never closes, which
  /// yaml-cpp takes as it is.
  std::size_t quoted_width(const YAML::Mark& mark) {
    const auto line = line_at(mark.line + 1);
    std::size_t offset =
        static_cast<std::size_t>(line.data() - text_.data()) + static_cast<std::size_t>(mark.column);
    const auto begin = text_.find_first_of("\"'|>", offset);
    if (begin == text_.npos || text_[begin] == '|' || text_[begin] == '>') return 1;
    const char quote = text_[begin];
    for (std::size_t i = begin + 1; i < text_.size(); ++i) {
      if (quote == '"' && text_[i] == '\\') {
        ++i;
      } else if (text_[i] == quote) {
        if (quote == '\'' && i + 1 < text_.size() && text_[i + 1] == quote) {
          ++i;
          continue;
        }
        const auto end = std::min(i + 1, offset + (line.size() - static_cast<std::size_t>(mark.column)));
        return std::max<std::size_t>(1, characters(text_.substr(offset, end - offset)));
      }
    }
    refuse(at(mark), std::string{"the quote that opens here ("} + quote + ") is never closed");
  }

  [[nodiscard]] std::size_t plain_width(const YAML::Mark& mark, const std::string& value) const {
    const auto line = line_at(mark.line + 1);
    const auto column = std::min(static_cast<std::size_t>(std::max(0, mark.column)), line.size());
    const auto rest = line.substr(column, std::min(value.size(), value.find('\n')));
    return std::max<std::size_t>(1, characters(rest.substr(0, rest.find_last_not_of(" \r") + 1)));
  }

  std::string_view text_;
  std::vector<std::string_view> lines_;
  std::size_t from_;
  problem_list& problems_;
  std::vector<level> open_;
  std::map<YAML::anchor_t, node> anchors_;
  weight held_;
  int documents_ = 0;
  bool written_null_ = false; ///< the last null was a ~ or a word, not a gap
};

/// A syntax error in words that name the remedy.
std::string remedy(const std::string& message) {
  static const std::pair<std::string_view, std::string_view> known[]{
      {"illegal map value",
       "a ':' that YAML does not expect here; check the indentation, and quote a value that "
       "holds ': '"},
      {"end of map not found", "this line does not line up with the ones above; check the indentation"},
      {"end of sequence not found", "this line does not line up with the list above; check the indentation"},
      {"end of map flow not found", "a '{' is not closed by a '}', or a ',' is missing"},
      {"end of sequence flow not found", "a '[' is not closed by a ']', or a ',' is missing"},
      {"illegal flow end", "a '}' or ']' that nothing opened"},
      {"illegal block entry", "a '-' that YAML does not expect here; check the indentation"},
      {"illegal tab when looking for indentation", "a tab where an indentation is; use spaces"},
      {"unknown token", "a value may not start with this character; quote it"},
      {"the referenced anchor is not defined", "this alias repeats an anchor that is nowhere defined"},
      {"bad file", "nested too deeply"},
  };
  for (const auto& [part, words] : known)
    if (message.find(part) != std::string::npos) return std::string{words};
  return "this is not valid YAML: " + message;
}

} // namespace

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  for (const auto raw : raw_lines(text)) {
    std::string line{raw.ends_with('\r') ? raw.substr(0, raw.size() - 1) : raw};
    for (std::size_t i = 0; i < line.size();) {
      const auto n = utf8_length(std::string_view{line}.substr(i));
      if (line[i] == '\t')
        line[i] = ' ';
      else if (n == 0 || static_cast<unsigned char>(line[i]) < 0x20 || line[i] == 0x7F)
        line[i] = '?';
      i += std::max<std::size_t>(1, n);
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

bool readable_text(std::string_view text, std::size_t from, problem_list& problems) {
  place at;
  at.origin = from;
  if (text.size() > largest_text) {
    problems.error(at, "the file is larger than 1 MiB; split it into several");
    return false;
  }
  at.line = at.column = 1;
  for (std::size_t i = 0; i < text.size();) {
    const auto n = utf8_length(text.substr(i));
    if (n == 0 || text[i] == '\0') {
      problems.error(at, n == 0 ? "this is not UTF-8; save the file as UTF-8"
                                : "a NUL byte; save the file as UTF-8");
      return false;
    }
    ++at.column;
    if (text[i] == '\n') {
      ++at.line;
      at.column = 1;
    }
    i += n;
  }
  return true;
}

std::optional<node> parse_yaml(std::string_view text, std::size_t from, problem_list& problems) {
  builder build{text, from, problems};
  try {
    std::istringstream stream{std::string{text}};
    YAML::Parser parser{stream};
    while (parser.HandleNextDocument(build)) {
    }
    return std::move(build.root);
  } catch (const stop&) {
    return std::nullopt;
  } catch (const YAML::Exception& e) {
    auto where = build.at(e.mark);
    const auto line = build.line_at(where.line);
    const auto tab = line.find('\t');
    if (tab != line.npos && line.find_first_not_of(" \t") > tab) {
      where.column = static_cast<int>(tab) + 1;
      problems.error(where, "a tab where an indentation is; use spaces");
    } else {
      problems.error(where, remedy(e.msg));
    }
    return std::nullopt;
  } catch (const std::exception& e) {
    place nowhere;
    nowhere.origin = from;
    problems.error(nowhere, std::string{"this is not valid YAML: "} + e.what());
    return std::nullopt;
  }
}

} // namespace troupe::config

#include "engine/json/pointer.hpp"

#include <charconv>

namespace troupe::json {

namespace {

/// RFC 6901 allows no leading zeros, so that an element has one pointer only.
std::optional<std::size_t> array_index(std::string_view key) {
  if (key.empty() || (key.size() > 1 && key.front() == '0')) return std::nullopt;
  std::size_t index = 0;
  const auto [end, problem] = std::from_chars(key.data(), key.data() + key.size(), index);
  if (problem != std::errc{} || end != key.data() + key.size()) return std::nullopt;
  return index;
}

error wrong(std::string_view text, std::string_view why) {
  return {errc::bad_config, "\"" + std::string{text} + "\" is not a JSON pointer: " + std::string{why}};
}

} // namespace

result<pointer> pointer::parse(std::string_view text) {
  pointer made;
  made.text_ = text;
  if (text.empty()) return made;
  if (text.front() != '/') return wrong(text, "it must start with / (for example /payload/path)");
  std::string key;
  for (std::size_t at = 1; at <= text.size(); ++at) {
    if (at == text.size() || text[at] == '/') {
      made.tokens_.push_back({key, array_index(key)});
      key.clear();
    } else if (text[at] == '~') {
      const char escaped = ++at < text.size() ? text[at] : '\0';
      if (escaped != '0' && escaped != '1') return wrong(text, "a ~ is written ~0 and a / in a name ~1");
      key += escaped == '0' ? '~' : '/';
    } else {
      key += text[at];
    }
  }
  return made;
}

} // namespace troupe::json

#include "engine/aggregate/template_key.hpp"

namespace troupe::aggregate {

template_key::template_key(std::string_view text, std::string_view placeholder) {
  for (;;) {
    const auto at = text.find(placeholder);
    pieces_.emplace_back(text.substr(0, at));
    if (at == text.npos) return;
    text.remove_prefix(at + placeholder.size());
  }
}

std::string template_key::with(std::string_view value) const {
  std::string key = pieces_.front();
  for (std::size_t i = 1; i < pieces_.size(); ++i)
    key.append(value).append(pieces_[i]);
  return key;
}

std::optional<std::string_view> template_key::value_in(std::string_view key) const {
  std::size_t literal = 0;
  for (const auto& p : pieces_)
    literal += p.size();
  const auto times = pieces_.size() - 1;
  if (key.size() < literal) return std::nullopt;
  std::string_view value;
  if (times > 0) {
    if ((key.size() - literal) % times != 0) return std::nullopt;
    value = key.substr(pieces_.front().size(), (key.size() - literal) / times);
  }
  if (with(value) != key) return std::nullopt;
  return value;
}

std::string template_key::glob(std::string_view value) const {
  std::string out;
  for (std::size_t i = 0; i < pieces_.size(); ++i) {
    if (i > 0) out += value;
    for (const char c : pieces_[i]) {
      if (std::string_view{"*?[]^-\\"}.find(c) != std::string_view::npos) out += '\\';
      out += c;
    }
  }
  return out;
}

} // namespace troupe::aggregate

#include "engine/config/tree.hpp"

#include <algorithm>

namespace troupe::config {

const entry* node::find(std::string_view key) const {
  const auto at_key =
      std::find_if(entries.begin(), entries.end(), [&](const entry& e) { return e.key == key; });
  return at_key == entries.end() ? nullptr : &*at_key;
}

entry* node::find(std::string_view key) {
  const auto at_key =
      std::find_if(entries.begin(), entries.end(), [&](const entry& e) { return e.key == key; });
  return at_key == entries.end() ? nullptr : &*at_key;
}

bool same(const node& a, const node& b) {
  if (a.is != b.is || a.text != b.text || a.items.size() != b.items.size() ||
      a.entries.size() != b.entries.size())
    return false;
  for (std::size_t i = 0; i < a.items.size(); ++i)
    if (!same(a.items[i], b.items[i])) return false;
  return std::all_of(a.entries.begin(), a.entries.end(), [&](const entry& e) {
    const auto* other = b.find(e.key);
    return other && same(e.value, other->value);
  });
}

node merged(const node& under, const node& over, std::string_view unit) {
  if (over.nothing() && under.map()) return under;
  if (!under.map() || !over.map()) return over;
  node out = over;
  for (const auto& e : under.entries) {
    if (auto* mine = out.find(e.key)) {
      if (e.key != unit) mine->value = merged(e.value, mine->value, unit);
    } else {
      out.entries.push_back(e);
    }
  }
  return out;
}

} // namespace troupe::config

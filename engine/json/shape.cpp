#include "engine/json/shape.hpp"

namespace troupe::json {

/// A walk over a text that is known to be JSON.
struct shape::lesson {
  shape& of;
  const char* begin;
  const char* end;
  tokens first;
  std::size_t at = 0;
  std::vector<const node*> met{};

  [[nodiscard]] const char* here() const { return begin + first[at]; }

  static bool asked(const node* wanted) { return wanted && !wanted->places.empty(); }

  bool value(const node* wanted) {
    const auto token = at++;
    switch (begin[first[token]]) {
    case '"':
      if (asked(wanted)) of.strings_.push_back({token, wanted});
      return true;
    case '{':
      if (asked(wanted)) of.brackets_.push_back({token, wanted});
      return fields(wanted);
    case '[':
      if (asked(wanted)) of.brackets_.push_back({token, wanted});
      return elements(wanted);
    default:
      of.scalars_.push_back({token, asked(wanted) ? wanted : nullptr});
      return true;
    }
  }

  bool fields(const node* wanted) {
    while (*here() != '}') {
      if (*here() == ',') ++at;
      const node* child = nullptr;
      if (wanted && !wanted->children.empty() && !name_of(*wanted, child)) return false;
      at += 2; // the name and its colon
      if (!value(child)) return false;
    }
    ++at;
    return true;
  }

  bool elements(const node* wanted) {
    for (std::size_t index = 0; *here() != ']'; ++index) {
      if (*here() == ',') ++at;
      const node* child = nullptr;
      if (wanted)
        for (const auto& c : wanted->children)
          if (c.index == index) child = &c;
      if (!value(child)) return false;
    }
    ++at;
    return true;
  }

  bool name_of(const node& parent, const node*& child) {
    const char* const text = here() + 1;
    const char* const quote = std::find(text, end, '"');
    for (const auto& c : parent.children) {
      if (c.is_named(text, end))
        child = &c;
      else if (c.start.matches(text))
        return false;
    }
    if (child) {
      if (std::find(met.begin(), met.end(), child) != met.end()) return false;
      met.push_back(child);
    }
    of.names_.push_back({at, key_start{{text, static_cast<std::size_t>(quote - text)}}, child});
    return true;
  }
};

bool shape::learn(const char* begin, const char* end, tokens first, std::size_t count, const node& root) {
  *this = {};
  if (!lesson{*this, begin, end, first}.value(&root)) {
    *this = {};
    return false;
  }
  for (std::size_t i = 0; i < count; ++i)
    kinds_.push_back(begin[first[i]]);
  masks_.assign(count, '\xff');
  for (const auto& s : scalars_)
    kinds_[s.token] = masks_[s.token] = 0;
  return true;
}

bool shape::fits(const char* begin, const char* end, tokens first) const {
  const auto differs = [&](std::size_t i) { return (begin[first[i]] ^ kinds_[i]) & masks_[i]; };
  int differ = 0;
  std::size_t i = 0;
  for (; i + 4 <= kinds_.size(); i += 4)
    differ |= differs(i) | differs(i + 1) | differs(i + 2) | differs(i + 3);
  for (; i < kinds_.size(); ++i)
    differ |= differs(i);
  if (differ != 0) return false;
  return std::all_of(names_.begin(), names_.end(), [&](const name& n) {
    const char* const text = begin + first[n.token] + 1;
    return n.wanted ? n.wanted->is_named(text, end) : n.start.matches(text);
  });
}

} // namespace troupe::json

#include "engine/config/reader.hpp"

#include "engine/config/values.hpp"

#include <utility>

namespace troupe::config {
namespace {

/// The written value if it is one, else the table's default.
template <class T, class Parse>
T value_or_default(const reader& from, const std::string& section, std::string_view name, Parse parse) {
  if (const auto* n = from.find(name); n && n->scalar())
    if (const auto value = parse(n->text)) return static_cast<T>(*value);
  const auto* f = find_field(section, name);
  const auto value = parse(f ? f->fallback : std::string_view{});
  return value ? static_cast<T>(*value) : T{};
}

} // namespace

reader reader::in(std::string_view name) const {
  return {find(name), section_.empty() ? std::string{name} : section_ + "." + std::string{name}};
}

const node* reader::find(std::string_view name) const {
  const auto* e = n_ ? n_->find(name) : nullptr;
  return e ? &e->value : nullptr;
}

std::string reader::text(std::string_view name) const {
  if (const auto* n = find(name); n && n->scalar()) return n->text;
  const auto* f = find_field(section_, name);
  return f ? std::string{f->fallback} : std::string{};
}

unsigned reader::count(std::string_view name) const {
  return value_or_default<unsigned>(*this, section_, name, parse_count);
}

std::chrono::milliseconds reader::duration(std::string_view name) const {
  return value_or_default<std::chrono::milliseconds>(*this, section_, name, parse_duration);
}

std::uint64_t reader::size(std::string_view name) const {
  return value_or_default<std::uint64_t>(*this, section_, name, parse_size);
}

double reader::ratio(std::string_view name) const {
  return value_or_default<double>(*this, section_, name, parse_ratio);
}

bool reader::boolean(std::string_view name) const {
  return value_or_default<bool>(*this, section_, name, parse_boolean);
}

std::vector<std::string> reader::texts(std::string_view name) const {
  const auto* n = find(name);
  if (!n || !n->list()) {
    auto one = text(name);
    return one.empty() ? std::vector<std::string>{} : std::vector{std::move(one)};
  }
  std::vector<std::string> all;
  for (const auto& i : n->items)
    if (i.scalar()) all.push_back(i.text);
  return all;
}

std::vector<std::pair<std::string, std::string>> reader::pairs(std::string_view name) const {
  std::vector<std::pair<std::string, std::string>> all;
  if (const auto* n = find(name))
    for (const auto& e : n->entries)
      if (e.value.scalar()) all.emplace_back(e.key, e.value.text);
  return all;
}

} // namespace troupe::config

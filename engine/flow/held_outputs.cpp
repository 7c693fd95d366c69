#include "engine/flow/held_outputs.hpp"

#include <utility>

namespace troupe::flow {

std::size_t held_output::bytes() const {
  std::size_t n = 0;
  for (const auto& e : *events) {
    n += (e.key ? e.key->size() : 0) + (e.value ? e.value->size() : 0);
    for (const auto& h : e.headers)
      n += h.name.size() + (h.value ? h.value->size() : 0);
  }
  return n;
}

void held_outputs::hold(held_output output) {
  const auto offset = output.event->offset;
  by_offset_.insert_or_assign(offset, std::move(output));
}

std::vector<held_output> held_outputs::below(std::int64_t position) const {
  std::vector<held_output> all;
  for (auto at = by_offset_.begin(); at != by_offset_.end() && at->first < position; ++at)
    all.push_back(at->second);
  return all;
}

std::size_t held_outputs::bytes_of(std::int64_t offset) const {
  const auto at = by_offset_.find(offset);
  return at == by_offset_.end() ? 0 : at->second.bytes();
}

void held_outputs::committed(std::int64_t position) {
  by_offset_.erase(by_offset_.begin(), by_offset_.lower_bound(position));
}

} // namespace troupe::flow

#include "engine/flow/lane_table.hpp"

#include <algorithm>
#include <functional>
#include <utility>

namespace troupe::flow {
namespace {

/// What a free lane keeps of its key's memory: keys are short, and one that is not must not stay for ever.
constexpr std::size_t longest_kept = 256;

} // namespace

lane_table::index lane_table::find_or_add(std::string_view key) {
  const auto hash = std::hash<std::string_view>{}(key);
  for (auto at = bucket_of(hash); at != none; at = lanes_[at].next)
    if (lanes_[at].hash == hash && lanes_[at].key == key) return at;
  if (free_ == none) {
    if (lanes_.size() == buckets_.size()) grow();
    free_ = static_cast<index>(lanes_.size());
    lanes_.emplace_back();
  }
  auto& made = lanes_[free_];
  auto& bucket = bucket_of(hash);
  const auto which = std::exchange(free_, std::exchange(made.next, bucket));
  made.key.assign(key);
  made.hash = hash;
  bucket = which;
  return which;
}

void lane_table::remove(index which) {
  auto& gone = lanes_[which];
  auto* link = &bucket_of(gone.hash);
  while (*link != which)
    link = &lanes_[*link].next;
  *link = std::exchange(gone.next, std::exchange(free_, which));
  gone.first = gone.last = none;
  if (gone.key.capacity() > longest_kept) std::string{}.swap(gone.key); // `= {}` would keep it
}

// Only when no lane is free: all of them are in a bucket.
void lane_table::grow() {
  buckets_.assign(buckets_.size() * 2, none);
  for (index i = 0; i < lanes_.size(); ++i)
    lanes_[i].next = std::exchange(bucket_of(lanes_[i].hash), i);
}

} // namespace troupe::flow

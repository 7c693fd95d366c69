#include "engine/flow/offset_ledger.hpp"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <numeric>
#include <utility>

namespace troupe::flow {

offset_ledger::offset_ledger(std::int64_t start, std::vector<offset_run> recorded, window_limits limits,
                             recording what)
    : entries_(1), carried_{std::move(recorded)}, end_{start}, limits_{limits}, what_{what}, committed_{
                                                                                                 start} {
  recorded_.ahead = carried_;
  for (const auto& run : carried_)
    recorded_.runs.push_back({run, 0, 0});
}

void offset_ledger::recorded_total::note_read(std::int64_t offset, std::size_t size) {
  const auto at =
      std::partition_point(ahead.begin(), ahead.end(), [&](const offset_run& r) { return r.end <= offset; });
  if (at == ahead.end() || at->begin > offset) return;
  ++events;
  bytes += size;
  const auto in = std::partition_point(runs.begin(), runs.end(),
                                       [&](const finished_run& r) { return r.run.end <= offset; });
  if (in == runs.end() || in->run.begin > offset) return; // below the position that is committed
  ++in->events;
  in->bytes += size;
}

bool offset_ledger::open() const {
  return admitted_events_ - recorded_.events < limits_.events &&
         admitted_bytes_ - recorded_.bytes < limits_.bytes;
}

std::size_t offset_ledger::room() const {
  const auto used = admitted_events_ - recorded_.events;
  return used < limits_.events ? limits_.events - used : 0;
}

double offset_ledger::fill() const {
  return std::max(
      static_cast<double>(admitted_events_ - recorded_.events) / static_cast<double>(limits_.events),
      static_cast<double>(admitted_bytes_ - recorded_.bytes) / static_cast<double>(limits_.bytes));
}

offset_ledger::slot offset_ledger::take_slot() {
  if (free_.empty()) {
    entries_.emplace_back();
    return static_cast<slot>(entries_.size() - 1);
  }
  const auto s = free_.back();
  free_.pop_back();
  return s;
}

std::optional<offset_ledger::slot> offset_ledger::admit(std::int64_t offset, std::size_t bytes) {
  if (offset < end_) return std::nullopt; // seen already: the broker sends whole batches
  end_ = offset + 1;
  while (carried_at_ < carried_.size() && carried_[carried_at_].end <= offset)
    ++carried_at_;
  if (carried_at_ < carried_.size() && carried_[carried_at_].begin <= offset) {
    // Finished and, as long as commits still carry its run, recorded. A run that no longer fits is not: it
    // counts against the window like any other.
    auto& before = entries_[entries_[head].prev];
    ++before.finished_events;
    before.finished_bytes += bytes;
    ++admitted_events_;
    admitted_bytes_ += bytes;
    recorded_.note_read(offset, bytes);
    if (pending_) pending_->note_read(offset, bytes);
    changed_ = true;
    return std::nullopt;
  }
  const auto s = take_slot();
  const auto last = entries_[head].prev;
  entries_[s] = {offset, bytes, last, head, 0, 0};
  entries_[last].next = s;
  entries_[head].prev = s;
  ++unfinished_;
  ++admitted_events_;
  admitted_bytes_ += bytes;
  return s;
}

void offset_ledger::finish(slot which, std::size_t held_bytes) {
  assert(which != head && which < entries_.size());
  auto& done = entries_[which];
  auto& before = entries_[done.prev];
  before.finished_events += done.finished_events + 1;
  before.finished_bytes += done.finished_bytes + done.bytes + held_bytes;
  admitted_bytes_ += held_bytes;
  before.next = done.next;
  entries_[done.next].prev = done.prev;
  free_.push_back(which);
  --unfinished_;
  changed_ = true;
}

std::int64_t offset_ledger::position() const {
  return unfinished_ > 0 ? entries_[entries_[head].next].offset : end_;
}

std::optional<offset_ledger::slot> offset_ledger::oldest() const {
  if (unfinished_ == 0) return std::nullopt;
  return entries_[head].next;
}

// What is finished beyond `base`, in offset order. `base` grows if the first run starts there.
std::vector<offset_ledger::finished_run> offset_ledger::finished_runs(std::int64_t& base) const {
  std::vector<finished_run> runs;
  for (auto s = entries_[head].next; s != head; s = entries_[s].next) {
    const auto& e = entries_[s];
    const auto until = e.next == head ? end_ : entries_[e.next].offset;
    if (e.finished_events > 0) runs.push_back({{e.offset + 1, until}, e.finished_events, e.finished_bytes});
  }
  for (auto i = carried_at_; i < carried_.size(); ++i) {
    const auto begin = std::max(carried_[i].begin, end_);
    if (begin >= carried_[i].end) continue;
    if (!runs.empty() && runs.back().run.end == begin) {
      runs.back().run.end = carried_[i].end;
    } else if (begin > base || unfinished_ > 0) {
      runs.push_back({{begin, carried_[i].end}, 0, 0});
    } else {
      base = carried_[i].end; // nothing unfinished below: the prefix itself grows
    }
  }
  return runs;
}

namespace {

std::string encode(std::int64_t base, std::size_t limit, const auto& runs, const auto& wanted, bool& all) {
  std::vector<offset_run> plain;
  for (std::size_t i = 0; i < runs.size(); ++i)
    if (wanted(i)) plain.push_back(runs[i].run);
  std::size_t taken = 0;
  auto text = encode_metadata(base, plain, taken, limit);
  all = taken == plain.size();
  return plain.empty() ? std::string{} : text;
}

} // namespace

// Where not all fit, those stay that stand for most. Otherwise many short runs, finished late, would push out
// a long one that was recorded already, and a crash would redeliver far more than the window.
void offset_ledger::keep_heaviest(std::int64_t base, std::vector<finished_run>& runs) const {
  const auto weight = [&](const finished_run& r) {
    const auto unread = std::max<std::int64_t>(r.run.end - std::max(r.run.begin, end_), 0);
    return static_cast<double>(r.events + static_cast<std::size_t>(unread)) /
               static_cast<double>(limits_.events) +
           static_cast<double>(r.bytes) / static_cast<double>(limits_.bytes);
  };
  std::vector<std::size_t> order(runs.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return weight(runs[a]) > weight(runs[b]); });
  std::vector<std::size_t> rank(runs.size());
  for (std::size_t i = 0; i < order.size(); ++i)
    rank[order[i]] = i;
  std::size_t fits = 0;
  for (std::size_t most = runs.size(); fits < most;) {
    const auto half = fits + (most - fits + 1) / 2;
    bool all = false;
    encode(
        base, metadata_bytes_, runs, [&](std::size_t i) { return rank[i] < half; }, all);
    if (all)
      fits = half;
    else
      most = half - 1;
  }
  std::size_t i = 0;
  std::erase_if(runs, [&](const finished_run&) { return rank[i++] >= fits; });
}

/// What a commit of this position and these runs records.
offset_ledger::recorded_total offset_ledger::total_of(std::int64_t base,
                                                      std::vector<finished_run> runs) const {
  recorded_total total{entries_[head].finished_events, entries_[head].finished_bytes, {}, {}};
  if (base > end_) total.ahead.push_back({end_, base});
  for (const auto& r : runs) {
    total.events += r.events;
    total.bytes += r.bytes;
    if (r.run.end > end_) total.ahead.push_back({std::max(r.run.begin, end_), r.run.end});
  }
  total.runs = std::move(runs);
  return total;
}

/// The runs of the last commit that are not below this position by now. A position is of an unfinished event
/// or of the end, so that it lies in none of them.
std::vector<offset_ledger::finished_run> offset_ledger::recorded_beyond(std::int64_t base) const {
  std::vector<finished_run> runs;
  std::copy_if(recorded_.runs.begin(), recorded_.runs.end(), std::back_inserter(runs),
               [&](const finished_run& r) { return r.run.begin > base; });
  return runs;
}

std::optional<offset_ledger::snapshot> offset_ledger::take_prefix() {
  changed_ = false; // whatever moves the position sets it again
  if (position() == committed_) return std::nullopt;
  committing_ = position();
  pending_ = recorded_total{entries_[head].finished_events, entries_[head].finished_bytes, {}, {}};
  return snapshot{committing_, {}};
}

std::optional<offset_ledger::snapshot> offset_ledger::take_commit() {
  if (pending_ || !changed_) return std::nullopt;
  if (what_ == recording::prefix) return take_prefix();
  snapshot out{position(), {}};
  auto runs = finished_runs(out.offset);
  const auto every = [](std::size_t) { return true; };
  bool all = false;
  out.metadata = encode(out.offset, metadata_bytes_, runs, every, all);
  if (!all) {
    keep_heaviest(out.offset, runs);
    out.metadata = encode(out.offset, metadata_bytes_, runs, every, all);
  }
  auto total = total_of(out.offset, std::move(runs));
  if (total.events < recorded_.events || total.bytes < recorded_.bytes) {
    // Those that are worth more lie further apart, and fewer fit. What was admitted on the strength of the
    // last commit would come on top of the window, so its runs stay.
    auto same = recorded_beyond(out.offset);
    auto text = encode(out.offset, metadata_bytes_, same, every, all);
    if (all) { // or the broker takes less than it did
      out.metadata = std::move(text);
      total = total_of(out.offset, std::move(same));
    }
  }
  pending_ = std::move(total);
  committing_ = out.offset;
  pending_metadata_ = out.metadata.size();
  changed_ = false;
  return out;
}

void offset_ledger::metadata_refused() {
  assert(pending_);
  metadata_bytes_ = pending_metadata_ / 2;
}

bool offset_ledger::commit_ended(bool acknowledged) {
  assert(pending_);
  if (acknowledged) {
    recorded_ = std::move(*pending_);
    committed_ = committing_;
  } else {
    changed_ = true;
  }
  pending_.reset();
  return changed_;
}

} // namespace troupe::flow

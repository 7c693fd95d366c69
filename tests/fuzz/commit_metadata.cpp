// The text of a commit's metadata, foreign or with a right checksum, and a ledger that lives through commits,
// refusals and crashes beside a naive one.
#include "engine/flow/offset_ledger.hpp"
#include "tests/engine/flow/metadata_text.hpp"
#include "tests/fuzz/targets.hpp"

#include <map>
#include <set>

namespace troupe::fuzz {
namespace {

void check_runs(const std::vector<flow::offset_run>& runs, std::int64_t base) {
  auto last = base;
  for (const auto& run : runs) {
    require(run.begin >= last && run.begin >= base, "runs are sorted and disjoint, and not below the base");
    require(run.end > run.begin, "no run is empty");
    last = run.end;
  }
  std::size_t taken = 0;
  const auto text = flow::encode_metadata(base, runs, taken);
  require(text.size() <= flow::metadata_limit, "metadata stays within the limit");
  if (taken == runs.size()) require(flow::decode_metadata(text, base) == runs, "what is encoded comes back");
}

void any_text(cursor in) {
  const auto base = static_cast<std::int64_t>(in.number() >> 1);
  check_runs(flow::decode_metadata(in.rest(), base), base);
}

void any_payload(cursor in) {
  const auto base = static_cast<std::int64_t>(in.number() >> 1);
  const auto text =
      flow::metadata_text(flow::varint(static_cast<std::uint64_t>(base)) + std::string{in.rest()});
  const auto runs = flow::decode_metadata(text, base);
  check_runs(runs, base);
  require(flow::decode_metadata(text, base ^ 1).empty(), "metadata of another base is ignored");
  if (!text.empty()) require(flow::decode_metadata(text.substr(1), base).empty(), "torn metadata is ignored");
}

/// One partition, its group's commit, and a naive account of both.
class partition {
public:
  explicit partition(cursor& in)
      : limits_{1 + in.number() % 5000, 1 + in.number() % 100'000}, broker_takes_{in.number() % 4097} {
    begin();
  }

  void step(std::uint8_t what, cursor& in) {
    switch (what % 8) {
    case 0:
      return read(1 + static_cast<std::int64_t>(in.number() % 1000), 1 + in.byte());
    case 1:
    case 2:
      return read(1, 1);
    case 3:
    case 4:
      return finish(in.byte());
    case 5:
      return take();
    case 6:
      return answer(in.byte() % 4 != 0);
    default:
      return begin(); // a crash
    }
  }

  void check() const {
    std::size_t events = 0, bytes = 0;
    for (const auto& [offset, size] : seen_)
      if (!covered(offset)) {
        ++events;
        bytes += size;
      }
    require(ledger_->open() == (events < limits_.events && bytes < limits_.bytes),
            "the window is what a crash repeats");
    require(ledger_->room() == (events < limits_.events ? limits_.events - events : 0),
            "and has room accordingly");
    require(ledger_->unfinished() == slots_.size(), "each unfinished event is known");
    if (!slots_.empty())
      require(ledger_->position() == slots_.begin()->first, "the position is the first unfinished");
  }

private:
  void begin() {
    runs_ = flow::decode_metadata(metadata_, committed_);
    check_runs(runs_, committed_);
    at_start_ = runs_;
    ledger_.emplace(committed_, runs_, limits_);
    slots_.clear();
    seen_.clear();
    next_ = committed_;
    taken_.reset();
  }

  static bool within(const std::vector<flow::offset_run>& runs, std::int64_t offset) {
    for (const auto& run : runs)
      if (run.begin <= offset && offset < run.end) return true;
    return false;
  }
  [[nodiscard]] bool covered(std::int64_t offset) const {
    return offset < committed_ || within(runs_, offset);
  }

  void read(std::int64_t step, std::size_t bytes) {
    if (!ledger_->open()) return;
    const auto offset = next_ + step - 1;
    if (offset > std::int64_t{1} << 40) return;
    next_ = offset + 1;
    const auto slot = ledger_->admit(offset, bytes);
    require(slot.has_value() != within(at_start_, offset),
            "what the commit recorded is skipped, and nothing else");
    seen_[offset] = bytes;
    if (slot) slots_[offset] = *slot;
  }

  void finish(std::size_t which) {
    if (slots_.empty()) return;
    const auto at = std::next(slots_.begin(), static_cast<std::ptrdiff_t>(which % slots_.size()));
    ledger_->finish(at->second);
    slots_.erase(at);
  }

  void take() {
    auto wanted = ledger_->take_commit();
    require(!wanted || !taken_, "one commit is under way at a time");
    if (!wanted) return;
    const auto runs = flow::decode_metadata(wanted->metadata, wanted->offset);
    require(wanted->offset >= committed_, "a commit does not go back");
    require(wanted->metadata.empty() == runs.empty(), "its metadata can be read");
    check_runs(runs, wanted->offset);
    for (const auto& [offset, slot] : slots_)
      require(offset >= wanted->offset && !within(runs, offset), "no commit passes an unfinished event");
    for (const auto& run : runs)
      require(run.end <= next_ || within(at_start_, run.end - 1), "nor one that was not seen");
    taken_ = std::move(wanted);
  }

  void answer(bool acknowledged) {
    if (!taken_) return;
    if (taken_->metadata.size() > broker_takes_) {
      ledger_->metadata_refused();
      acknowledged = false;
    }
    ledger_->commit_ended(acknowledged);
    if (acknowledged) {
      committed_ = taken_->offset;
      metadata_ = taken_->metadata;
      runs_ = flow::decode_metadata(metadata_, committed_);
    }
    taken_.reset();
  }

  flow::window_limits limits_;
  std::size_t broker_takes_;
  std::optional<flow::offset_ledger> ledger_;
  std::map<std::int64_t, flow::offset_ledger::slot> slots_; ///< unfinished
  std::map<std::int64_t, std::size_t> seen_;                ///< of this life, in bytes
  std::int64_t next_ = 0;
  std::int64_t committed_ = 0;
  std::string metadata_;
  std::vector<flow::offset_run> runs_, at_start_; ///< of the commit, now and at the start of this life
  std::optional<flow::offset_ledger::snapshot> taken_;
};

void lives(cursor in) {
  partition one{in};
  for (int steps = 0; !in.empty() && steps < 2000; ++steps) {
    one.step(in.byte(), in);
    one.check();
  }
}

} // namespace

void commit_metadata(std::string_view input) {
  cursor in{input};
  switch (in.byte() % 3) {
  case 0:
    return any_text(in);
  case 1:
    return any_payload(in);
  default:
    return lives(in);
  }
}

} // namespace troupe::fuzz

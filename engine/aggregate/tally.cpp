#include "engine/aggregate/tally.hpp"

#include "engine/aggregate/event_time.hpp"
#include "engine/aggregate/template_key.hpp"
#include "engine/json/extractor.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <memory_resource>
#include <optional>

namespace troupe::aggregate {

namespace {

constexpr std::uint32_t none = ~std::uint32_t{0};
constexpr minute no_minute = std::numeric_limits<minute>::min();

/// A counted value, with its total and with its count in the minute of its last event: events come in the
/// order of time, more or less.
struct counted_value {
  std::int64_t total = 0;
  minute last = 0;
  std::int64_t last_count = 0;     ///< in that minute, and not yet in the table of minutes
  std::uint32_t last_place = none; ///< of that minute, there
  std::uint32_t size = 0;          ///< of the text, which lies right behind

  [[nodiscard]] std::string_view text() const { return {reinterpret_cast<const char*>(this + 1), size}; }
};

/// Of short texts, in a few instructions each: sixteen bytes at a time, multiplied and folded. What is left
/// is read as two words that may overlap: bytes put together in memory would have to be waited for.
std::uint64_t hash_of(std::string_view text) {
  __extension__ using wide = unsigned __int128;
  const char* at = text.data();
  auto left = text.size();
  const auto word = [](const char* from) {
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, from, sizeof bytes);
    return bytes;
  };
  const auto half = [](const char* from) {
    std::uint32_t bytes = 0;
    std::memcpy(&bytes, from, sizeof bytes);
    return std::uint64_t{bytes};
  };
  const auto byte = [&](std::size_t i) { return std::uint64_t{static_cast<unsigned char>(at[i])}; };
  std::uint64_t hash = left * 0x9E3779B97F4A7C15ULL;
  const auto add = [&](std::uint64_t a, std::uint64_t b) {
    const auto product = static_cast<wide>(a ^ hash ^ 0xA0761D6478BD642FULL) * (b ^ 0xE7037ED1A0B428DBULL);
    hash = static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  };
  for (; left > 16; left -= 16, at += 16)
    add(word(at), word(at + 8));
  if (left >= 8)
    add(word(at), word(at + left - 8));
  else if (left >= 4)
    add(half(at), half(at + left - 4));
  else if (left > 0)
    add(byte(0) << 16 | byte(left / 2) << 8 | byte(left - 1), 0);
  return hash;
}

/// Open addressing. An event whose value is known touches two cache lines, a slot's and the value's, and
/// allocates nothing.
class value_table {
public:
  // Both lines are mostly far from the processor, and the processor far ahead: asking for them early takes
  // the waiting out of the search.
  void ask_for_slot(std::uint64_t hash) const {
    if (!slots_.empty()) __builtin_prefetch(&slots_[hash & (slots_.size() - 1)]);
  }
  void ask_for_value(std::uint64_t hash) const {
    if (!slots_.empty()) __builtin_prefetch(slots_[hash & (slots_.size() - 1)].value);
  }
  counted_value& find_or_add(std::string_view text, std::uint64_t hash) {
    if (used_ * 2 >= slots_.size()) grow();
    auto i = hash & (slots_.size() - 1);
    for (; slots_[i].value; i = (i + 1) & (slots_.size() - 1))
      if (slots_[i].hash == hash && slots_[i].value->text() == text) return *slots_[i].value;
    slots_[i] = {hash, made(text)};
    ++used_;
    return *slots_[i].value;
  }
  [[nodiscard]] std::size_t size() const { return used_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  void clear() {
    std::vector<slot>{}.swap(slots_);
    memory_.release();
    used_ = bytes_ = 0;
  }

private:
  struct slot {
    std::size_t hash = 0;
    counted_value* value = nullptr;
  };
  counted_value* made(std::string_view text) {
    constexpr std::size_t cache_line = 64; // one is enough for a short text
    void* place = memory_.allocate(sizeof(counted_value) + text.size(), cache_line);
    auto* value = new (place) counted_value{};
    value->size = static_cast<std::uint32_t>(text.size());
    text.copy(reinterpret_cast<char*>(value + 1), text.size());
    bytes_ += text.size();
    return value;
  }
  void grow() {
    std::vector<slot> larger(std::max<std::size_t>(64, slots_.size() * 2));
    for (const auto& s : slots_) {
      if (!s.value) continue;
      auto i = s.hash & (larger.size() - 1);
      while (larger[i].value)
        i = (i + 1) & (larger.size() - 1);
      larger[i] = s;
    }
    slots_ = std::move(larger);
  }

  std::vector<slot> slots_; ///< a power of two of them
  std::pmr::monotonic_buffer_resource memory_;
  std::size_t used_ = 0, bytes_ = 0;
};

/// Counts by (minute, value): many minutes of many values take the memory of those that occurred only.
class minute_table {
public:
  struct entry {
    minute at;
    const counted_value* value;
    std::int64_t count;
  };

  std::uint32_t find_or_add(minute at, const counted_value& value) {
    if (entries_.size() * 2 >= places_.size()) grow();
    auto& place = find(at, &value);
    if (place == 0) {
      entries_.push_back({at, &value, 0});
      place = static_cast<std::uint32_t>(entries_.size());
    }
    return place - 1;
  }
  entry& operator[](std::uint32_t place) { return entries_[place]; }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] std::vector<entry>& entries() { return entries_; }
  void clear() {
    const bool mostly_empty = entries_.size() * 8 < places_.size() && places_.size() > 4096;
    entries_.clear();
    if (mostly_empty)
      std::vector<std::uint32_t>{}.swap(places_);
    else
      std::fill(places_.begin(), places_.end(), 0);
  }

private:
  std::uint32_t& find(minute at, const counted_value* value) {
    const auto mixed = (static_cast<std::uint64_t>(at) * 0x9E3779B97F4A7C15ULL) ^
                       (reinterpret_cast<std::uintptr_t>(value) * std::uint64_t{0xC2B2AE3D27D4EB4F});
    for (auto i = (mixed ^ (mixed >> 29)) & (places_.size() - 1);; i = (i + 1) & (places_.size() - 1)) {
      auto& place = places_[i];
      if (place == 0 || (entries_[place - 1].at == at && entries_[place - 1].value == value)) return place;
    }
  }
  void grow() {
    places_.assign(std::max<std::size_t>(64, places_.size() * 2), 0);
    for (std::size_t i = 0; i < entries_.size(); ++i)
      find(entries_[i].at, entries_[i].value) = static_cast<std::uint32_t>(i + 1);
  }

  std::vector<entry> entries_;
  std::vector<std::uint32_t> places_; ///< 1 + index into entries_, 0 where free; a power of two of them
};

/// The table of values outlives a flush, since the next one counts mostly the same; not when it has become
/// large for what was counted.
constexpr std::size_t values_kept = 4096;
constexpr std::size_t value_bytes_kept = std::size_t{4} << 20;

constexpr std::int64_t longest_keep = 100'000'000'000; // seconds; Redis refuses times beyond 2^63 ms

constexpr minute far_ahead = 5;

} // namespace

struct tally::impl {
  tally_spec spec;
  template_key into, minute_into;
  std::int64_t keep_seconds = 0;

  /// What is read of an event: the conditions in their order, the counted value, the event's time.
  std::optional<json::extractor> event; ///< none where a pointer of the spec is none: nothing can be found
  minute_reader times;
  value_table values;
  std::vector<counted_value*> touched; ///< since the last flush
  minute_table minutes;
  struct found_value {
    std::string_view text;
    std::uint64_t hash = 0;
    minute at = no_minute;
  };
  std::vector<found_value> found; ///< read, and not yet counted
  minute oldest = no_minute, newest = std::numeric_limits<minute>::max();

  explicit impl(tally_spec s)
      : spec{std::move(s)}, into{spec.into, "{value}"}, minute_into{spec.minute_into, "{minute}"} {
    keep_seconds = std::clamp<std::int64_t>((spec.minute_keep.count() + 999) / 1000, 0, longest_keep);
    std::vector<json::pointer> wanted;
    const auto want = [&](const std::string& text) {
      auto made = json::pointer::parse(text);
      if (made) wanted.push_back(std::move(*made));
      return static_cast<bool>(made);
    };
    const bool all = std::all_of(spec.where.begin(), spec.where.end(),
                                 [&](const auto& condition) { return want(condition.first); }) &&
                     want(spec.count_by) && (!by_event_time() || want(spec.event_time));
    if (all) event.emplace(wanted);
  }

  [[nodiscard]] bool by_event_time() const { return !spec.minute_into.empty() && !spec.event_time.empty(); }

  std::optional<minute> minute_for(std::int64_t record_timestamp_ms) {
    if (!by_event_time()) return record_timestamp_ms < 0 ? std::nullopt : minute_of(record_timestamp_ms);
    const auto& time = (*event)[spec.where.size() + 1];
    return time.is_string() ? times.read(time.text) : std::nullopt;
  }

  /// Takes down what the event that was read counts; settle() counts it.
  counted note_read(std::int64_t record_timestamp_ms) {
    const auto& place = *event;
    for (std::size_t i = 0; i < spec.where.size(); ++i)
      if (!place[i].has_text() || place[i].text != spec.where[i].second) return counted::filtered;
    const auto& value = place[spec.where.size()];
    if (!value.is_string()) return counted::unusable;
    const auto hash = hash_of(value.text);
    values.ask_for_slot(hash);
    const auto at = spec.minute_into.empty() ? std::nullopt : minute_for(record_timestamp_ms);
    found.push_back({value.text, hash, at.value_or(no_minute)});
    if (spec.minute_into.empty()) return counted::yes;
    if (!at) return counted::no_time;
    return *at > newest ? counted::ahead : *at < oldest ? counted::late : counted::yes;
  }

  void settle() {
    for (const auto& one : found)
      values.ask_for_value(one.hash);
    for (const auto& one : found)
      count(one);
    found.clear();
  }

  void count(const found_value& one) {
    auto& value = values.find_or_add(one.text, one.hash);
    if (value.total++ == 0) touched.push_back(&value);
    if (one.at == no_minute) return;
    if (value.last_place == none || value.last != one.at) {
      spill(value);
      value.last = one.at;
      value.last_place = minutes.find_or_add(one.at, value);
    }
    ++value.last_count;
  }

  void spill(counted_value& value) {
    if (value.last_place != none) minutes[value.last_place].count += value.last_count;
    value.last_place = none;
    value.last_count = 0;
  }

  void start_anew() {
    if (values.size() > std::max(values_kept, 4 * touched.size()) || values.bytes() > value_bytes_kept) {
      values.clear();
    } else {
      for (auto* value : touched) {
        value->total = value->last_count = 0;
        value->last_place = none;
      }
    }
    touched.clear();
    minutes.clear();
  }
};

tally::tally(tally_spec spec) : impl_{std::make_unique<impl>(std::move(spec))} {}
tally::~tally() = default;
tally::tally(tally&&) noexcept = default;
tally& tally::operator=(tally&&) noexcept = default;

counted tally::count(std::string_view json, std::int64_t record_timestamp_ms) {
  auto& t = *impl_;
  if (!t.event || !t.event->read(json)) return counted::unusable;
  const auto outcome = t.note_read(record_timestamp_ms);
  t.settle();
  return outcome;
}

outcomes tally::count_all(json::texts& events, std::span<const std::int64_t> record_timestamps_ms) {
  auto& t = *impl_;
  outcomes all;
  if (!t.event) {
    for (std::size_t i = 0; i < events.size(); ++i)
      all.add(counted::unusable);
    return all;
  }
  t.event->read_all(
      events,
      [&](std::size_t i, bool taken) {
        const auto time = i < record_timestamps_ms.size() ? record_timestamps_ms[i] : -1;
        all.add(taken ? t.note_read(time) : counted::unusable);
      },
      [&] { t.settle(); });
  return all;
}

void tally::set_now(std::int64_t epoch_ms) {
  const auto now = minute_of(epoch_ms);
  if (!now) return;
  impl_->newest = *now + far_ahead;
  impl_->oldest = *now - impl_->keep_seconds / 60;
}

bool tally::empty() const {
  return impl_->touched.empty();
}

std::size_t tally::distinct() const {
  return impl_->touched.size() + impl_->minutes.size();
}

delta tally::take() {
  auto& t = *impl_;
  delta out;
  out.totals.reserve(t.touched.size());
  for (auto* value : t.touched) {
    t.spill(*value);
    // Without a placeholder all values share one key.
    if (!t.into.has_placeholder() && !out.totals.empty())
      out.totals.front().count += value->total;
    else
      out.totals.push_back({t.into.with(value->text()), value->total});
  }
  auto& entries = t.minutes.entries();
  const auto earlier = [](const auto& x, const auto& y) { return x.at < y.at; };
  // Events come in the order of time, more or less, and so do their minutes.
  if (!std::is_sorted(entries.begin(), entries.end(), earlier))
    std::stable_sort(entries.begin(), entries.end(), earlier);
  for (auto e = entries.begin(); e != entries.end();) {
    const auto end = std::find_if(e, entries.end(), [&](const auto& later) { return later.at != e->at; });
    auto key = t.minute_into.with(shown(e->at));
    // Without a placeholder all minutes share one set.
    if (out.minutes.empty() || out.minutes.back().key != key) out.minutes.push_back({std::move(key), 0, {}});
    auto& set = out.minutes.back();
    set.expire_at = e->at * 60 + t.keep_seconds;
    set.members.reserve(set.members.size() + static_cast<std::size_t>(end - e));
    for (; e != end; ++e)
      set.members.push_back({std::string{e->value->text()}, e->count});
  }
  t.start_anew();
  return out;
}

void tally::clear() {
  impl_->start_anew();
}

} // namespace troupe::aggregate

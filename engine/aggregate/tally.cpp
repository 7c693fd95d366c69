#include "engine/aggregate/tally.hpp"

#include "engine/aggregate/event_time.hpp"
#include "engine/aggregate/template_key.hpp"
#include "engine/json/document.hpp"

#include <algorithm>
#include <functional>
#include <unordered_map>

namespace troupe::aggregate {

namespace {

struct text_hash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
};

/// Counts by (minute, value). Found by open addressing in a table of places, so that an event that is counted
/// again allocates nothing, and many minutes of many values take the memory of those that occurred only.
class minute_table {
public:
  struct entry {
    minute at;
    std::uint32_t value;
    std::int64_t count;
  };

  void add(minute at, std::uint32_t value) {
    if (entries_.size() * 2 >= places_.size()) grow();
    auto& place = find(at, value);
    if (place == 0) {
      entries_.push_back({at, value, 0});
      place = static_cast<std::uint32_t>(entries_.size());
    }
    ++entries_[place - 1].count;
  }
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
  std::uint32_t& find(minute at, std::uint32_t value) {
    const auto mixed = (static_cast<std::uint64_t>(at) * 0x9E3779B97F4A7C15ULL) ^
                       (value * std::uint64_t{0xC2B2AE3D27D4EB4F});
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

} // namespace

struct tally::impl {
  struct condition {
    json::pointer at;
    std::string value;
  };

  tally_spec spec;
  std::vector<condition> where;
  json::pointer count_by, event_time;
  bool countable = true; ///< false where a pointer of the spec is none: then nothing can be found
  template_key into, minute_into;
  std::int64_t keep_seconds = 0;

  json::document event;
  minute_reader times;
  std::unordered_map<std::string, std::uint32_t, text_hash, std::equal_to<>> ids;
  std::vector<const std::string*> values; ///< by id
  std::size_t value_bytes = 0;
  std::vector<std::int64_t> totals; ///< by id
  std::vector<std::uint32_t> touched;
  minute_table minutes;

  explicit impl(tally_spec s)
      : spec{std::move(s)}, into{spec.into, "{value}"}, minute_into{spec.minute_into, "{minute}"} {
    for (const auto& [at, value] : spec.where)
      where.push_back({compiled(at), value});
    count_by = compiled(spec.count_by);
    event_time = compiled(spec.event_time);
    keep_seconds = std::clamp<std::int64_t>((spec.minute_keep.count() + 999) / 1000, 0, longest_keep);
  }

  json::pointer compiled(const std::string& text) {
    auto made = json::pointer::parse(text);
    if (!made) countable = false;
    return made ? std::move(*made) : json::pointer{};
  }

  std::uint32_t id_of(std::string_view value) {
    if (const auto known = ids.find(value); known != ids.end()) return known->second;
    const auto id = static_cast<std::uint32_t>(values.size());
    const auto made = ids.emplace(std::string{value}, id).first;
    values.push_back(&made->first);
    totals.push_back(0);
    value_bytes += value.size();
    return id;
  }

  std::optional<minute> minute_for(std::int64_t record_timestamp_ms) {
    if (spec.event_time.empty())
      return record_timestamp_ms < 0 ? std::nullopt : minute_of(record_timestamp_ms);
    const auto text = event.string_at(event_time);
    return text ? times.read(*text) : std::nullopt;
  }

  void start_anew() {
    if (values.size() > std::max(values_kept, 4 * touched.size()) || value_bytes > value_bytes_kept) {
      ids.clear();
      values.clear();
      totals.clear();
      value_bytes = 0;
    } else {
      for (const auto id : touched)
        totals[id] = 0;
    }
    touched.clear();
    minutes.clear();
  }
};

tally::tally(tally_spec spec) : impl_{std::make_unique<impl>(std::move(spec))} {}
tally::~tally() = default;
tally::tally(tally&&) noexcept = default;
tally& tally::operator=(tally&&) noexcept = default;

counted tally::count(std::string_view value, std::int64_t record_timestamp_ms) {
  auto& t = *impl_;
  if (!t.countable || !t.event.parse(value)) return counted::unusable;
  for (const auto& c : t.where)
    if (t.event.text_at(c.at) != c.value) return counted::filtered;
  const auto counted_value = t.event.string_at(t.count_by);
  if (!counted_value) return counted::unusable;
  const auto id = t.id_of(*counted_value);
  if (t.totals[id]++ == 0) t.touched.push_back(id);
  if (t.spec.minute_into.empty()) return counted::yes;
  const auto at = t.minute_for(record_timestamp_ms);
  if (!at) return counted::no_time;
  t.minutes.add(*at, id);
  return counted::yes;
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
  for (const auto id : t.touched) {
    // Without a placeholder all values share one key.
    if (!t.into.has_placeholder() && !out.totals.empty())
      out.totals.front().count += t.totals[id];
    else
      out.totals.push_back({t.into.with(*t.values[id]), t.totals[id]});
  }
  auto& entries = t.minutes.entries();
  std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
  out.minutes.reserve(entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto& e = entries[i];
    auto key = i > 0 && entries[i - 1].at == e.at ? out.minutes.back().key : t.minute_into.with(shown(e.at));
    out.minutes.push_back({std::move(key), *t.values[e.value], e.count, e.at * 60 + t.keep_seconds});
  }
  t.start_anew();
  return out;
}

void tally::clear() {
  impl_->start_anew();
}

} // namespace troupe::aggregate

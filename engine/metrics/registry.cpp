#include "engine/metrics/registry.hpp"

#include "engine/core/utf8.hpp"
#include "engine/metrics/catalogue.hpp"
#include "engine/metrics/process.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <cmath>
#include <iterator>
#include <map>
#include <mutex>
#include <string_view>

namespace troupe::metrics {
namespace {

constexpr std::array bucket_bounds{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25,
                                   0.5,   0.75, 1.0,   2.5,  5.0,   7.5, 10.0};

std::string text_of(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

/// Escaped as the text format wants it. Bytes that are no UTF-8 become the replacement character, since a
/// single one (an error class made by a handler, say) would make the scraper refuse the whole page.
std::string escaped(std::string_view value) {
  std::string out;
  while (!value.empty()) {
    const std::size_t n = utf8_length(value);
    if (n == 0)
      out += "\xEF\xBF\xBD";
    else if (value[0] == '\\')
      out += "\\\\";
    else if (value[0] == '"')
      out += "\\\"";
    else if (value[0] == '\n')
      out += "\\n";
    else
      out += value.substr(0, n);
    value.remove_prefix(std::max<std::size_t>(n, 1));
  }
  return out;
}

/// What stands between the braces; the same for the same labels in any order.
std::string label_text(labels with) {
  std::sort(with.begin(), with.end());
  std::string out;
  for (const auto& [name, value] : with) {
    if (!out.empty()) out += ',';
    out += name + "=\"" + escaped(value) + '"';
  }
  return out;
}

void add_sample(std::string& out, std::string_view name, const std::string& within_braces,
                std::string_view value) {
  out += name;
  if (!within_braces.empty()) out += '{' + within_braces + '}';
  out += ' ';
  out += value;
  out += '\n';
}

std::string_view word_for(metric_type type) {
  switch (type) {
  case metric_type::counter:
    return "counter";
  case metric_type::gauge:
    return "gauge";
  case metric_type::histogram:
    return "histogram";
  }
  return "untyped";
}

void add_heading(std::string& out, std::string_view name, const catalogue_entry* entry) {
  // Without an entry it is untyped, which is what no TYPE line means.
  if (entry == nullptr) return;
  out.append("# HELP ").append(name).append(" ").append(entry->help).append("\n");
  out.append("# TYPE ").append(name).append(" ").append(word_for(entry->type)).append("\n");
}

template <class Metric>
struct series {
  Metric metric;
  bool shown = true;
};
template <class Metric>
using family = std::map<std::string, std::unique_ptr<series<Metric>>>; // by label text
template <class Metric>
using families = std::map<std::string, family<Metric>, std::less<>>;

template <class Metric>
series<Metric>& series_of(families<Metric>& all, const std::string& name, const labels& with,
                          [[maybe_unused]] metric_type type) {
  [[maybe_unused]] const auto* entry = find_in_catalogue(name);
  assert(entry != nullptr && "a metric must stand in the catalogue");
  assert(entry->type == type && "a metric must be used as the catalogue says");
  auto& slot = all[name][label_text(with)];
  if (!slot) slot = std::make_unique<series<Metric>>();
  return *slot;
}

} // namespace

std::span<const double> histogram::bounds() {
  return bucket_bounds;
}

void histogram::observe(double seconds) {
  static_assert(bucket_bounds.size() + 1 == buckets);
  if (std::isnan(seconds)) return;
  // Clocks of two machines differ: an event may seem to come from the future.
  seconds = std::max(seconds, 0.0);
  const auto at = std::lower_bound(bucket_bounds.begin(), bucket_bounds.end(), seconds);
  counts_[std::distance(bucket_bounds.begin(), at)].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(seconds, std::memory_order_relaxed);
}

std::array<std::uint64_t, histogram::buckets> histogram::counts() const {
  std::array<std::uint64_t, buckets> now{};
  for (std::size_t i = 0; i < buckets; ++i)
    now[i] = counts_[i].load(std::memory_order_relaxed);
  return now;
}

struct registry::impl {
  std::mutex lock;
  families<metrics::counter> counters;
  families<metrics::gauge> gauges;
  families<metrics::histogram> histograms;

  std::mutex scraping; ///< one rendering at a time: the callbacks need not be thread-safe
  std::vector<std::function<void()>> refreshers;

  void add(std::string& out, std::string_view name, const std::string& with,
           const metrics::counter& c) const {
    add_sample(out, name, with, std::to_string(c.value()));
  }
  void add(std::string& out, std::string_view name, const std::string& with, const metrics::gauge& g) const {
    add_sample(out, name, with, text_of(g.value()));
  }
  void add(std::string& out, std::string_view name, const std::string& with,
           const metrics::histogram& h) const {
    const std::string base{name};
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < metrics::histogram::buckets; ++i) {
      seen += h.counts_[i].load(std::memory_order_relaxed);
      const std::string bound = i < bucket_bounds.size() ? text_of(bucket_bounds[i]) : "+Inf";
      add_sample(out, base + "_bucket", with + (with.empty() ? "" : ",") + "le=\"" + bound + '"',
                 std::to_string(seen));
    }
    add_sample(out, base + "_sum", with, text_of(h.sum_.load(std::memory_order_relaxed)));
    // Not counted apart: it must equal the +Inf bucket even while others observe.
    add_sample(out, base + "_count", with, std::to_string(seen));
  }

  template <class Metric>
  void add_family(std::string& out, const families<Metric>& all, std::string_view name,
                  const catalogue_entry* entry) const {
    const auto at = all.find(name);
    if (at == all.end()) return;
    bool first = true;
    for (const auto& [with, one] : at->second) {
      if (!one->shown) continue;
      if (std::exchange(first, false)) add_heading(out, name, entry);
      add(out, name, with, one->metric);
    }
  }

  template <class Metric>
  void add_uncatalogued(std::string& out, const families<Metric>& all) const {
    for (const auto& [name, ignored] : all)
      if (find_in_catalogue(name) == nullptr) add_family(out, all, name, nullptr);
  }
};

registry::registry() : impl_{std::make_unique<impl>()} {}
registry::~registry() = default;

counter& registry::counter(const std::string& name, const labels& with) {
  const std::lock_guard hold{impl_->lock};
  return series_of(impl_->counters, name, with, metric_type::counter).metric;
}

gauge& registry::gauge(const std::string& name, const labels& with) {
  const std::lock_guard hold{impl_->lock};
  auto& one = series_of(impl_->gauges, name, with, metric_type::gauge);
  one.shown = true;
  return one.metric;
}

histogram& registry::histogram(const std::string& name, const labels& with) {
  const std::lock_guard hold{impl_->lock};
  return series_of(impl_->histograms, name, with, metric_type::histogram).metric;
}

std::uint64_t registry::sum(const std::string& name, const labels& with) const {
  const std::lock_guard hold{impl_->lock};
  const auto at = impl_->counters.find(name);
  if (at == impl_->counters.end()) return 0;
  std::uint64_t all = 0;
  for (const auto& [text, one] : at->second) {
    const auto within = ',' + text + ',';
    const bool has_all = std::all_of(with.begin(), with.end(), [&](const auto& label) {
      return within.find(',' + label_text({label}) + ',') != std::string::npos;
    });
    if (has_all) all += one->metric.value();
  }
  return all;
}

void registry::on_scrape(std::function<void()> refresh) {
  const std::lock_guard hold{impl_->lock};
  impl_->refreshers.push_back(std::move(refresh));
}

void registry::drop_gauge(const std::string& name, const labels& with) {
  const std::lock_guard hold{impl_->lock};
  const auto at = impl_->gauges.find(name);
  if (at == impl_->gauges.end()) return;
  const auto one = at->second.find(label_text(with));
  if (one == at->second.end()) return;
  // Hidden, not destroyed: somebody may still hold the reference.
  one->second->shown = false;
  one->second->metric.set(0);
}

std::string registry::render() {
  const std::lock_guard one_at_a_time{impl_->scraping};
  std::vector<std::function<void()>> refreshers;
  {
    const std::lock_guard hold{impl_->lock};
    refreshers = impl_->refreshers;
  }
  // Outside the lock: they ask this registry for gauges.
  for (const auto& refresh : refreshers)
    refresh();
  const auto process = process_values();

  std::string out;
  const std::lock_guard hold{impl_->lock};
  for (const auto& entry : catalogue()) {
    switch (entry.type) {
    case metric_type::counter:
      impl_->add_family(out, impl_->counters, entry.name, &entry);
      break;
    case metric_type::gauge:
      impl_->add_family(out, impl_->gauges, entry.name, &entry);
      break;
    case metric_type::histogram:
      impl_->add_family(out, impl_->histograms, entry.name, &entry);
      break;
    }
    for (const auto& [name, value] : process)
      if (name == entry.name) {
        add_heading(out, name, &entry);
        add_sample(out, name, {}, text_of(value));
      }
  }
  impl_->add_uncatalogued(out, impl_->counters);
  impl_->add_uncatalogued(out, impl_->gauges);
  impl_->add_uncatalogued(out, impl_->histograms);
  return out;
}

} // namespace troupe::metrics

#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace troupe::metrics {

using labels = std::vector<std::pair<std::string, std::string>>;

class counter {
public:
  void add(std::uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

private:
  std::atomic<std::uint64_t> value_{0};
};

class gauge {
public:
  void set(double v) { value_.store(v, std::memory_order_relaxed); }
  [[nodiscard]] double value() const { return value_.load(std::memory_order_relaxed); }

private:
  std::atomic<double> value_{0};
};

/// Buckets .005 to 10 seconds, as the OpenTelemetry messaging conventions want them.
class histogram {
public:
  static constexpr std::size_t buckets = 15; ///< 14 bounds and +Inf
  static std::span<const double> bounds();
  void observe(double seconds);
  /// How many fell into each bucket.
  [[nodiscard]] std::array<std::uint64_t, buckets> counts() const;

private:
  friend class registry;
  std::atomic<std::uint64_t> counts_[buckets]{};
  std::atomic<double> sum_{0};
};

/// All metrics of a process. Getting one takes a lock: hold the reference. Thread-safe; the references stay
/// valid as long as the registry, and the same name and labels give the same object.
class registry {
public:
  registry();
  ~registry();
  metrics::counter& counter(const std::string& name, const labels& with = {});
  metrics::gauge& gauge(const std::string& name, const labels& with = {});
  metrics::histogram& histogram(const std::string& name, const labels& with = {});
  /// What the counters of this name add up to, of all series that have these labels among theirs.
  [[nodiscard]] std::uint64_t sum(const std::string& name, const labels& with) const;
  /// Called before each rendering, to set gauges that are read rather than kept (process_*, lag).
  void on_scrape(std::function<void()> refresh);
  /// Removes a gauge's series (a partition that is no longer ours must not show its last value for ever).
  void drop_gauge(const std::string& name, const labels& with);

  /// The Prometheus text format, version 0.0.4. HELP and TYPE come from the catalogue (catalogue.cpp), in
  /// which every name must stand.
  [[nodiscard]] std::string render();

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

} // namespace troupe::metrics

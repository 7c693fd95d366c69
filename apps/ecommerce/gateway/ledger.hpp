#pragma once

#include "engine/core/result.hpp"

#include <nlohmann/json.hpp>

#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace gateway {

using json = nlohmann::ordered_json;

/// The charges of a payment gateway: one per order, however often it is asked for. Each is on the disk before
/// it is told, a line of JSON. Thread-safe.
class ledger {
public:
  /// Reads what is there; a last line that a crash tore is dropped. errc::unavailable names the file.
  static troupe::result<std::unique_ptr<ledger>> open(const std::string& file);
  ~ledger();
  ledger(const ledger&) = delete;
  ledger& operator=(const ledger&) = delete;

  /// The charge of this order: the one that was made before, or a new one. errc::unavailable where it could
  /// not be written; it is not made then.
  troupe::result<json> charge(const std::string& order_id, const std::string& customer_id, double amount);
  /// Null where there is none.
  [[nodiscard]] json find(const std::string& order_id) const;
  struct sums {
    std::size_t charges = 0, repeats = 0;
    std::int64_t amount_cents = 0;
  };
  [[nodiscard]] sums total() const;

private:
  explicit ledger(int fd) : fd_{fd} {}
  void enter(json charge);
  mutable std::mutex lock_;
  int fd_;
  long end_ = 0; ///< of the last whole line
  std::map<std::string, json> by_order_;
  sums total_;
};

} // namespace gateway

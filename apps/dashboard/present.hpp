#pragma once

#include "engine/config/model.hpp"

#include <memory>
#include <mutex>
#include <utility>

namespace troupe::dashboard {

/// The config as it is now: a reload replaces it while others read it.
class present_config {
public:
  explicit present_config(config::settings s) { set(std::move(s)); }
  [[nodiscard]] std::shared_ptr<const config::settings> get() const {
    const std::lock_guard hold{lock_};
    return settings_;
  }
  void set(config::settings s) {
    auto next = std::make_shared<const config::settings>(std::move(s));
    const std::lock_guard hold{lock_};
    settings_ = std::move(next);
  }

private:
  mutable std::mutex lock_;
  std::shared_ptr<const config::settings> settings_;
};

} // namespace troupe::dashboard

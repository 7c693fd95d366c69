#include "apps/dashboard/merge_patch.hpp"

namespace troupe::dashboard {

using nlohmann::json;

json merge_patch(const json& before, const json& after) {
  json patch = json::object();
  for (const auto& [name, value] : before.items())
    if (!after.contains(name)) patch[name] = nullptr;
  for (const auto& [name, value] : after.items()) {
    const auto was = before.find(name);
    if (was == before.end()) {
      patch[name] = value;
    } else if (was->is_object() && value.is_object()) {
      auto inner = merge_patch(*was, value);
      if (!inner.empty()) patch[name] = std::move(inner);
    } else if (*was != value) {
      patch[name] = value;
    }
  }
  return patch;
}

} // namespace troupe::dashboard

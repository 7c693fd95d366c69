#include "engine/state/desired.hpp"

#include "engine/state/parse.hpp"

namespace troupe::state {

std::string encode(const desired& what) {
  nlohmann::json j{{"paused", what.paused}, {"rev", what.revision}, {"by", what.by}, {"at", what.at_ms}};
  if (what.workers) j["workers"] = *what.workers;
  return text_of(j);
}

std::optional<desired> decode_desired(std::string_view text) {
  const auto j = nlohmann::json::parse(text, nullptr, false);
  if (!j.is_object()) return std::nullopt;
  desired what;
  what.paused = in<bool>(j, "paused").value_or(false);
  what.workers = in<unsigned>(j, "workers");
  what.revision = in<std::int64_t>(j, "rev").value_or(0);
  what.by = in<std::string>(j, "by").value_or("");
  what.at_ms = in<std::int64_t>(j, "at").value_or(0);
  return what;
}

std::string in_words(const std::optional<desired>& what) {
  if (!what || (!what->paused && !what->workers)) return "as in the file";
  std::string text = what->paused ? "paused" : "running";
  if (what->workers)
    text += ", " + std::to_string(*what->workers) + (*what->workers == 1 ? " worker" : " workers");
  return text;
}

} // namespace troupe::state

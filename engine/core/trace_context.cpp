#include "engine/core/trace_context.hpp"

#include <algorithm>

#include <strings.h>

namespace troupe {
namespace {

const header* find(const std::vector<header>& headers, const char* name) {
  const auto at = std::find_if(headers.begin(), headers.end(), [&](const header& h) {
    return h.value && strcasecmp(h.name.c_str(), name) == 0;
  });
  return at == headers.end() ? nullptr : &*at;
}

bool is_zero(std::string_view id) {
  return id.find_first_not_of('0') == std::string_view::npos;
}

} // namespace

bool is_traceparent(std::string_view text) {
  constexpr std::string_view form = "00-00000000000000000000000000000000-0000000000000000-00";
  // Later versions may have more to say behind another dash.
  if (text.size() < form.size() || (text.size() > form.size() && text[form.size()] != '-')) return false;
  const bool formed = std::equal(form.begin(), form.end(), text.begin(), [](char f, char c) {
    return f == '-' ? c == '-' : (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
  const auto version = text.substr(0, 2);
  return formed && version != "ff" && (version != "00" || text.size() == form.size()) &&
         !is_zero(text.substr(3, 32)) && !is_zero(text.substr(36, 16));
}

void carry_trace(const std::vector<header>& from, std::vector<outgoing>& to) {
  const auto* parent = find(from, "traceparent");
  if (!parent) return;
  const auto* state = find(from, "tracestate");
  for (auto& event : to) {
    if (find(event.headers, "traceparent")) continue;
    event.headers.push_back({"traceparent", parent->value});
    if (state && !find(event.headers, "tracestate")) event.headers.push_back({"tracestate", state->value});
  }
}

} // namespace troupe

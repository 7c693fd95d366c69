#include "engine/deadletters/letter_json.hpp"

#include "engine/core/utf8.hpp"
#include "engine/deadletters/letter.hpp"
#include "engine/flow/dead_letter.hpp"

namespace troupe::deadletters {
namespace {

using tree = nlohmann::ordered_json;

tree json_of(const std::optional<std::string>& bytes) {
  if (!bytes) return nullptr;
  if (is_text(*bytes)) return {{"text", *bytes}};
  return {{"hex", hex(*bytes)}};
}

tree json_of(const header& h) {
  tree one{{"name", h.name}};
  const auto value = json_of(h.value);
  if (value.is_null())
    one["text"] = nullptr;
  else
    one.update(value);
  return one;
}

tree about(const record& letter, const std::optional<action>& resolved, bool whole) {
  tree headers = tree::array();
  for (const auto& h : letter.headers)
    if (whole || flow::is_dead_letter_header(h.name)) headers.push_back(json_of(h));
  return {{"topic", *letter.topic},
          {"partition", letter.partition},
          {"offset", letter.offset},
          {"state", word_for(resolved)},
          {"failed_at", failed_at(letter)},
          {"timestamp", letter.timestamp_ms >= 0 ? tree(letter.timestamp_ms) : tree(nullptr)},
          {"envelope", is_envelope(letter)},
          {"replay_count", flow::replay_count(letter.headers)},
          {"headers", std::move(headers)}};
}

} // namespace

bool is_text(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto n = utf8_length(bytes);
    if (n == 0 || bytes[0] == '\0') return false;
    bytes.remove_prefix(n);
  }
  return true;
}

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    out += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4];
    out += "0123456789abcdef"[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

std::string word_for(const std::optional<action>& resolved) {
  return resolved ? word_for(*resolved) : "open";
}

tree json_of(const record& letter, const std::optional<action>& resolved) {
  auto all = about(letter, resolved, true);
  all["key"] = json_of(letter.key);
  all["value"] = json_of(letter.value);
  return all;
}

tree json_without_payload(const record& letter, const std::optional<action>& resolved) {
  auto all = about(letter, resolved, false);
  all["hidden"] = true;
  return all;
}

tree json_of(const cause& of) {
  return {{"error_class", of.error_class},
          {"message", of.message},
          {"count", of.count},
          {"first", of.first},
          {"last", of.last},
          {"sample", of.sample}};
}

} // namespace troupe::deadletters

#include "engine/json/document.hpp"

#include <simdjson.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

namespace troupe::json {

namespace {

namespace dom = simdjson::dom;

constexpr std::size_t smallest = 4096;
/// One large event must not keep its memory, some fifteen times its size, for good.
constexpr std::size_t shed_above = std::size_t{1} << 20;

/// Steps over one value of a text already known to be valid JSON, white space before it included.
const char* after_value(const char* p) {
  int depth = 0;
  for (;; ++p) {
    switch (*p) {
    case '"':
      for (++p; *p != '"'; ++p)
        if (*p == '\\') ++p;
      break;
    case '{':
    case '[':
      ++depth;
      continue;
    case '}':
    case ']':
      --depth;
      break;
    case ' ':
    case '\t':
    case '\n':
    case '\r':
    case ',':
    case ':':
      continue;
    default:
      while (std::strchr(",]} \t\r\n", p[1]) == nullptr)
        ++p;
    }
    if (depth == 0) return p + 1;
  }
}

} // namespace

struct document::impl {
  std::unique_ptr<dom::parser> parser;
  std::unique_ptr<char[]> text; ///< the event with the padding that simdjson reads beyond the end
  std::size_t room = 0;
  dom::element root;
  bool parsed = false;
  std::string_view problem = "nothing was parsed";

  bool make_room(std::size_t size) {
    if (parser && size <= room) return true;
    const auto wanted = std::bit_ceil(std::max(size, smallest));
    auto made = std::make_unique<dom::parser>();
    if (made->allocate(wanted, max_depth) || made->doc.allocate(wanted)) return false;
    text.reset(new (std::nothrow) char[wanted + simdjson::SIMDJSON_PADDING]);
    parser = std::move(made);
    room = text ? wanted : 0;
    return room != 0;
  }

  [[nodiscard]] std::optional<dom::element> find(const pointer& at) const {
    if (!parsed) return std::nullopt;
    dom::element here = root;
    for (const auto& token : at.tokens()) {
      bool there = false;
      dom::element next;
      if (here.type() == dom::element_type::OBJECT) {
        const dom::object fields = here.get_object().value_unsafe();
        for (const auto field : fields)
          if (field.key == token.key) next = field.value, there = true;
      } else if (here.type() == dom::element_type::ARRAY && token.index) {
        there = !here.get_array().value_unsafe().at(*token.index).get(next);
      }
      if (!there) return std::nullopt;
      here = next;
    }
    return here;
  }

  /// The text of a number as it was written, which the parsed form does not keep: the same way down, but
  /// in the text.
  [[nodiscard]] std::string_view written(const pointer& at) const {
    const char* p = text.get();
    dom::element here = root;
    for (const auto& token : at.tokens()) {
      p = std::strpbrk(p, "{[") + 1;
      if (here.type() == dom::element_type::ARRAY) {
        for (std::size_t i = 0; i < *token.index; ++i)
          p = after_value(p);
        here = here.get_array().value_unsafe().at(*token.index).value_unsafe();
        continue;
      }
      const char* value = p;
      const dom::object fields = here.get_object().value_unsafe();
      for (const auto field : fields) {
        const char* behind_key = after_value(p);
        if (field.key == token.key) value = behind_key, here = field.value;
        p = after_value(behind_key);
      }
      p = value;
    }
    const char* begin = p + std::strspn(p, ",: \t\r\n");
    return {begin, static_cast<std::size_t>(after_value(begin) - begin)};
  }
};

document::document() : impl_{std::make_unique<impl>()} {}
document::~document() = default;
document::document(document&&) noexcept = default;
document& document::operator=(document&&) noexcept = default;

bool document::parse(std::string_view json) {
  auto& d = *impl_;
  d.parsed = false;
  if (json.size() > max_bytes) {
    d.problem = "it is larger than 64 MiB";
    return false;
  }
  if (d.room > shed_above && json.size() <= shed_above) {
    d.parser.reset();
    d.text.reset();
    d.room = 0;
  }
  if (!d.make_room(json.size())) {
    d.problem = "there is no memory to parse it";
    return false;
  }
  if (!json.empty()) std::memcpy(d.text.get(), json.data(), json.size());
  std::memset(d.text.get() + json.size(), 0, simdjson::SIMDJSON_PADDING);
  const auto problem = d.parser->parse(d.text.get(), json.size(), false).get(d.root);
  d.parsed = problem == simdjson::SUCCESS;
  d.problem = d.parsed ? "" : simdjson::error_message(problem);
  return d.parsed;
}

std::string_view document::problem() const {
  return impl_->problem;
}

bool document::is_object() const {
  return impl_->parsed && impl_->root.is_object();
}

bool document::is_array() const {
  return impl_->parsed && impl_->root.is_array();
}

bool document::exists(const pointer& at) const {
  return impl_->find(at).has_value();
}

std::optional<std::string_view> document::string_at(const pointer& at) const {
  const auto value = impl_->find(at);
  if (!value || !value->is_string()) return std::nullopt;
  return value->get_string().value_unsafe();
}

std::optional<std::string_view> document::text_at(const pointer& at) const {
  const auto value = impl_->find(at);
  if (!value) return std::nullopt;
  if (value->is_string()) return value->get_string().value_unsafe();
  if (value->is_bool()) return value->get_bool().value_unsafe() ? "true" : "false";
  if (value->is_number()) return impl_->written(at);
  return std::nullopt;
}

std::size_t document::capacity() const {
  return impl_->room;
}

std::optional<std::string> string_at(std::string_view json, std::string_view at) {
  const auto compiled = pointer::parse(at);
  if (!compiled) return std::nullopt;
  return string_at(json, *compiled);
}

std::optional<std::string> string_at(std::string_view json, const pointer& at) {
  thread_local document parsed;
  if (!parsed.parse(json)) return std::nullopt;
  const auto text = parsed.text_at(at);
  if (!text) return std::nullopt;
  return std::string{*text};
}

} // namespace troupe::json

#include "engine/json/extractor.hpp"

#include <simdjson.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <string>
#include <vector>

namespace troupe::json {

namespace {

constexpr std::size_t smallest = 4096;
/// One large event must not keep its memory, some six times its size, for good.
constexpr std::size_t shed_above = std::size_t{1} << 20;

/// The first eight bytes of a key as it is written, the closing quote included: most keys are told apart, and
/// many recognised, by one comparison of words.
struct key_start {
  std::uint64_t bytes = 0, mask = 0;

  explicit key_start(std::string_view key) {
    if (std::any_of(key.begin(), key.end(),
                    [](unsigned char c) { return c < 0x20 || c == '"' || c == '\\'; })) {
      bytes = 1; // with an escape only: matches nothing
      return;
    }
    const auto written = std::string{key} + '"';
    const auto n = std::min(written.size(), sizeof bytes);
    std::memcpy(&bytes, written.data(), n);
    std::memset(&mask, 0xff, n);
  }
  [[nodiscard]] bool matches(const char* text) const {
    std::uint64_t there = 0;
    std::memcpy(&there, text, sizeof there);
    return (there & mask) == bytes;
  }
};

/// The pointers as a tree, so that one pass over the event serves them all.
struct node {
  using found = extractor::found;
  explicit node(const pointer::token& token) : key{token.key}, index{token.index}, start{token.key} {}

  std::string key;
  std::optional<std::size_t> index;
  key_start start;
  std::vector<node> children;
  std::vector<found*> places;           ///< that end here
  std::vector<found*> here_and_beneath; ///< that a later duplicate of this key makes void
};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Four hexadecimal digits, or -1.
std::int32_t hex4(const char* p) {
  std::int32_t value = 0;
  for (const char* end = p + 4; p < end; ++p) {
    const char c = *p, low = static_cast<char>(c | 0x20);
    if (is_digit(c))
      value = value * 16 + (c - '0');
    else if (low >= 'a' && low <= 'f')
      value = value * 16 + (low - 'a' + 10);
    else
      return -1;
  }
  return value;
}

char* put_utf8(char* to, std::int32_t c) {
  const auto tail = [&](int shift) { return static_cast<char>(0x80 | ((c >> shift) & 0x3f)); };
  if (c < 0x80) {
    *to++ = static_cast<char>(c);
  } else if (c < 0x800) {
    *to++ = static_cast<char>(0xc0 | (c >> 6));
    *to++ = tail(0);
  } else if (c < 0x10000) {
    *to++ = static_cast<char>(0xe0 | (c >> 12));
    *to++ = tail(6), *to++ = tail(0);
  } else {
    *to++ = static_cast<char>(0xf0 | (c >> 18));
    *to++ = tail(12), *to++ = tail(6), *to++ = tail(0);
  }
  return to;
}

/// A \u escape and, where it is the first half of a surrogate pair, the one behind it; `p` lies behind the u.
/// -1 where it is none.
std::int32_t code_point(const char*& p) {
  const auto first = hex4(p);
  if (first < 0) return -1;
  p += 4;
  if (first < 0xd800 || first > 0xdfff) return first;
  if (first > 0xdbff || p[0] != '\\' || p[1] != 'u') return -1;
  const auto second = hex4(p + 2);
  if (second < 0xdc00 || second > 0xdfff) return -1;
  p += 6;
  return 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
}

/// The string behind an opening quote, unescaped in place: it never grows. Null text where an escape is none.
std::string_view unescape(char* const begin) {
  const char* p = begin;
  while (*p != '"' && *p != '\\')
    ++p;
  char* to = begin + (p - begin);
  while (*p != '"') {
    if (*p != '\\') {
      *to++ = *p++;
      continue;
    }
    static constexpr std::string_view names = "\"\\/bfnrt", meant = "\"\\/\b\f\n\r\t";
    const char escape = p[1];
    p += 2;
    if (escape == 'u') {
      const auto c = code_point(p);
      if (c < 0) return {};
      to = put_utf8(to, c);
    } else if (const auto at = names.find(escape); at != std::string_view::npos) {
      *to++ = meant[at];
    } else {
      return {};
    }
  }
  return {begin, static_cast<std::size_t>(to - begin)};
}

} // namespace

/// simdjson's first stage checks UTF-8 and that strings are closed, and finds where every token begins. Its
/// parsers build on that a form of the whole document, or iterators of some 150 instructions a field; for
/// events of some hundred bytes of which three places are wanted, this pass over the tokens takes half of
/// their time and checks the same.
struct extractor::impl {
  node root{pointer::token{}};
  std::vector<found> places;

  std::unique_ptr<simdjson::internal::dom_parser_implementation> scanner;
  std::unique_ptr<char[]> text; ///< the event with the padding that simdjson reads beyond the end
  std::size_t room = 0;
  std::string_view problem = "nothing was read";

  // Of the event at hand.
  const char* end = nullptr;
  bool escapes = false; ///< whether it has any

  explicit impl(std::span<const pointer> wanted) : places(wanted.size()) {
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      node* at = &root;
      at->here_and_beneath.push_back(&places[i]);
      for (const auto& t : wanted[i].tokens()) {
        auto next = std::find_if(at->children.begin(), at->children.end(),
                                 [&](const node& n) { return n.key == t.key; });
        if (next == at->children.end()) next = at->children.insert(next, node{t});
        at = &*next;
        at->here_and_beneath.push_back(&places[i]);
      }
      at->places.push_back(&places[i]);
    }
  }

  bool make_room(std::size_t size) {
    if (scanner && size <= room) return true;
    const auto wanted = std::bit_ceil(std::max(size, smallest));
    room = 0;
    if (simdjson::get_active_implementation()->create_dom_parser_implementation(wanted, max_depth, scanner))
      return false;
    text.reset(new (std::nothrow) char[wanted + simdjson::SIMDJSON_PADDING]);
    room = text ? wanted : 0;
    return room != 0;
  }

  void shed() {
    scanner.reset();
    text.reset();
    room = 0;
  }

  bool read(std::string_view json) {
    if (json.size() > max_bytes) return refuse("it is larger than 64 MiB"), false;
    if (room > shed_above && json.size() <= shed_above) shed();
    if (!make_room(json.size())) return refuse("there is no memory to parse it"), false;
    char* const begin = text.get();
    if (!json.empty()) std::memcpy(begin, json.data(), json.size());
    std::memset(begin + json.size(), 0, simdjson::SIMDJSON_PADDING);
    end = begin + json.size();
    escapes = std::memchr(begin, '\\', json.size()) != nullptr;
    if (const auto wrong = scanner->stage1(reinterpret_cast<const std::uint8_t*>(begin), json.size(),
                                           simdjson::stage1_mode::regular))
      return refuse(simdjson::error_message(wrong)), false;
    const auto* first = scanner->structural_indexes.get();
    const auto* behind = read_value(first, &root, 0);
    if (!behind) return false;
    if (behind != first + scanner->n_structural_indexes)
      return refuse("something follows the JSON value"), false;
    problem = "";
    return true;
  }

  std::nullptr_t refuse(std::string_view why) {
    problem = why;
    return nullptr;
  }

  void set(const node* at, kind what, std::string_view written = {}) {
    if (!at) return;
    for (auto* place : at->places)
      *place = {what, written};
  }

  const node* enter(const node& child) {
    for (auto* place : child.here_and_beneath)
      *place = {};
    return &child;
  }

  /// `key` lies behind its opening quote, in a text without escapes.
  const node* child_of(const node& at, const char* key) {
    const node* child = nullptr;
    for (const auto& c : at.children) {
      if (!c.start.matches(key)) continue;
      const auto size = c.key.size();
      if (size < sizeof c.start.bytes || (size < static_cast<std::size_t>(end - key) && key[size] == '"' &&
                                          std::memcmp(key, c.key.data(), size) == 0))
        child = enter(c);
    }
    return child;
  }

  const node* child_of(const node& at, std::string_view key) {
    const node* child = nullptr;
    for (const auto& c : at.children)
      if (c.key == key) child = enter(c);
    return child;
  }

  using tokens = const std::uint32_t*; ///< where the next ones begin; after the last one, the text's end

  /// `at` is what is wanted of the value, null for nothing. Gives the tokens behind it; null where it is
  /// none.
  tokens read_value(tokens next, const node* at, std::size_t depth) {
    char* const p = text.get() + *next++;
    switch (*p) {
    case '"':
      return read_string(p + 1, at) ? next : nullptr;
    case '{':
      set(at, kind::object);
      return depth == max_depth ? refuse("it is nested too deeply") : read_object(next, at, depth + 1);
    case '[':
      set(at, kind::array);
      return depth == max_depth ? refuse("it is nested too deeply") : read_array(next, at, depth + 1);
    case 't':
      return read_literal(p, "true", at, kind::boolean) ? next : nullptr;
    case 'f':
      return read_literal(p, "false", at, kind::boolean) ? next : nullptr;
    case 'n':
      return read_literal(p, "null", at, kind::null) ? next : nullptr;
    default:
      return read_number(p, at) ? next : nullptr;
    }
  }

  tokens read_object(tokens next, const node* at, std::size_t depth) {
    char* const begin = text.get();
    if (begin[*next] == '}') return next + 1;
    for (;;) {
      char* const key = begin + *next++;
      if (*key != '"') return refuse("the key of a field is missing");
      const node* child = nullptr;
      if (escapes) {
        const auto name = unescape(key + 1);
        if (!name.data()) return refuse("an escape in a string is none of JSON's");
        if (at) child = child_of(*at, name);
      } else if (at) {
        child = child_of(*at, key + 1);
      }
      if (begin[*next++] != ':') return refuse("there is no colon behind a key");
      if (begin[*next] == '"' && !child && !escapes)
        ++next; // checked with the whole text
      else if (!(next = read_value(next, child, depth)))
        return nullptr;
      const char c = begin[*next++];
      if (c == '}') return next;
      if (c != ',') return refuse("neither comma nor } is behind a field");
    }
  }

  tokens read_array(tokens next, const node* at, std::size_t depth) {
    if (text[*next] == ']') return next + 1;
    for (std::size_t index = 0;; ++index) {
      const node* child = nullptr;
      if (at)
        for (const auto& c : at->children)
          if (c.index == index) child = enter(c);
      if (!(next = read_value(next, child, depth))) return nullptr;
      const char c = text[*next++];
      if (c == ']') return next;
      if (c != ',') return refuse("neither comma nor ] is behind an element");
    }
  }

  bool read_string(char* begin, const node* at) {
    if (escapes) {
      const auto unescaped = unescape(begin);
      if (!unescaped.data()) return refuse("an escape in a string is none of JSON's"), false;
      set(at, kind::string, unescaped);
    } else if (at) {
      const auto* quote =
          static_cast<const char*>(std::memchr(begin, '"', static_cast<std::size_t>(end - begin)));
      set(at, kind::string, {begin, static_cast<std::size_t>(quote - begin)});
    }
    return true;
  }

  /// Whether a token without quotes ends here.
  [[nodiscard]] bool ends(const char* p) const {
    switch (*p) {
    case ',':
    case ']':
    case '}':
    case ' ':
    case '\t':
    case '\r':
    case '\n':
      return true;
    default:
      return p == end;
    }
  }

  bool read_literal(const char* p, std::string_view word, const node* at, kind what) {
    if (static_cast<std::size_t>(end - p) < word.size() || std::memcmp(p, word.data(), word.size()) != 0 ||
        !ends(p + word.size()))
      return refuse("there is a word that is none of JSON's"), false;
    set(at, what, what == kind::null ? std::string_view{} : word);
    return true;
  }

  /// By its grammar alone: whether it fits some type of ours is nobody's question here.
  bool read_number(const char* const begin, const node* at) {
    const char* p = begin;
    const auto digits = [&] {
      const char* from = p;
      while (is_digit(*p))
        ++p;
      return p > from;
    };
    p += *p == '-' ? 1 : 0;
    bool valid = *p == '0' ? (++p, true) : digits();
    if (valid && *p == '.') ++p, valid = digits();
    if (valid && (*p | 0x20) == 'e') {
      ++p;
      if (*p == '+' || *p == '-') ++p;
      valid = digits();
    }
    if (!valid || !ends(p)) return refuse("there is a value that is none of JSON's"), false;
    set(at, kind::number, {begin, static_cast<std::size_t>(p - begin)});
    return true;
  }
};

extractor::extractor(std::span<const pointer> places) : impl_{std::make_unique<impl>(places)} {}
extractor::~extractor() = default;
extractor::extractor(extractor&&) noexcept = default;
extractor& extractor::operator=(extractor&&) noexcept = default;

bool extractor::read(std::string_view json) {
  auto& x = *impl_;
  std::fill(x.places.begin(), x.places.end(), found{});
  if (x.read(json)) return true;
  std::fill(x.places.begin(), x.places.end(), found{});
  return false;
}

std::string_view extractor::problem() const {
  return impl_->problem;
}

const extractor::found& extractor::operator[](std::size_t place) const {
  return impl_->places[place];
}

std::size_t extractor::capacity() const {
  return impl_->room;
}

} // namespace troupe::json

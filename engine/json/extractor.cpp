#include "engine/json/extractor.hpp"

#include "engine/json/places.hpp"
#include "engine/json/shape.hpp"

#include <simdjson.h>

#include <algorithm>
#include <array>
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
/// Of texts that are scanned together: more would not stay in the processor's nearest cache.
constexpr std::size_t chunk_bytes = 16384;
/// Of events that are made as none before them, one in so many is worth learning.
constexpr unsigned learn_every = 16;

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
  char* begin = nullptr; ///< what the tokens count from
  const char* end = nullptr;
  bool escapes = false; ///< whether it has any

  // Of the chunk at hand.
  bool together = false;  ///< scanned as one text
  tokens ahead = nullptr; ///< that are not read yet
  tokens last = nullptr;

  std::array<shape, 4> shapes; ///< of events that came lately
  std::size_t usual = 0;       ///< the one that came last
  std::size_t oldest = 0;
  unsigned unlike = 0; ///< events that were made as none of them

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

  void forget() { std::fill(places.begin(), places.end(), found{}); }

  void shed() {
    scanner.reset();
    text.reset();
    room = 0;
  }

  bool read(std::string_view json) {
    if (json.size() > max_bytes) return refuse("it is larger than 64 MiB"), false;
    if (room > shed_above && json.size() <= shed_above) shed();
    if (!make_room(json.size())) return refuse("there is no memory to parse it"), false;
    begin = text.get();
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

  /// What is wrong with one text of a chunk the scan finds in the whole: then each is read alone. Where it
  /// finds nothing each is sound by itself, since neither a string nor a character of more than a byte gets
  /// past a fence.
  bool scan(char* from, std::size_t size) {
    if (room > shed_above) shed();
    if (!make_room(size)) return false;
    begin = from;
    escapes = std::memchr(begin, '\\', size) != nullptr;
    if (scanner->stage1(reinterpret_cast<const std::uint8_t*>(begin), size, simdjson::stage1_mode::regular))
      return false;
    ahead = scanner->structural_indexes.get();
    last = ahead + scanner->n_structural_indexes;
    return true;
  }

  /// The next text of a chunk, which ends here.
  bool read_next(const char* text_end) {
    end = text_end;
    const auto fence = static_cast<std::uint32_t>(end - begin) + 1;
    if (!escapes && (recall(shapes[usual], fence) || recall_another(fence))) return true;
    const auto* const first = ahead;
    const auto* behind = read_value(first, &root, 0);
    if (behind && *behind != fence) behind = refuse("something follows the JSON value");
    if (behind)
      ahead = behind;
    else
      while (*ahead != fence)
        ++ahead;
    ++ahead;
    if (!behind) return false;
    problem = "";
    if (!escapes && unlike++ % learn_every == 0) learn(first, behind);
    return true;
  }

  /// The event is not read by the grammar where it is made as one that was.
  bool recall(const shape& s, std::uint32_t fence) {
    const auto size = s.size();
    if (size == 0 || size >= static_cast<std::size_t>(last - ahead) || ahead[size] != fence ||
        !s.fits(begin, end, ahead))
      return false;
    for (const auto& one : s.scalars())
      if (!read_scalar(begin + ahead[one.token], one.wanted)) return forget(), false;
    for (const auto& one : s.brackets())
      set(one.wanted, begin[ahead[one.token]] == '{' ? kind::object : kind::array);
    for (const auto& one : s.strings()) {
      // Between a string and the token behind it there is nothing but space.
      const char* quote = begin + ahead[one.token + 1] - 1;
      while (*quote != '"')
        --quote;
      const char* const from = begin + ahead[one.token] + 1;
      set(one.wanted, kind::string, {from, static_cast<std::size_t>(quote - from)});
    }
    ahead += size + 1;
    problem = "";
    return true;
  }

  bool recall_another(std::uint32_t fence) {
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      if (i == usual || !recall(shapes[i], fence)) continue;
      usual = i;
      return true;
    }
    return false;
  }

  void learn(tokens first, tokens behind) {
    auto& s = shapes[oldest];
    if (!s.learn(begin, end, first, static_cast<std::size_t>(behind - first), root)) return;
    usual = oldest;
    oldest = (oldest + 1) % shapes.size();
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
    for (const auto& c : at.children)
      if (c.is_named(key, end)) child = enter(c);
    return child;
  }

  const node* child_of(const node& at, std::string_view key) {
    const node* child = nullptr;
    for (const auto& c : at.children)
      if (c.key == key) child = enter(c);
    return child;
  }

  /// `at` is what is wanted of the value, null for nothing. Gives the tokens behind it; null where it is
  /// none.
  tokens read_value(tokens next, const node* at, std::size_t depth) {
    char* const p = begin + *next++;
    switch (*p) {
    case '"':
      return read_string(p + 1, at) ? next : nullptr;
    case '{':
      set(at, kind::object);
      return depth == max_depth ? refuse("it is nested too deeply") : read_object(next, at, depth + 1);
    case '[':
      set(at, kind::array);
      return depth == max_depth ? refuse("it is nested too deeply") : read_array(next, at, depth + 1);
    default:
      return read_scalar(p, at) ? next : nullptr;
    }
  }

  bool read_scalar(const char* p, const node* at) {
    switch (*p) {
    case 't':
      return read_literal(p, "true", at, kind::boolean);
    case 'f':
      return read_literal(p, "false", at, kind::boolean);
    case 'n':
      return read_literal(p, "null", at, kind::null);
    default:
      return read_number(p, at);
    }
  }

  tokens read_object(tokens next, const node* at, std::size_t depth) {
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
    if (begin[*next] == ']') return next + 1;
    for (std::size_t index = 0;; ++index) {
      const node* child = nullptr;
      if (at)
        for (const auto& c : at->children)
          if (c.index == index) child = enter(c);
      if (!(next = read_value(next, child, depth))) return nullptr;
      const char c = begin[*next++];
      if (c == ']') return next;
      if (c != ',') return refuse("neither comma nor ] is behind an element");
    }
  }

  bool read_string(char* from, const node* at) {
    if (escapes) {
      const auto unescaped = unescape(from);
      if (!unescaped.data()) return refuse("an escape in a string is none of JSON's"), false;
      set(at, kind::string, unescaped);
    } else if (at) {
      const auto* quote =
          static_cast<const char*>(std::memchr(from, '"', static_cast<std::size_t>(end - from)));
      set(at, kind::string, {from, static_cast<std::size_t>(quote - from)});
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
  bool read_number(const char* const first, const node* at) {
    const char* p = first;
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
    set(at, kind::number, {first, static_cast<std::size_t>(p - first)});
    return true;
  }
};

extractor::extractor(std::span<const pointer> places) : impl_{std::make_unique<impl>(places)} {}
extractor::~extractor() = default;
extractor::extractor(extractor&&) noexcept = default;
extractor& extractor::operator=(extractor&&) noexcept = default;

bool extractor::read(std::string_view json) {
  auto& x = *impl_;
  x.forget();
  if (x.read(json)) return true;
  x.forget();
  return false;
}

std::size_t extractor::load(texts& all, std::size_t first) {
  std::memset(all.memory_.get() + all.bytes_, 0, texts::beyond);
  const auto from = all.begin_of(first);
  const auto size_to = [&](std::size_t i) { return all.begin_of(i + 1) - from; };
  auto last = first;
  while (last + 1 < all.size() && size_to(last + 1) <= chunk_bytes)
    ++last;
  impl_->together = size_to(last) <= chunk_bytes && impl_->scan(all.memory_.get() + from, size_to(last));
  return last + 1;
}

bool extractor::next(texts& all, std::size_t i) {
  auto& x = *impl_;
  const char* const end = all.memory_.get() + all.ends_[i];
  if (!x.together) {
    const char* const begin = all.memory_.get() + all.begin_of(i);
    return read({begin, static_cast<std::size_t>(end - begin)});
  }
  x.forget();
  if (x.read_next(end)) return true;
  x.forget();
  return false;
}

bool extractor::in_place() const {
  return impl_->together;
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

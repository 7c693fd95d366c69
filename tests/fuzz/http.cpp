// The bytes of a connection, cut into requests as engine/http/session.cpp does it, whole and in pieces, and
// read a second time by the letter of RFC 9112: what two readers cut otherwise is how requests are smuggled.
#include "engine/http/framing.hpp"
#include "tests/fuzz/targets.hpp"

#include <boost/asio/buffer.hpp>

#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

namespace troupe::fuzz {
namespace {

constexpr std::size_t header_limit = 8192;
constexpr std::size_t body_limit = 512;

struct taken {
  std::string method, target, body;
  std::vector<std::pair<std::string, std::string>> headers;
  std::size_t begin = 0, end = 0; ///< where it lies in the bytes
  friend bool operator==(const taken&, const taken&) = default;
};

/// The way of engine/http/session.cpp, from bytes that come in pieces.
class door {
public:
  door(std::string_view bytes, std::size_t piece) : bytes_{bytes}, piece_{piece} { receive(); }

  std::vector<taken> requests() {
    std::vector<taken> all;
    while (at_ < bytes_.size()) {
      auto one = next();
      if (!one) break;
      all.push_back(std::move(*one));
    }
    return all;
  }

private:
  bool receive() {
    const auto before = here_;
    here_ = std::min(bytes_.size(), here_ + piece_);
    return here_ > before;
  }
  [[nodiscard]] std::string_view unread() const { return bytes_.substr(at_, here_ - at_); }

  bool wait_for_head() {
    std::size_t seen = 0;
    for (;;) {
      const auto end = http::find_head_end(unread(), seen);
      if (end == http::head_end::here) return true;
      if (end != http::head_end::not_yet || unread().size() > header_limit || !receive()) return false;
    }
  }

  bool parse(http::message_parser<true>& parser) {
    boost::beast::error_code ec;
    at_ += parser.put(boost::asio::buffer(unread().data(), unread().size()), ec);
    return !ec || ec == boost::beast::http::error::need_more;
  }

  std::optional<taken> next() {
    const auto begin = at_;
    if (!wait_for_head()) return std::nullopt;
    http::message_parser<true> parser{header_limit, body_limit};
    if (!parse(parser) || !parser.is_header_done() || !http::has_one_length(parser)) return std::nullopt;
    parser.eager(true);
    while (!parser.is_done()) {
      const auto before = at_;
      if (!unread().empty() && !parse(parser)) return std::nullopt;
      if (!parser.is_done() && at_ == before && !receive()) return std::nullopt;
    }
    if (parser.version != 10 && parser.version != 11) return std::nullopt;
    return taken{std::move(parser.method),
                 std::move(parser.target),
                 std::move(parser.body),
                 std::move(parser.headers),
                 begin,
                 at_};
  }

  std::string_view bytes_;
  std::size_t piece_, at_ = 0, here_ = 0;
};

// ---- by the letter ----

bool is_token(std::string_view text) {
  constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           marks.find(c) != std::string_view::npos;
  });
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
    text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
    text.remove_suffix(1);
  return text;
}

std::string lower(std::string_view text) {
  std::string out{text};
  for (auto& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

/// The line that `rest` starts with, without its end.
std::string_view take_line(std::string_view& rest) {
  const auto end = rest.find("\r\n");
  require(end != std::string_view::npos, "a line of an accepted request has an end");
  const auto line = rest.substr(0, end);
  rest.remove_prefix(end + 2);
  return line;
}

void check_no_controls(std::string_view text) {
  for (const char c : text)
    require(c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7F),
            "a head has no control characters");
}

std::uint64_t number(std::string_view text, int base) {
  std::uint64_t n = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), n, base);
  require(read.ec == std::errc{} && read.ptr == text.data() + text.size() && !text.empty(),
          "a length is a number");
  return n;
}

std::string chunks(std::string_view& rest) {
  std::string body;
  for (;;) {
    const auto line = take_line(rest);
    const auto size = number(trimmed(line.substr(0, line.find(';'))), 16);
    check_no_controls(line);
    if (size == 0) break;
    require(rest.size() >= size + 2, "a chunk is all there");
    body += rest.substr(0, static_cast<std::size_t>(size));
    rest.remove_prefix(static_cast<std::size_t>(size));
    require(take_line(rest).empty(), "a chunk ends where it says");
  }
  for (auto line = take_line(rest); !line.empty(); line = take_line(rest)) {
    check_no_controls(line);
    const bool goes_on = line.starts_with(' ') || line.starts_with('\t'); // nobody reads what a trailer says
    require(goes_on || is_token(line.substr(0, line.find(':'))), "a trailer has a name");
  }
  return body;
}

void check(const taken& request, std::string_view raw) {
  const auto first = take_line(raw);
  check_no_controls(first);
  require(first.starts_with(request.method + ' ' + request.target + " HTTP/1."),
          "the request line is what was read");
  require(is_token(request.method), "a method is a token");
  std::optional<std::string> length, encoding;
  std::size_t fields = 0;
  for (auto line = take_line(raw); !line.empty(); line = take_line(raw), ++fields) {
    check_no_controls(line);
    const auto colon = line.find(':');
    require(colon != std::string_view::npos && is_token(line.substr(0, colon)),
            "a header has a name, and no blank after it");
    const auto value = trimmed(line.substr(colon + 1));
    require(fields < request.headers.size() && request.headers[fields].first == line.substr(0, colon) &&
                request.headers[fields].second == value,
            "headers are read as they stand");
    const auto name = lower(line.substr(0, colon));
    require(!(name == "content-length" || name == "transfer-encoding") || (!length && !encoding),
            "the length is said once");
    if (name == "content-length") length = value;
    if (name == "transfer-encoding") encoding = lower(value);
  }
  require(fields == request.headers.size(), "nothing but the head makes a header");
  std::string body;
  if (encoding) {
    require(*encoding == "chunked", "the one transfer coding is chunked");
    body = chunks(raw);
  } else if (length) {
    require(number(*length, 10) == raw.size(), "the body is as long as its head says");
    body = raw;
    raw = {};
  }
  require(raw.empty(), "a request ends where its head says");
  require(request.body == body && body.size() <= body_limit, "the body is what was sent, within the limit");
}

} // namespace

void http(std::string_view input) {
  cursor in{input};
  const std::size_t piece = 1 + in.byte() % 32;
  const auto bytes = in.rest();
  const auto whole = door{bytes, bytes.size()}.requests();
  for (const auto& request : whole)
    check(request, bytes.substr(request.begin, request.end - request.begin));
  require(door{bytes, piece}.requests() == whole, "however the bytes come, the requests are the same");
}

} // namespace troupe::fuzz

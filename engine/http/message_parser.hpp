#pragma once

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

/// Private to this folder: Boost stays out of the public headers.
namespace troupe::http {

/// Beast's parser with only what we look at, and with limits that hold: those of Beast 1.74 miss headers that
/// arrive in pieces, trailers, and bodies that end with the connection.
template <bool is_request>
class message_parser final : public boost::beast::http::basic_parser<is_request> {
  using base = boost::beast::http::basic_parser<is_request>;
  using field = boost::beast::http::field;
  using error_code = boost::beast::error_code;
  using text = boost::beast::string_view;

public:
  message_parser(std::size_t header_limit, std::size_t body_limit)
      : header_left_{header_limit}, body_left_{body_limit} {
    base::header_limit(static_cast<std::uint32_t>(header_limit));
    base::body_limit(body_limit); // refuses a Content-Length before the body comes
  }

  int version = 0, status = 0;
  std::string method, target, expect, retry_after, coding, body;
  unsigned hosts = 0;                                       ///< headers of this name
  std::ptrdiff_t lengths = 0, encodings = 0;                ///< lengths said, codings named
  std::vector<std::pair<std::string, std::string>> headers; ///< of a request

private:
  static std::string copy(text t) { return {t.data(), t.size()}; }

  void take(std::size_t& left, std::size_t n, boost::beast::http::error over, error_code& ec) {
    if (n > left)
      ec = over;
    else
      left -= n;
  }

  void on_request_impl(boost::beast::http::verb, text name, text where, int spoken, error_code& ec) override {
    take(header_left_, name.size() + where.size(), boost::beast::http::error::header_limit, ec);
    version = spoken;
    method = copy(name);
    target = copy(where);
  }
  void on_response_impl(int code, text reason, int spoken, error_code& ec) override {
    take(header_left_, reason.size(), boost::beast::http::error::header_limit, ec);
    version = spoken;
    status = code;
  }
  void on_field_impl(field name, text written, text value, error_code& ec) override {
    // With the colon and the line end, so that empty headers count too.
    take(header_left_, written.size() + value.size() + 4, boost::beast::http::error::header_limit, ec);
    // A trailer must not pass for a header (RFC 9110, 6.5.1): who stands before us may not have seen it.
    if (head_is_over_) return;
    if (name == field::host) ++hosts;
    // Beast takes a list of equal lengths; to who stands before us it may be another length, or none.
    if (name == field::content_length) lengths += 1 + std::count(value.begin(), value.end(), ',');
    if (name == field::transfer_encoding) ++encodings;
    if constexpr (is_request) headers.emplace_back(copy(written), copy(value));
    if (name == field::transfer_encoding) coding = copy(value);
    if (name == field::expect) expect = copy(value);
    if (name == field::retry_after) retry_after = copy(value);
  }
  void on_header_impl(error_code&) override { head_is_over_ = true; }
  void on_body_init_impl(const boost::optional<std::uint64_t>& length, error_code& ec) override {
    if (length && *length > body_left_)
      ec = boost::beast::http::error::body_limit;
    else if (length)
      body.reserve(static_cast<std::size_t>(*length));
  }
  std::size_t on_body_impl(text piece, error_code& ec) override {
    take(body_left_, piece.size(), boost::beast::http::error::body_limit, ec);
    if (ec) return 0;
    body.append(piece.data(), piece.size());
    return piece.size();
  }
  void on_chunk_header_impl(std::uint64_t size, text extensions, error_code& ec) override {
    take(header_left_, extensions.size(), boost::beast::http::error::header_limit, ec);
    if (!ec && size > body_left_) ec = boost::beast::http::error::body_limit;
  }
  std::size_t on_chunk_body_impl(std::uint64_t, text piece, error_code& ec) override {
    return on_body_impl(piece, ec);
  }
  void on_finish_impl(error_code&) override {}

  std::size_t header_left_, body_left_;
  bool head_is_over_ = false;
};

} // namespace troupe::http

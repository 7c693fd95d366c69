#include "engine/http/session.hpp"

#include "engine/http/answer_text.hpp"
#include "engine/http/framing.hpp"

#include <boost/asio/write.hpp>
#include <boost/beast/http.hpp>

#include <algorithm>
#include <chrono>
#include <exception>
#include <string_view>
#include <utility>

namespace troupe::http {

namespace http = boost::beast::http;

namespace {

using namespace std::chrono_literals;

constexpr auto write_for = 10s; ///< a whole answer
constexpr milliseconds linger_for = 2s;
constexpr std::size_t held_idle =
    std::size_t{4} * 1024;                            ///< the most that a quiet connection keeps for reading
constexpr std::size_t piece = std::size_t{64} * 1024; ///< of a body, read at a time
constexpr std::size_t head_piece = 2048;

} // namespace

session::session(tcp::socket socket, floor& on)
    : stream_{std::move(socket)}, on_{on}, place_{on.quiet.insert(on.quiet.end(), this)},
      buffer_{on.options.header_bytes + on.options.body_bytes + 4096} {
  ++on_.open;
}

session::~session() {
  leave_for_good();
}

void session::await_request() {
  stage_ = stage::awaiting;
  if (buffer_.size() > 0) return begin(); // pipelined
  give_back();
  stream_.expires_after(on_.options.idle);
  read_some(head_piece, [this] { begin(); });
}

void session::hurry() {
  if (stage_ != stage::awaiting && stage_ != stage::reading) return;
  hurried_ = true;
  stream_.cancel();
}

void session::close() {
  hurried_ = false;
  if (outbox_) leave_stream();
  leave_for_good();
  stream_.close();
}

void session::leave_list() {
  if (std::exchange(listed_, false)) on_.quiet.erase(place_);
}
void session::leave_for_good() {
  leave_list();
  if (std::exchange(counted_, false)) --on_.open;
}
void session::list_again() {
  if (listed_)
    on_.quiet.splice(on_.quiet.end(), on_.quiet, place_);
  else
    place_ = on_.quiet.insert(on_.quiet.end(), this);
  listed_ = true;
}

/// Thousands of connections may be quiet: none keeps what its largest request took.
void session::give_back() {
  parser_.reset();
  message_ = std::string{}; // `= {}` would keep its room
  if (buffer_.capacity() > held_idle) buffer_.shrink_to_fit();
}

void session::read_some(std::size_t most, std::function<void()> then) {
  error_code ignored;
  if (hurried_ && stream_.socket().available(ignored) == 0) return turn_away();
  stream_.async_read_some(buffer_.prepare(most), [self = shared_from_this(), most, then = std::move(then)](
                                                     const error_code& ec, std::size_t n) mutable {
    // Something may have come since.
    if (ec == asio::error::operation_aborted && self->hurried_) return self->read_some(most, std::move(then));
    if (ec) return self->close();
    self->buffer_.commit(n);
    then();
  });
}

void session::begin() {
  stage_ = stage::reading;
  seen_ = 0;
  stream_.expires_after(on_.options.read); // holds for the whole request, however slowly its bytes drip
  await_head();
}

void session::await_head() {
  const std::string_view text{static_cast<const char*>(buffer_.data().data()), buffer_.size()};
  switch (find_head_end(text, seen_)) {
  case head_end::here:
    return read_head();
  case head_end::folded_line:
    return write_last(400, "a header line is folded");
  case head_end::bare_line_feed:
    return write_last(400, "a line ends without a carriage return");
  case head_end::not_yet:
    break;
  }
  if (text.size() > on_.options.header_bytes) return refuse(http::error::header_limit);
  read_some(head_piece, [this] { await_head(); });
}

/// All of the head is here, and often the body too: neither needs a round through the event loop then.
void session::read_head() {
  auto& head = parser_.emplace(on_.options.header_bytes, on_.options.body_bytes);
  if (const auto ec = parse()) return refuse(ec);
  if (!head.is_header_done()) return write_last(400, "this is no HTTP/1.1 request");
  if (!has_one_length(head))
    return write_last(400, "the length of the body is said in two ways, or in none that is known");
  head.eager(true);
  if (head.is_done() || !beast::iequals(head.expect, "100-continue")) return read_body();
  static constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
  asio::async_write(stream_, asio::buffer(go_on.data(), go_on.size()),
                    [self = shared_from_this()](const error_code& failed, std::size_t) {
                      if (failed && !self->hurried_) return self->close();
                      self->read_body();
                    });
}

void session::read_body() {
  if (buffer_.size() > 0 && !parser_->is_done())
    if (const auto ec = parse()) return refuse(ec);
  if (parser_->is_done()) return on_request();
  const auto left = parser_->content_length_remaining();
  const auto most = std::min(
      {left ? static_cast<std::size_t>(*left) : head_piece, piece, buffer_.max_size() - buffer_.size()});
  if (most == 0) return refuse(http::error::body_limit); // the head of a chunk, without an end
  read_some(most, [this] { read_body(); });
}

/// What is in the buffer, as far as it goes.
error_code session::parse() {
  error_code ec;
  buffer_.consume(parser_->put(buffer_.data(), ec));
  return ec == http::error::need_more ? error_code{} : ec;
}

void session::refuse(const error_code& ec) {
  if (ec == http::error::header_limit)
    return write_last(431, "the headers are over " + shown(on_.options.header_bytes));
  if (ec == http::error::body_limit)
    return write_last(413, "the body is over " + shown(on_.options.body_bytes));
  write_last(400, "this is no HTTP/1.1 request");
}

void session::on_request() {
  const auto& target = parser_->target;
  if (parser_->version != 11 && parser_->version != 10)
    return write_last(505, "only HTTP/1.1 and 1.0 are spoken here");
  if (parser_->version == 11 && parser_->hosts != 1)
    return write_last(400, "a request has exactly one Host header");
  if (!target.starts_with('/')) return write_last(400, "the target must be a path");

  stage_ = stage::answering;
  asked_ = true;
  // HEAD is GET without the body, for every handler.
  const bool head = parser_->method == "HEAD";
  request asked;
  asked.method = head ? "GET" : parser_->method;
  const auto question = target.find('?');
  asked.path = target.substr(0, question);
  if (question != std::string::npos) asked.query = target.substr(question + 1);
  asked.body = std::move(parser_->body);
  asked.headers = std::move(parser_->headers);
  error_code unknown;
  const auto from = stream_.socket().remote_endpoint(unknown);
  if (!unknown) asked.peer = from.address().to_string();
  leave_list(); // nobody closes it for a newcomer
  stream_.expires_never();
  // Back to the server's thread, wherever the answer comes from.
  auto back = [alive = on_.alive.lock(), hold = shared_from_this(), head,
               keep = parser_->keep_alive()](response answer) mutable {
    const auto there = hold->stream_.get_executor();
    asio::post(there, [self = std::move(hold), head, keep, answer = std::move(answer)]() mutable {
      self->write(std::move(answer), head, keep && self->on_.now == phase::serving);
    });
  };
  auto begin = [alive = on_.alive.lock(), self = shared_from_this(), head](
                   response answer, std::size_t most) { return self->open(std::move(answer), head, most); };
  try {
    on_.answer(std::move(asked), reply{std::move(back), std::move(begin)});
  } catch (const std::exception&) {
    // The reply went with it and has said so; the server must outlive its handlers.
  }
}

void session::write(response answer, bool head, bool keep_alive) {
  if (answer.status < 200 || answer.status > 599)
    answer = {.status = 500, .body = "this could not be answered: a bug\n"};
  message_ = answer_text(answer, head, keep_alive);
  stage_ = stage::answering;
  stream_.expires_after(write_for);
  asio::async_write(stream_, asio::buffer(message_),
                    [self = shared_from_this(), keep_alive](const error_code& ec, std::size_t) {
                      if (ec) return self->close();
                      if (!keep_alive || self->on_.now == phase::leaving) return self->hang_up();
                      self->list_again();
                      self->await_request();
                    });
}

void session::write_last(int status, std::string text) {
  const auto& refusal = on_.options.refusal;
  auto answer =
      refusal ? refusal(status, std::move(text)) : response{.status = status, .body = std::move(text) + '\n'};
  if (status == 503) answer.headers.emplace_back("Retry-After", "1");
  write(std::move(answer), false, false);
}

void session::turn_away() {
  if (stage_ == stage::awaiting) return hang_up();
  write_last(503, "this process stops and the request is not here yet; ask another one");
}

/// Closing with unread bytes resets the connection, and the answer might be lost with it. So does a request
/// that is on its way when an idle connection is closed: its client could not tell whether it was taken.
void session::hang_up() {
  stage_ = stage::lingering;
  list_again();
  error_code ignored;
  stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
  stream_.expires_after(on_.now == phase::serving ? linger_for : on_.options.linger);
  drain();
}

void session::drain() {
  buffer_.clear();
  stream_.async_read_some(buffer_.prepare(head_piece),
                          [self = shared_from_this()](const error_code& ec, std::size_t) {
                            if (ec) return self->close();
                            self->drain();
                          });
}

} // namespace troupe::http

#include "engine/http/server.hpp"

#include "engine/http/framing.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>
#include <exception>
#include <list>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>

#include <pthread.h>

namespace troupe::http {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;
using boost::system::error_code;

namespace {

using namespace std::chrono_literals;

constexpr auto write_for = 10s; ///< a whole answer
constexpr auto linger_for = 2s;
constexpr std::size_t held_idle =
    std::size_t{4} * 1024;                            ///< the most that a quiet connection keeps for reading
constexpr std::size_t piece = std::size_t{64} * 1024; ///< of a body, read at a time

std::string shown(std::size_t bytes) {
  for (const auto& [unit, name] : {std::pair{std::size_t{1} << 20, " MiB"}, {std::size_t{1} << 10, " KiB"}})
    if (bytes >= unit && bytes % unit == 0) return std::to_string(bytes / unit) + name;
  return std::to_string(bytes) + " bytes";
}

/// As it goes over the wire; `head` leaves the body out.
std::string text_of(const response& answer, bool head, bool keep_alive) {
  const auto reason = http::obsolete_reason(static_cast<http::status>(answer.status));
  std::string text = "HTTP/1.1 " + std::to_string(answer.status) + ' ';
  text.append(reason.data(), reason.size()).append("\r\n");
  const auto add = [&](std::string_view name, std::string_view value) {
    text.append(name).append(": ").append(value).append("\r\n");
  };
  if (!keep_alive) add("Connection", "close");
  for (const auto& [name, value] : answer.headers)
    add(name, value);
  const bool may_have_body = answer.status != 204 && answer.status != 304;
  if (may_have_body) {
    if (!answer.content_type.empty()) add("Content-Type", answer.content_type);
    add("Content-Length", std::to_string(answer.body.size()));
  }
  text.append("\r\n");
  if (may_have_body && !head) text.append(answer.body);
  return text;
}

class session;
using sessions = std::list<session*>;

/// What the sessions of a server share.
struct floor {
  server_options options;
  server::handler answer;
  sessions quiet;       ///< without a request to answer, the longest first
  std::size_t open = 0; ///< connections that are not closed
  bool closing = false;
  std::weak_ptr<void> alive; ///< what owns all of this: replies may come when the server has ended
};

class session : public std::enable_shared_from_this<session> {
public:
  session(tcp::socket socket, floor& on)
      : stream_{std::move(socket)}, on_{on}, place_{on.quiet.insert(on.quiet.end(), this)} {
    ++on_.open;
  }
  ~session() { leave_for_good(); }
  session(const session&) = delete;
  session& operator=(const session&) = delete;

  void await_request() {
    if (buffer_.size() > 0) return begin(); // pipelined
    give_back();
    stream_.expires_after(on_.options.idle);
    read_some([self = shared_from_this()] { self->begin(); });
  }

  void close() {
    leave_for_good();
    stream_.close();
  }

private:
  void leave() {
    if (std::exchange(listed_, false)) on_.quiet.erase(place_);
  }
  void leave_for_good() {
    leave();
    if (std::exchange(counted_, false)) --on_.open;
  }

  /// Thousands of connections may be quiet: none keeps what its largest request took.
  void give_back() {
    parser_.reset();
    message_ = std::string{}; // `= {}` would keep its room
    if (buffer_.capacity() > held_idle) buffer_.shrink_to_fit();
  }

  template <class F>
  void read_some(F then) {
    stream_.async_read_some(buffer_.prepare(2048),
                            [self = shared_from_this(), then](const error_code& ec, std::size_t n) {
                              if (ec) return self->close();
                              self->buffer_.commit(n);
                              then();
                            });
  }

  void begin() {
    seen_ = 0;
    stream_.expires_after(on_.options.read); // holds for the whole request, however slowly its bytes drip
    await_head();
  }

  void await_head() {
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
    read_some([self = shared_from_this()] { self->await_head(); });
  }

  /// All of the head is here, and often the body too: neither needs a round through the event loop then.
  void read_head() {
    auto& head = parser_.emplace(on_.options.header_bytes, on_.options.body_bytes);
    if (const auto ec = parse()) return refuse(ec);
    if (!head.is_header_done()) return write_last(400, "this is no HTTP/1.1 request");
    if (!has_one_length(head))
      return write_last(400, "the length of the body is said in two ways, or in none that is known");
    if (head.is_done() || !beast::iequals(head.expect, "100-continue")) return read_body();
    static constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    asio::async_write(stream_, asio::buffer(go_on.data(), go_on.size()),
                      [self = shared_from_this()](const error_code& failed, std::size_t) {
                        if (failed) return self->close();
                        self->read_body();
                      });
  }

  void read_body() {
    parser_->eager(true);
    if (buffer_.size() > 0 && !parser_->is_done())
      if (const auto ec = parse()) return refuse(ec);
    if (parser_->is_done()) return on_request();
    if (const auto left = parser_->content_length_remaining())
      buffer_.reserve(std::min(buffer_.size() + static_cast<std::size_t>(*left), piece));
    http::async_read(stream_, buffer_, *parser_,
                     [self = shared_from_this()](const error_code& ec, std::size_t) {
                       if (ec) return self->refuse(ec);
                       self->on_request();
                     });
  }

  /// What is in the buffer, as far as it goes.
  error_code parse() {
    error_code ec;
    buffer_.consume(parser_->put(buffer_.data(), ec));
    return ec == http::error::need_more ? error_code{} : ec;
  }

  void refuse(const error_code& ec) {
    if (ec == http::error::header_limit)
      return write_last(431, "the headers are over " + shown(on_.options.header_bytes));
    if (ec == http::error::body_limit || ec == http::error::buffer_overflow)
      return write_last(413, "the body is over " + shown(on_.options.body_bytes));
    const bool about_http = ec.category() == http::make_error_code(http::error::bad_version).category();
    if (!about_http || ec == http::error::end_of_stream || ec == http::error::partial_message) return close();
    write_last(400, "this is no HTTP/1.1 request");
  }

  void on_request() {
    const auto& target = parser_->target;
    if (parser_->version != 11 && parser_->version != 10)
      return write_last(505, "only HTTP/1.1 and 1.0 are spoken here");
    if (parser_->version == 11 && parser_->hosts != 1)
      return write_last(400, "a request has exactly one Host header");
    if (!target.starts_with('/')) return write_last(400, "the target must be a path");

    // HEAD is GET without the body, for every handler.
    const bool head = parser_->method == "HEAD";
    request asked;
    asked.method = head ? "GET" : parser_->method;
    const auto question = target.find('?');
    asked.path = target.substr(0, question);
    if (question != std::string::npos) asked.query = target.substr(question + 1);
    asked.body = std::move(parser_->body);
    asked.headers = std::move(parser_->headers);
    leave(); // nobody closes it for a newcomer
    stream_.expires_never();
    // Back to the server's thread, wherever the answer comes from.
    auto back = [alive = on_.alive.lock(), hold = shared_from_this(), head,
                 keep = parser_->keep_alive()](response answer) mutable {
      const auto there = hold->stream_.get_executor();
      asio::post(there, [self = std::move(hold), head, keep, answer = std::move(answer)]() mutable {
        self->write(std::move(answer), head, keep && !self->on_.closing);
      });
    };
    try {
      on_.answer(std::move(asked), reply{std::move(back)});
    } catch (const std::exception&) {
      // The reply went with it and has said so; the server must outlive its handlers.
    }
  }

  void write(response answer, bool head, bool keep_alive) {
    if (answer.status < 200 || answer.status > 599)
      answer = {.status = 500, .body = "this could not be answered: a bug\n"};
    message_ = text_of(answer, head, keep_alive);
    stream_.expires_after(write_for);
    asio::async_write(stream_, asio::buffer(message_),
                      [self = shared_from_this(), keep_alive](const error_code& ec, std::size_t) {
                        if (ec) return self->close();
                        if (!keep_alive) return self->hang_up();
                        self->list_again();
                        self->await_request();
                      });
  }

  void list_again() {
    if (listed_)
      on_.quiet.splice(on_.quiet.end(), on_.quiet, place_);
    else
      place_ = on_.quiet.insert(on_.quiet.end(), this);
    listed_ = true;
  }

  void write_last(int status, std::string text) {
    const auto& refusal = on_.options.refusal;
    write(refusal ? refusal(status, std::move(text))
                  : response{.status = status, .body = std::move(text) + '\n'},
          false, false);
  }

  /// Closing with unread bytes resets the connection, and the answer might be lost with it.
  void hang_up() {
    error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    stream_.expires_after(linger_for);
    drain();
  }
  void drain() {
    buffer_.clear();
    read_some([self = shared_from_this()] { self->drain(); });
  }

  beast::tcp_stream stream_;
  floor& on_;
  sessions::iterator place_;
  bool listed_ = true, counted_ = true;
  std::size_t seen_ = 0; ///< bytes of the head that were looked at
  beast::flat_buffer buffer_{on_.options.header_bytes + on_.options.body_bytes + 4096};
  std::optional<message_parser<true>> parser_;
  std::string message_; ///< the answer that is being written
};

result<std::pair<std::string, std::string>> split(const std::string& listen) {
  const error bad{errc::bad_config,
                  "\"" + listen + "\" is no host:port, such as 127.0.0.1:9090 or [::1]:9090"};
  const auto colon = listen.rfind(':');
  if (colon == std::string::npos || colon == 0) return bad;
  std::string host = listen.substr(0, colon);
  const std::string port = listen.substr(colon + 1);
  if (host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  else if (host.find(':') != std::string::npos)
    return bad;
  unsigned number = 0;
  const auto end = port.data() + port.size();
  const auto read = std::from_chars(port.data(), end, number);
  if (host.empty() || read.ec != std::errc{} || read.ptr != end || number > 65535) return bad;
  return std::pair{host, port};
}

} // namespace

const std::string* request::header(std::string_view name) const {
  for (const auto& [written, value] : headers)
    if (beast::iequals(written, {name.data(), name.size()})) return &value;
  return nullptr;
}

reply::~reply() {
  if (back_)
    back_({.status = 503, .body = "the answer was lost: try again\n", .headers = {{"Retry-After", "1"}}});
}

void reply::operator()(response answer) {
  if (const auto back = std::exchange(back_, nullptr)) back(std::move(answer));
}

server::handler at_once(std::function<response(const request&)> answer) {
  return [answer = std::move(answer)](const request& asked, reply to) {
    try {
      to(answer(asked));
    } catch (const std::exception&) {
      to({.status = 500, .body = "this could not be answered: a bug\n"});
    }
  };
}

struct server::impl {
  floor on; ///< before `io`, whose end destroys the sessions
  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()}; ///< replies may be out
  tcp::acceptor acceptor{io};
  asio::steady_timer pause{io};

  error_code listen_on(const tcp::endpoint& at) {
    error_code ec;
    if (acceptor.is_open()) acceptor.close(ec);
    acceptor.open(at.protocol(), ec);
    if (!ec) acceptor.set_option(asio::socket_base::reuse_address{true}, ec);
    if (!ec) acceptor.bind(at, ec);
    if (!ec) acceptor.listen(asio::socket_base::max_listen_connections, ec);
    return ec;
  }

  /// The one longest without a request; false where all have one.
  bool close_one() {
    if (on.quiet.empty()) return false;
    on.quiet.front()->close();
    return true;
  }

  void accept() {
    acceptor.async_accept([this](const error_code& ec, tcp::socket socket) {
      if (ec == asio::error::operation_aborted) return;
      // Out of descriptors, most likely.
      if (ec && close_one()) return accept();
      if (ec) {
        // Trying again at once would only burn the processor.
        pause.expires_after(100ms);
        pause.async_wait([this](const error_code& stopped) {
          if (!stopped) accept();
        });
        return;
      }
      // The newcomer gets in, so that forgotten connections cannot lock out the one that asks for health; not
      // where all of them wait for an answer.
      if (on.open >= on.options.connections) close_one();
      error_code ignored;
      socket.set_option(tcp::no_delay{true}, ignored);
      if (on.open < on.options.connections) std::make_shared<session>(std::move(socket), on)->await_request();
      accept();
    });
  }
};

server::server(std::shared_ptr<impl> i, std::thread runs) : impl_{std::move(i)}, thread_{std::move(runs)} {}

result<std::unique_ptr<server>> server::start(const std::string& listen, server_options options,
                                              handler answer) {
  const auto where = split(listen);
  if (!where) return where.failure();
  auto i = std::make_shared<impl>();
  i->on.options = std::move(options);
  i->on.answer = std::move(answer);
  i->on.alive = i;
  error_code ec;
  const auto found = tcp::resolver{i->io}.resolve(where->first, where->second, tcp::resolver::passive, ec);
  if (!ec) ec = asio::error::host_not_found;
  for (const auto& entry : found) {
    ec = i->listen_on(entry.endpoint());
    if (!ec) break;
  }
  if (ec)
    return error{
        errc::unavailable,
        "cannot listen on " + listen + ": " + ec.message() +
            (ec == asio::error::address_in_use ? "; another process has it: choose another port" : "")};
  i->accept();
  std::thread runs{[raw = i.get()] {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr); // signals are for the threads that wait for them
    raw->io.run();
  }};
  return std::unique_ptr<server>{new server{std::move(i), std::move(runs)}};
}

server::~server() {
  impl_->io.stop();
  thread_.join();
  // Replies that are still out keep the rest alive.
  error_code ignored;
  impl_->acceptor.close(ignored);
  while (!impl_->on.quiet.empty())
    impl_->on.quiet.front()->close();
  impl_->on.answer = nullptr;
}

void server::stop_accepting() {
  asio::post(impl_->io, [i = impl_.get()] {
    error_code ignored;
    i->acceptor.close(ignored);
    i->on.closing = true;
    while (!i->on.quiet.empty())
      i->on.quiet.front()->close();
  });
}

std::uint16_t server::port() const {
  return impl_->acceptor.local_endpoint().port();
}

} // namespace troupe::http

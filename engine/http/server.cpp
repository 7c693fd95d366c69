#include "engine/http/server.hpp"

#include "engine/http/message_parser.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

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

constexpr std::size_t most_header_bytes = 8 * 1024;
constexpr std::size_t most_body_bytes = std::size_t{64} * 1024;
constexpr std::size_t most_connections = 256;
constexpr auto read_for = 10s;  ///< a whole request, from its first byte
constexpr auto write_for = 10s; ///< a whole answer
constexpr auto idle_for = 75s;
constexpr auto linger_for = 2s;

class session;
/// Longest without a request first.
using sessions = std::list<session*>;

class session : public std::enable_shared_from_this<session> {
public:
  session(tcp::socket socket, const server::handler& answer, sessions& all)
      : stream_{std::move(socket)}, answer_{answer}, all_{all}, place_{all.insert(all.end(), this)} {}
  ~session() { leave(); }
  session(const session&) = delete;
  session& operator=(const session&) = delete;

  void await_request() {
    if (buffer_.size() > 0) return read_head(); // pipelined
    stream_.expires_after(idle_for);
    stream_.async_read_some(buffer_.prepare(2048),
                            [self = shared_from_this()](const error_code& ec, std::size_t n) {
                              if (ec) return self->close();
                              self->buffer_.commit(n);
                              self->read_head();
                            });
  }

  void close() {
    leave();
    stream_.close();
  }

private:
  void leave() {
    if (std::exchange(listed_, false)) all_.erase(place_);
  }

  void read_head() {
    parser_.emplace(most_header_bytes, most_body_bytes);
    stream_.expires_after(read_for); // holds for the whole request, however slowly its bytes drip
    http::async_read_header(
        stream_, buffer_, *parser_, [self = shared_from_this()](const error_code& ec, std::size_t) {
          if (ec) return self->refuse(ec);
          if (self->parser_->is_done() || !beast::iequals(self->parser_->expect, "100-continue"))
            return self->read_body();
          static constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
          asio::async_write(self->stream_, asio::buffer(go_on.data(), go_on.size()),
                            [self](const error_code& failed, std::size_t) {
                              if (failed) return self->close();
                              self->read_body();
                            });
        });
  }

  void read_body() {
    http::async_read(stream_, buffer_, *parser_,
                     [self = shared_from_this()](const error_code& ec, std::size_t) {
                       if (ec) return self->refuse(ec);
                       self->on_request();
                     });
  }

  void refuse(const error_code& ec) {
    if (ec == http::error::header_limit) return write_last(431, "the headers are over 8 KiB\n");
    if (ec == http::error::body_limit || ec == http::error::buffer_overflow)
      return write_last(413, "the body is over 64 KiB\n");
    const bool about_http = ec.category() == http::make_error_code(http::error::bad_version).category();
    if (!about_http || ec == http::error::end_of_stream || ec == http::error::partial_message) return close();
    write_last(400, "this is no HTTP/1.1 request\n");
  }

  void on_request() {
    const auto& target = parser_->target;
    if (parser_->version != 11 && parser_->version != 10)
      return write_last(505, "only HTTP/1.1 and 1.0 are spoken here\n");
    if (parser_->version == 11 && parser_->hosts != 1)
      return write_last(400, "a request has exactly one Host header\n");
    if (!target.starts_with('/')) return write_last(400, "the target must be a path\n");

    // HEAD is GET without the body, for every handler.
    const bool head = parser_->method == "HEAD";
    request asked;
    asked.method = head ? "GET" : parser_->method;
    const auto question = target.find('?');
    asked.path = target.substr(0, question);
    if (question != std::string::npos) asked.query = target.substr(question + 1);
    asked.body = std::move(parser_->body);
    write(answer_to(asked), head, parser_->keep_alive());
  }

  response answer_to(const request& asked) {
    try {
      auto answer = answer_(asked);
      if (answer.status >= 200 && answer.status <= 599) return answer;
    } catch (const std::exception&) {
      // Told to the asker as what it is below; the admin server must outlive its handlers.
    }
    return {.status = 500, .body = "this could not be answered: a bug\n"};
  }

  void write(response answer, bool head, bool keep_alive) {
    auto& message = answer_message_.emplace();
    message.version(11);
    message.result(static_cast<unsigned>(answer.status));
    message.keep_alive(keep_alive);
    if (answer.status != 204 && answer.status != 304) {
      message.set(http::field::content_type, answer.content_type);
      message.content_length(answer.body.size());
      if (!head) message.body() = std::move(answer.body);
    }
    stream_.expires_after(write_for);
    http::async_write(stream_, message,
                      [self = shared_from_this(), keep_alive](const error_code& ec, std::size_t) {
                        if (ec) return self->close();
                        if (!keep_alive) return self->hang_up();
                        if (self->listed_) self->all_.splice(self->all_.end(), self->all_, self->place_);
                        self->await_request();
                      });
  }

  void write_last(int status, std::string text) {
    write({.status = status, .body = std::move(text)}, false, false);
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
    stream_.async_read_some(buffer_.prepare(4096),
                            [self = shared_from_this()](const error_code& ec, std::size_t) {
                              if (ec) return self->close();
                              self->drain();
                            });
  }

  beast::tcp_stream stream_;
  const server::handler& answer_;
  sessions& all_;
  sessions::iterator place_;
  bool listed_ = true;
  beast::flat_buffer buffer_{most_header_bytes + most_body_bytes};
  std::optional<message_parser<true>> parser_;
  std::optional<http::response<http::string_body>> answer_message_;
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

struct server::impl {
  sessions all; ///< before `io`, whose end destroys the sessions
  handler answer;
  asio::io_context io{1};
  tcp::acceptor acceptor{io};
  asio::steady_timer pause{io};
  std::thread thread;

  error_code listen_on(const tcp::endpoint& at) {
    error_code ec;
    if (acceptor.is_open()) acceptor.close(ec);
    acceptor.open(at.protocol(), ec);
    if (!ec) acceptor.set_option(asio::socket_base::reuse_address{true}, ec);
    if (!ec) acceptor.bind(at, ec);
    if (!ec) acceptor.listen(asio::socket_base::max_listen_connections, ec);
    return ec;
  }

  void accept() {
    acceptor.async_accept([this](const error_code& ec, tcp::socket socket) {
      if (ec == asio::error::operation_aborted) return;
      if (ec) {
        // Out of descriptors, most likely: trying again at once would only burn the processor.
        pause.expires_after(100ms);
        pause.async_wait([this](const error_code& stopped) {
          if (!stopped) accept();
        });
        return;
      }
      // The newcomer gets in, so that forgotten connections cannot lock out the one that asks for health.
      if (all.size() >= most_connections) all.front()->close();
      error_code ignored;
      socket.set_option(tcp::no_delay{true}, ignored);
      std::make_shared<session>(std::move(socket), answer, all)->await_request();
      accept();
    });
  }
};

server::server(std::unique_ptr<impl> i) : impl_{std::move(i)} {}

result<std::unique_ptr<server>> server::start(const std::string& listen, handler answer) {
  const auto where = split(listen);
  if (!where) return where.failure();
  auto i = std::make_unique<impl>();
  i->answer = std::move(answer);
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
  i->thread = std::thread{[raw = i.get()] {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr); // signals are for the threads that wait for them
    raw->io.run();
  }};
  return std::unique_ptr<server>{new server{std::move(i)}};
}

server::~server() {
  impl_->io.stop();
  impl_->thread.join();
}

std::uint16_t server::port() const {
  return impl_->acceptor.local_endpoint().port();
}

} // namespace troupe::http

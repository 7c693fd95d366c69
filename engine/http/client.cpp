#include "engine/http/client.hpp"

#include "engine/http/connection.hpp"
#include "engine/http/head.hpp"
#include "engine/http/message_parser.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/read.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <system_error>
#include <thread>

#include <pthread.h>

namespace troupe::http {

namespace http = boost::beast::http;

namespace {

using std::chrono::steady_clock;

constexpr milliseconds longest_deadline = std::chrono::hours{24 * 365};
constexpr milliseconds addresses_last{5000};
constexpr milliseconds sweep_every{15'000};
constexpr unsigned most_interim_answers = 16;
constexpr std::size_t most_header_bytes = 16 * 1024;

/// Signals are for the threads that wait for them.
void block_signals() {
  sigset_t all;
  sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

std::string place(const url& to) {
  return to.host + ':' + to.port;
}

bool is_about_the_answer(const error_code& ec) {
  return ec.category() == http::make_error_code(http::error::bad_version).category();
}

using endpoints = std::vector<tcp::endpoint>;
using resolved = std::function<void(const error_code&, const endpoints&)>;

} // namespace

struct client::impl : std::enable_shared_from_this<client::impl> {
  class exchange;

  impl() : work{io.get_executor()} {
    error_code no_store; // then no certificate verifies, and each call says so
    (void)tls.set_default_verify_paths(no_store);
    SSL_CTX_set_min_proto_version(tls.native_handle(), TLS1_2_VERSION);
  }

  void run();
  void shut_down();
  void resolve(const url& to, resolved then);
  void keep(const std::string& key, std::unique_ptr<connection> c);

  // First, so that it goes last: sockets and timers need it.
  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> work;
  asio::ssl::context tls{asio::ssl::context::tls_client};
  std::thread thread;
  std::atomic<std::uint64_t> last_id{0};

  // Of the client's thread alone from here on.
  std::unordered_map<std::uint64_t, std::shared_ptr<exchange>> under_way;
  idle_connections idle;
  asio::steady_timer sweeper{io};
  bool sweeping = false, stopping = false;
  struct known_addresses {
    endpoints addresses;
    steady_time until;
  };
  std::unordered_map<std::string, known_addresses> known;
  std::unordered_map<std::string, std::vector<resolved>> resolving;

private:
  void sweep();
  void on_resolved(const std::string& key, const error_code& ec, const endpoints& found);
};

/// One call under way. Everything here runs on the client's thread.
class client::impl::exchange : public std::enable_shared_from_this<exchange> {
public:
  exchange(impl& owner, std::uint64_t id, call request, steady_time until, done cb, std::size_t max_answer)
      : owner_{owner}, id_{id}, request_{std::move(request)}, until_{until}, cb_{std::move(cb)},
        max_answer_{max_answer}, key_{(request_.to.tls ? "tls " : "") + place(request_.to)}, timer_{
                                                                                                 owner.io} {}

  void start() {
    if (owner_.stopping) return fail(failure::cancelled, "the client is stopping");
    auto head = request_head(request_);
    if (!head) return fail(failure::malformed, head.failure().detail);
    head_ = std::move(head).value();
    owner_.under_way.emplace(id_, shared_from_this());
    timer_.expires_at(until_);
    timer_.async_wait([self = shared_from_this()](const error_code& ec) {
      if (!ec) self->on_deadline();
    });
    connection_ = owner_.idle.take(key_);
    if (!connection_) return open();
    kept_ = true;
    send();
  }

  void fail(failure kind, std::string detail) { finish(broken_call{kind, std::move(detail)}); }

private:
  void on_deadline() {
    if (sent_) return fail(failure::deadline, "no answer from " + place(request_.to) + " in time");
    fail(failure::no_connection, "no connection to " + place(request_.to) + " in time");
  }

  void open() {
    kept_ = false;
    sent_ = false;
    owner_.resolve(request_.to, [self = shared_from_this()](const error_code& ec, const endpoints& found) {
      if (self->over_) return;
      if (ec)
        return self->fail(failure::no_connection,
                          "cannot resolve " + self->request_.to.host + ": " + ec.message());
      self->connect(found);
    });
  }

  void connect(const endpoints& found) {
    connection_ = std::make_unique<connection>(owner_.io, owner_.tls, request_.to);
    asio::async_connect(connection_->socket(), found,
                        [self = shared_from_this()](const error_code& ec, const tcp::endpoint&) {
                          if (!self->over_) self->on_connected(ec);
                        });
  }

  void on_connected(const error_code& ec) {
    if (ec)
      return fail(failure::no_connection, "cannot connect to " + place(request_.to) + ": " + ec.message());
    error_code ignored;
    connection_->socket().set_option(tcp::no_delay{true}, ignored);
    if (connection_->tls() == nullptr) return send();
    connection_->tls()->async_handshake(asio::ssl::stream_base::client,
                                        [self = shared_from_this()](const error_code& failed) {
                                          if (!self->over_) self->on_handshake(failed);
                                        });
  }

  void on_handshake(const error_code& ec) {
    if (!ec) return send();
    const auto why = connection_->certificate_problem();
    fail(failure::no_connection,
         "no TLS with " + place(request_.to) + ": " + (why.empty() ? ec.message() : why));
  }

  void send() {
    sent_ = true;
    const std::array<asio::const_buffer, 2> bytes{asio::buffer(head_), asio::buffer(request_.body)};
    connection_->with_stream([&](auto& stream) {
      asio::async_write(stream, bytes, [self = shared_from_this()](const error_code& ec, std::size_t) {
        if (self->over_) return;
        // A server may answer and hang up without reading the whole request: hear what it said.
        self->unsent_ = ec.failed();
        self->receive();
      });
    });
  }

  void receive() {
    parser_.emplace(most_header_bytes, max_answer_);
    connection_->with_stream([&](auto& stream) {
      http::async_read(stream, connection_->buffer, *parser_,
                       [self = shared_from_this()](const error_code& ec, std::size_t) {
                         if (!self->over_) self->on_received(ec);
                       });
    });
  }

  void on_received(const error_code& ec) {
    if (ec) return on_no_answer(ec);
    const int status = parser_->status;
    if (status >= 100 && status < 200) {
      if (status == 101 || ++interim_ > most_interim_answers)
        return fail(failure::malformed,
                    place(request_.to) + " answered " + std::to_string(status) + " and nothing else");
      return receive();
    }
    answer a;
    a.status = status;
    a.retry_after = parse_retry_after(parser_->retry_after, wall_ms());
    a.body = std::move(parser_->body);
    if (parser_->keep_alive() && !unsent_ && connection_->buffer.size() == 0)
      owner_.keep(key_, std::move(connection_));
    finish(std::move(a));
  }

  void on_no_answer(const error_code& ec) {
    if (ec == http::error::body_limit || ec == http::error::header_limit ||
        ec == http::error::buffer_overflow)
      return fail(failure::too_large, "the answer of " + place(request_.to) + " is over the limit of " +
                                          std::to_string(max_answer_) + " bytes");
    const bool cut = ec == http::error::end_of_stream || ec == http::error::partial_message;
    if (is_about_the_answer(ec) && !cut)
      return fail(failure::malformed, "the answer of " + place(request_.to) + " is no HTTP: " + ec.message());
    const bool silent = !parser_->got_some() && connection_->buffer.size() == 0 && interim_ == 0;
    if (kept_ && silent && ec == http::error::end_of_stream) {
      // It was closed while idle, as servers do; nothing says that the request was seen. A reset is another
      // matter: the server may have broken off at work.
      connection_.reset();
      unsent_ = false;
      return open();
    }
    fail(failure::reset, place(request_.to) +
                             (silent ? " closed the connection without an answer: "
                                     : " closed the connection amid its answer: ") +
                             ec.message());
  }

  void finish(std::variant<answer, broken_call> outcome) {
    if (std::exchange(over_, true)) return;
    const auto self = shared_from_this();
    timer_.cancel();
    if (connection_) connection_->close();
    owner_.under_way.erase(id_);
    std::exchange(cb_, nullptr)(std::move(outcome));
  }

  impl& owner_;
  std::uint64_t id_;
  call request_;
  steady_time until_;
  done cb_;
  std::size_t max_answer_;
  std::string key_, head_;
  asio::steady_timer timer_;
  std::unique_ptr<connection> connection_;
  std::optional<message_parser<false>> parser_;
  unsigned interim_ = 0;
  bool kept_ = false, sent_ = false, unsent_ = false, over_ = false;
};

void client::impl::run() {
  block_signals();
  io.run();
}

void client::impl::shut_down() {
  stopping = true;
  const auto calls = std::exchange(under_way, {});
  for (const auto& [id, one] : calls)
    one->fail(failure::cancelled, "the client is stopping");
  resolving.clear();
  idle.clear();
  sweeper.cancel();
  work.reset();
}

void client::impl::keep(const std::string& key, std::unique_ptr<connection> c) {
  if (stopping) return;
  idle.put(key, std::move(c), steady_clock::now());
  if (!std::exchange(sweeping, true)) sweep();
}

void client::impl::sweep() {
  sweeper.expires_after(sweep_every);
  sweeper.async_wait([this](const error_code& ec) {
    sweeping = false;
    if (ec) return;
    idle.sweep(steady_clock::now());
    if (!idle.empty()) {
      sweeping = true;
      sweep();
    }
  });
}

void client::impl::resolve(const url& to, resolved then) {
  error_code not_an_address;
  const auto address = asio::ip::make_address(to.host, not_an_address);
  if (!not_an_address) {
    const auto port = static_cast<std::uint16_t>(std::stoul(to.port));
    return then({}, {tcp::endpoint{address, port}});
  }
  const std::string key = place(to);
  if (const auto at = known.find(key); at != known.end()) {
    if (steady_clock::now() < at->second.until) return then({}, at->second.addresses);
    known.erase(at);
  }
  auto& waiting = resolving[key];
  waiting.push_back(std::move(then));
  if (waiting.size() > 1) return;
  // On a thread of its own, which nobody waits for: a name server that is out keeps getaddrinfo() for many
  // seconds, and neither other hosts nor the end of the client may hang on it.
  try {
    std::thread{[key, host = to.host, port = to.port, owner = weak_from_this()] {
      block_signals();
      asio::io_context own;
      error_code ec;
      endpoints found;
      for (const auto& entry : tcp::resolver{own}.resolve(host, port, ec))
        found.push_back(entry.endpoint());
      if (const auto alive = owner.lock())
        asio::post(alive->io, [alive, key, ec, found] { alive->on_resolved(key, ec, found); });
    }}.detach();
  } catch (const std::system_error& e) {
    const error_code ec{e.code().value(), boost::system::generic_category()};
    asio::post(io, [this, key, ec] { on_resolved(key, ec, {}); });
  }
}

void client::impl::on_resolved(const std::string& key, const error_code& ec, const endpoints& found) {
  if (!ec) known[key] = {found, steady_clock::now() + addresses_last};
  auto waiting = resolving.extract(key);
  if (waiting.empty()) return;
  for (const auto& then : waiting.mapped())
    then(ec, found);
}

client::client() : impl_{std::make_shared<impl>()} {
  impl_->thread = std::thread{[self = impl_] { self->run(); }};
}

client::~client() {
  asio::post(impl_->io, [self = impl_] { self->shut_down(); });
  // From within a callback the thread cannot wait for itself; it ends, and frees what it holds, on its own.
  if (std::this_thread::get_id() == impl_->thread.get_id())
    impl_->thread.detach();
  else
    impl_->thread.join();
}

std::uint64_t client::send(call request, milliseconds deadline, done cb, std::size_t max_answer) {
  const auto id = ++impl_->last_id;
  const auto until = steady_clock::now() + std::clamp(deadline, milliseconds{0}, longest_deadline);
  auto one =
      std::make_shared<impl::exchange>(*impl_, id, std::move(request), until, std::move(cb), max_answer);
  asio::post(impl_->io, [one = std::move(one)] { one->start(); });
  return id;
}

void client::cancel(std::uint64_t id) {
  asio::post(impl_->io, [owner = impl_.get(), id] {
    const auto at = owner->under_way.find(id);
    if (at == owner->under_way.end()) return;
    const auto one = at->second;
    one->fail(failure::cancelled, "cancelled");
  });
}

} // namespace troupe::http

#include "engine/http/server.hpp"

#include "engine/http/listener.hpp"
#include "engine/http/session.hpp"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/string.hpp>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <csignal>
#include <future>
#include <string_view>
#include <utility>

#include <pthread.h>

namespace troupe::http {
namespace {

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

std::shared_ptr<stream> reply::open(response head, std::size_t most_waiting) {
  const auto open = std::exchange(open_, nullptr);
  if (!std::exchange(back_, nullptr) || !open) return nullptr;
  return open(std::move(head), most_waiting);
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
  listener door{io, on};
  asio::steady_timer patience{io};
  std::uint16_t port = 0;
  std::promise<void> closed;
  std::future<void> when_closed = closed.get_future();
  std::atomic<bool> is_closed{false};

  template <class F>
  void after(milliseconds d, F what) {
    patience.expires_after(d);
    patience.async_wait([what = std::move(what)](const error_code& stopped) {
      if (!stopped) what();
    });
  }

  template <class F>
  void each_quiet(F what) {
    for (auto at = on.quiet.begin(); at != on.quiet.end();)
      what(**at++); // it may leave the list
  }

  void stop() {
    if (on.now != phase::serving) return;
    on.now = phase::stopping;
    for (auto at = on.streaming.begin(); at != on.streaming.end();)
      (*at++)->end_stream(); // it leaves the set
    door.stop([this] {
      is_closed = true;
      closed.set_value();
      after(on.options.last_look, [this] { let_idle_ones_go(); });
    });
  }

  void let_idle_ones_go() {
    on.now = phase::leaving;
    each_quiet([now = std::chrono::steady_clock::now()](session& s) {
      if (s.awaits_request() && !s.is_fresh(now)) s.hurry();
    });
    after(std::max(on.options.grace - on.options.last_look, milliseconds{0}), [this] { hurry_all(); });
  }

  void hurry_all() {
    each_quiet([](session& s) { s.hurry(); });
    after(on.options.linger, [this] {
      each_quiet([](session& s) {
        if (!s.lingers()) s.close();
      });
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
    ec = i->door.listen_on(entry.endpoint());
    if (!ec) break;
  }
  if (ec)
    return error{
        errc::unavailable,
        "cannot listen on " + listen + ": " + ec.message() +
            (ec == asio::error::address_in_use ? "; another process has it: choose another port" : "")};
  i->port = i->door.port();
  i->door.accept();
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
  impl_->door.close();
  impl_->each_quiet([](session& s) { s.close(); });
  for (auto at = impl_->on.streaming.begin(); at != impl_->on.streaming.end();)
    (*at++)->close();
  impl_->on.answer = nullptr;
}

void server::stop() {
  asio::dispatch(impl_->io, [i = impl_.get()] { i->stop(); });
}

void server::wait_closed() {
  impl_->when_closed.wait();
}

bool server::stopped() const {
  return impl_->is_closed && impl_->on.open == 0;
}

std::uint16_t server::port() const {
  return impl_->port;
}

} // namespace troupe::http

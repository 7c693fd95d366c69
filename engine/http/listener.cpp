#include "engine/http/listener.hpp"

#include <chrono>
#include <memory>
#include <utility>

#include <linux/filter.h>
#include <sys/socket.h>

namespace troupe::http {
namespace {

using namespace std::chrono_literals;

/// Long enough for the handshakes that have begun, on this host or next to it.
constexpr auto handshake = 5ms;

/// Drops the SYN of whoever comes now. Otherwise a connection made between the last accept and the close
/// would be reset, maybe with a request sent. So its client sends the SYN again, a second later, and is
/// refused. Where the system has no such filters there remains that moment.
void let_nobody_begin(int listening) {
  constexpr unsigned flags_of_tcp = 13, syn = 2, all = 0xffffffff;
  sock_filter program[]{BPF_STMT(BPF_LD | BPF_B | BPF_ABS, flags_of_tcp),
                        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, syn, 0, 1), BPF_STMT(BPF_RET | BPF_K, 0),
                        BPF_STMT(BPF_RET | BPF_K, all)};
  const sock_fprog filter{4, program};
  ::setsockopt(listening, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter);
}

bool is_out_of_descriptors(const error_code& ec) {
  return ec == asio::error::no_descriptors || ec == boost::system::errc::too_many_files_open_in_system;
}

} // namespace

error_code listener::listen_on(const tcp::endpoint& at) {
  error_code ec;
  if (acceptor_.is_open()) acceptor_.close(ec);
  acceptor_.open(at.protocol(), ec);
  if (!ec) acceptor_.set_option(asio::socket_base::reuse_address{true}, ec);
  // Otherwise asio waits in accept() for another one, also where it must not block.
  if (!ec) acceptor_.set_option(asio::socket_base::enable_connection_aborted{true}, ec);
  if (!ec) acceptor_.bind(at, ec);
  if (!ec) acceptor_.listen(asio::socket_base::max_listen_connections, ec);
  if (!ec) acceptor_.non_blocking(true, ec);
  return ec;
}

/// The one longest without a request; false where all have one.
bool listener::close_one() {
  if (on_.quiet.empty()) return false;
  on_.quiet.front()->close();
  return true;
}

void listener::accept() {
  acceptor_.async_accept([this](const error_code& ec, tcp::socket socket) {
    if (!ec) admit(std::move(socket));
    if (stopping_ || ec == asio::error::operation_aborted) return;
    // Out of descriptors, most likely.
    if (!ec || close_one()) return accept();
    // Trying again at once would only burn the processor.
    pause_.expires_after(100ms);
    pause_.async_wait([this](const error_code& stopped) {
      if (!stopped) accept();
    });
  });
}

void listener::admit(tcp::socket socket) {
  // The newcomer gets in, so that forgotten connections cannot lock out the one that asks for health; not
  // where all of them wait for an answer.
  if (on_.open >= on_.options.connections) close_one();
  error_code ignored;
  socket.set_option(tcp::no_delay{true}, ignored);
  if (on_.open < on_.options.connections) std::make_shared<session>(std::move(socket), on_)->await_request();
}

void listener::take_backlog() {
  for (;;) {
    error_code ec;
    auto socket = acceptor_.accept(ec);
    if (!ec)
      admit(std::move(socket));
    else if (ec != asio::error::connection_aborted && !(is_out_of_descriptors(ec) && close_one()))
      return;
  }
}

void listener::stop(std::function<void()> closed) {
  stopping_ = true;
  error_code ignored;
  acceptor_.cancel(ignored);
  let_nobody_begin(acceptor_.native_handle());
  pause_.expires_after(handshake);
  pause_.async_wait([this, closed = std::move(closed)](const error_code& ec) {
    if (ec) return;
    take_backlog();
    close();
    closed();
  });
}

void listener::close() {
  error_code ignored;
  acceptor_.close(ignored);
}

} // namespace troupe::http

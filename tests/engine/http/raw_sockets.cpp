#include "tests/engine/http/raw_sockets.hpp"

#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace troupe::http::testing {
namespace {

constexpr int patience_ms = 20'000;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return at;
}

} // namespace

raw_connection::raw_connection(int fd) : fd_{fd} {}
raw_connection::~raw_connection() {
  close();
}

int raw_connection::connect(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  const auto at = loopback(port);
  if (fd < 0 || ::connect(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0)
    throw std::runtime_error{"the test cannot connect"};
  return fd;
}

int raw_connection::begin_to_connect(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const auto at = loopback(port);
  if (fd < 0 ||
      (::connect(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0 && errno != EINPROGRESS))
    throw std::system_error{errno, std::generic_category(), "the test cannot connect"};
  return fd;
}

int raw_connection::connected() {
  pollfd out{fd_, POLLOUT, 0};
  if (::poll(&out, 1, patience_ms) <= 0) return ETIMEDOUT;
  return error();
}

bool raw_connection::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

bool raw_connection::fill() {
  pollfd in{fd_, POLLIN, 0};
  if (::poll(&in, 1, patience_ms) <= 0) return false;
  char chunk[65536];
  const auto n = ::recv(fd_, chunk, sizeof chunk, 0);
  if (n <= 0) return false;
  buffer_.append(chunk, static_cast<std::size_t>(n));
  return true;
}

std::string raw_connection::read_message() {
  std::size_t head = 0;
  while ((head = buffer_.find("\r\n\r\n")) == std::string::npos)
    if (!fill()) return {};
  std::size_t whole = head + 4;
  if (const auto at = buffer_.find("Content-Length: "); at < head)
    whole += std::stoul(buffer_.substr(at + 16));
  while (buffer_.size() < whole)
    if (!fill()) return {};
  auto message = buffer_.substr(0, whole);
  buffer_.erase(0, whole);
  return message;
}

std::string raw_connection::read_to_end() {
  while (fill()) {
  }
  return std::exchange(buffer_, {});
}

bool raw_connection::ended() {
  pollfd in{fd_, POLLIN, 0};
  for (;;) {
    if (::poll(&in, 1, patience_ms) <= 0) return false;
    char chunk[4096];
    if (::recv(fd_, chunk, sizeof chunk, 0) <= 0) return true;
  }
}

bool raw_connection::ended_in_order() {
  pollfd in{fd_, POLLIN, 0};
  char chunk[4096];
  ssize_t n = 1;
  while (n > 0) {
    if (::poll(&in, 1, patience_ms) <= 0) return false;
    n = ::recv(fd_, chunk, sizeof chunk, 0);
  }
  return n == 0 && error() == 0;
}

int raw_connection::error() const {
  int failed = 0;
  socklen_t size = sizeof failed;
  ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &failed, &size);
  return failed;
}

void raw_connection::finish() {
  ::shutdown(fd_, SHUT_WR);
}

void raw_connection::reset() {
  const linger at_once{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close();
}

void raw_connection::close() {
  const std::lock_guard hold{lock_};
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

void raw_connection::interrupt() {
  const std::lock_guard hold{lock_};
  if (fd_ >= 0) ::shutdown(fd_, SHUT_RDWR);
}

raw_server::raw_server(script s) : script_{std::move(s)}, listener_{::socket(AF_INET, SOCK_STREAM, 0)} {
  auto at = loopback(0);
  socklen_t size = sizeof at;
  auto* const address = reinterpret_cast<sockaddr*>(&at);
  if (::bind(listener_, address, size) != 0 || ::listen(listener_, 1024) != 0 ||
      ::getsockname(listener_, address, &size) != 0)
    throw std::runtime_error{"the test cannot listen"};
  port_ = ntohs(at.sin_port);
  acceptor_ = std::thread{[this] { accept(); }};
}

raw_server::~raw_server() {
  stopping_ = true;
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  ::close(listener_);
  for (auto& c : open_)
    c.interrupt();
  for (auto& t : threads_)
    t.join();
}

void raw_server::accept() {
  for (;;) {
    const int fd = ::accept(listener_, nullptr, nullptr);
    if (fd < 0 || stopping_) {
      if (fd >= 0) ::close(fd);
      return;
    }
    auto& c = open_.emplace_back(fd);
    const int number = ++accepted_;
    threads_.emplace_back([this, &c, number] {
      script_(c, number);
      c.close();
    });
  }
}

} // namespace troupe::http::testing

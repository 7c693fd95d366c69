#include "engine/redis/transport.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <future>
#include <system_error>
#include <thread>
#include <vector>

namespace troupe::redis {

namespace {

using std::chrono::steady_clock;

std::string reason(int number) {
  return std::generic_category().message(number);
}

error unreachable(const address& to, const std::string& why) {
  return {errc::unavailable, to.shown() + ": " + why};
}

class descriptor {
public:
  explicit descriptor(int fd) : fd_{fd} {}
  ~descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  descriptor(descriptor&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}
  descriptor& operator=(descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  [[nodiscard]] int get() const { return fd_; }

private:
  int fd_;
};

bool ready(int fd, bool to_read, bool to_write, steady_time deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now()).count();
    pollfd p{fd, static_cast<short>((to_read ? POLLIN : 0) | (to_write ? POLLOUT : 0)), 0};
    const int n = ::poll(&p, 1, static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000)));
    if (n > 0) return true;
    if (n == 0 && left <= 0) return false;
    if (n < 0 && errno != EINTR) return false;
  }
}

class plain final : public transport {
public:
  explicit plain(descriptor fd) : fd_{std::move(fd)} {}
  outcome write(std::string_view bytes) override {
    const auto n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n >= 0) return {state::moved, static_cast<std::size_t>(n), {}};
    return failed(state::want_write);
  }
  outcome read(char* into, std::size_t room) override {
    const auto n = ::recv(fd_.get(), into, room, 0);
    if (n > 0) return {state::moved, static_cast<std::size_t>(n), {}};
    if (n == 0) return {state::closed, 0, "the server closed the connection"};
    return failed(state::want_read);
  }
  bool wait(bool to_read, bool to_write, steady_time deadline) override {
    return ready(fd_.get(), to_read, to_write, deadline);
  }
  bool stale() override { return ready(fd_.get(), true, false, steady_time{}); }

private:
  static outcome failed(state again) {
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return {again, 0, {}};
    return {state::closed, 0, reason(errno)};
  }
  descriptor fd_;
};

template <auto F>
struct c_delete {
  void operator()(auto* p) const noexcept { F(p); }
};
using context_ptr = std::unique_ptr<SSL_CTX, c_delete<SSL_CTX_free>>;
using session_ptr = std::unique_ptr<SSL, c_delete<SSL_free>>;

std::string tls_reason(SSL* session) {
  if (session != nullptr) {
    if (const auto verdict = SSL_get_verify_result(session); verdict != X509_V_OK)
      return std::string{"the server's certificate was not accepted: "} +
             X509_verify_cert_error_string(verdict) +
             " (a CA of your own is named by the environment variable SSL_CERT_FILE)";
  }
  const auto code = ERR_peek_last_error();
  const auto* text = code == 0 ? nullptr : ERR_reason_error_string(code);
  return text == nullptr ? "the TLS connection was closed" : std::string{"TLS: "} + text;
}

/// OpenSSL writes without MSG_NOSIGNAL: the thread that uses this must have SIGPIPE blocked.
class secure final : public transport {
public:
  static result<std::unique_ptr<transport>> handshake(descriptor fd, const address& to,
                                                      steady_time deadline) {
    ERR_clear_error();
    context_ptr context{SSL_CTX_new(TLS_client_method())};
    if (!context || SSL_CTX_set_default_verify_paths(context.get()) != 1)
      return unreachable(to, tls_reason(nullptr));
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
    SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    session_ptr session{SSL_new(context.get())};
    if (!session || SSL_set_fd(session.get(), fd.get()) != 1 || !expect(session.get(), to.host))
      return unreachable(to, tls_reason(nullptr));
    for (;;) {
      ERR_clear_error();
      const int n = SSL_connect(session.get());
      if (n == 1) break;
      const int why = SSL_get_error(session.get(), n);
      if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
        return unreachable(to, tls_reason(session.get()));
      if (!ready(fd.get(), why == SSL_ERROR_WANT_READ, why == SSL_ERROR_WANT_WRITE, deadline))
        return unreachable(to, "no answer to the TLS handshake in time");
    }
    return std::unique_ptr<transport>{new secure{std::move(fd), std::move(session)}};
  }

  outcome write(std::string_view bytes) override {
    std::size_t n = 0;
    ERR_clear_error();
    if (SSL_write_ex(session_.get(), bytes.data(), bytes.size(), &n) == 1) return {state::moved, n, {}};
    return failed();
  }
  outcome read(char* into, std::size_t room) override {
    std::size_t n = 0;
    ERR_clear_error();
    if (SSL_read_ex(session_.get(), into, room, &n) == 1) return {state::moved, n, {}};
    return failed();
  }
  bool wait(bool to_read, bool to_write, steady_time deadline) override {
    return ready(fd_.get(), to_read, to_write, deadline);
  }
  bool stale() override {
    // Session tickets arrive unasked: only what decrypts to data or to the end counts.
    char byte = 0;
    const auto got = read(&byte, 1);
    return got.what == state::moved || got.what == state::closed;
  }

private:
  secure(descriptor fd, session_ptr session) : fd_{std::move(fd)}, session_{std::move(session)} {}

  static bool expect(SSL* session, const std::string& host) {
    in6_addr ignored;
    const bool literal =
        inet_pton(AF_INET, host.c_str(), &ignored) == 1 || inet_pton(AF_INET6, host.c_str(), &ignored) == 1;
    if (literal) return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), host.c_str()) == 1;
    return SSL_set1_host(session, host.c_str()) == 1 && SSL_set_tlsext_host_name(session, host.c_str()) == 1;
  }
  outcome failed() {
    switch (SSL_get_error(session_.get(), 0)) {
    case SSL_ERROR_WANT_READ:
      return {state::want_read, 0, {}};
    case SSL_ERROR_WANT_WRITE:
      return {state::want_write, 0, {}};
    default:
      return {state::closed, 0, tls_reason(session_.get())};
    }
  }

  descriptor fd_;
  session_ptr session_; // goes before the descriptor it uses
};

struct endpoint {
  sockaddr_storage where{};
  socklen_t size = 0;
};
using resolved = std::pair<int, std::vector<endpoint>>; ///< getaddrinfo's code

resolved resolve_now(const std::string& host, std::uint16_t port, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | flags;
  addrinfo* list = nullptr;
  resolved out;
  out.first = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
  if (out.first != 0) return out;
  for (const auto* a = list; a != nullptr; a = a->ai_next) {
    endpoint e;
    std::memcpy(&e.where, a->ai_addr, a->ai_addrlen);
    e.size = a->ai_addrlen;
    out.second.push_back(e);
  }
  ::freeaddrinfo(list);
  return out;
}

/// A name server that does not answer would hold the caller for half a minute, and getaddrinfo knows no
/// deadline: it is asked on a thread that may be left behind.
result<std::vector<endpoint>> resolve(const address& to, steady_time deadline) {
  if (auto literal = resolve_now(to.host, to.port, AI_NUMERICHOST); literal.first == 0) return literal.second;
  std::packaged_task<resolved()> ask{[host = to.host, port = to.port] { return resolve_now(host, port, 0); }};
  auto answer = ask.get_future();
  std::thread{std::move(ask)}.detach();
  if (answer.wait_until(deadline) != std::future_status::ready)
    return unreachable(to, "the name was not resolved in time");
  auto [code, list] = answer.get();
  if (code != 0) return unreachable(to, std::string{"the name cannot be resolved: "} + gai_strerror(code));
  return list;
}

result<descriptor> connect_to(const address& to, const endpoint& where, steady_time deadline) {
  descriptor fd{::socket(where.where.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (fd.get() < 0) return unreachable(to, reason(errno));
  int problem = 0;
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&where.where), where.size) != 0) problem = errno;
  if (problem == EINPROGRESS) {
    if (!ready(fd.get(), false, true, deadline)) return unreachable(to, "no connection in time");
    socklen_t size = sizeof problem;
    ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &problem, &size);
  }
  if (problem != 0) return unreachable(to, reason(problem));
  if (where.where.ss_family != AF_UNIX) {
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::setsockopt(fd.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  }
  return fd;
}

result<descriptor> connect_any(const address& to, steady_time deadline) {
  std::vector<endpoint> list;
  if (to.unix_path.empty()) {
    auto found = resolve(to, deadline);
    if (!found) return found.failure();
    list = std::move(*found);
  } else {
    endpoint e;
    auto* name = reinterpret_cast<sockaddr_un*>(&e.where);
    name->sun_family = AF_UNIX;
    to.unix_path.copy(name->sun_path, sizeof name->sun_path - 1);
    e.size = sizeof(sockaddr_un);
    list.push_back(e);
  }
  result<descriptor> last = unreachable(to, "the name has no address");
  for (std::size_t i = 0; i < list.size(); ++i) {
    // A silent address must not use up the time of those after it.
    const auto share = (deadline - steady_clock::now()) / static_cast<std::int64_t>(list.size() - i);
    last = connect_to(to, list[i], steady_clock::now() + share);
    if (last) break;
  }
  return last;
}

} // namespace

result<std::unique_ptr<transport>> transport::connect(const address& to, steady_time deadline) {
  auto fd = connect_any(to, deadline);
  if (!fd) return fd.failure();
  if (to.tls) return secure::handshake(std::move(*fd), to, deadline);
  return std::unique_ptr<transport>{new plain{std::move(*fd)}};
}

} // namespace troupe::redis

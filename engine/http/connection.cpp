#include "engine/http/connection.hpp"

#include <cerrno>

#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

namespace troupe::http {

connection::connection(asio::io_context& io, asio::ssl::context& tls, const url& to) {
  if (!to.tls) {
    plain_.emplace(io);
    return;
  }
  tls_.emplace(io, tls);
  SSL* const ssl = tls_->native_handle();
  X509_VERIFY_PARAM* const check = SSL_get0_param(ssl);
  error_code not_an_address;
  (void)asio::ip::make_address(to.host, not_an_address);
  if (not_an_address) {
    SSL_set_tlsext_host_name(ssl, to.host.c_str());
    X509_VERIFY_PARAM_set1_host(check, to.host.c_str(), to.host.size());
  } else {
    X509_VERIFY_PARAM_set1_ip_asc(check, to.host.c_str());
  }
  SSL_set_verify(ssl, SSL_VERIFY_PEER, nullptr);
}

void connection::close() {
  error_code ignored;
  socket().close(ignored);
}

bool connection::fit_for_use() {
  char byte = 0;
  const auto n = ::recv(socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (n > 0) return tls_.has_value(); // TLS sends session tickets when it likes; HTTP has nothing to say
  return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

std::string connection::certificate_problem() {
  if (!tls_) return {};
  const long why = SSL_get_verify_result(tls_->native_handle());
  return why == X509_V_OK ? std::string{} : X509_verify_cert_error_string(why);
}

void idle_connections::put(const std::string& key, std::unique_ptr<connection> c, steady_time now) {
  auto& kept = by_key_[key];
  if (kept.size() >= most) return;
  c->idle_since = now;
  kept.push_back(std::move(c));
}

std::unique_ptr<connection> idle_connections::take(const std::string& key) {
  const auto at = by_key_.find(key);
  if (at == by_key_.end()) return nullptr;
  std::unique_ptr<connection> found;
  while (!found && !at->second.empty()) {
    if (at->second.back()->fit_for_use()) found = std::move(at->second.back());
    at->second.pop_back();
  }
  return found;
}

void idle_connections::sweep(steady_time now) {
  for (auto& [key, kept] : by_key_)
    std::erase_if(kept, [&](const auto& c) { return now - c->idle_since > longest || !c->fit_for_use(); });
  std::erase_if(by_key_, [](const auto& one) { return one.second.empty(); });
}

} // namespace troupe::http

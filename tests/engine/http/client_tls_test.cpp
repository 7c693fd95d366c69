#include "engine/http/client.hpp"
#include "tests/engine/http/calls.hpp"
#include "tests/engine/http/raw_sockets.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <mutex>

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

namespace troupe::http {
namespace {

using namespace std::chrono_literals;
using namespace testing;

template <auto F>
struct frees {
  void operator()(auto* p) const noexcept { F(p); }
};
using key_ptr = std::unique_ptr<EVP_PKEY, frees<EVP_PKEY_free>>;
using cert_ptr = std::unique_ptr<X509, frees<X509_free>>;
using context_ptr = std::unique_ptr<SSL_CTX, frees<SSL_CTX_free>>;
using ssl_ptr = std::unique_ptr<SSL, frees<SSL_free>>;

key_ptr make_key() {
  return key_ptr{EVP_EC_gen("P-256")};
}

/// A certificate that signs itself, for these names, valid from an hour ago for so long.
cert_ptr make_certificate(EVP_PKEY* key, const char* names, long seconds_left) {
  cert_ptr cert{X509_new()};
  X509_set_version(cert.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(cert.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(cert.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(cert.get()), seconds_left);
  X509_set_pubkey(cert.get(), key);
  auto* const subject = X509_get_subject_name(cert.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("test"), -1,
                             -1, 0);
  X509_set_issuer_name(cert.get(), subject);
  auto* const alternatives = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names);
  X509_add_ext(cert.get(), alternatives, -1);
  X509_EXTENSION_free(alternatives);
  X509_sign(cert.get(), key, EVP_sha256());
  return cert;
}

/// A TLS server that answers each request with "tls" and remembers the names it was asked for.
class tls_server {
public:
  explicit tls_server(const char* names, long seconds_left = 3600)
      : key_{make_key()}, cert_{make_certificate(key_.get(), names, seconds_left)},
        context_{SSL_CTX_new(TLS_server_method())} {
    SSL_CTX_use_certificate(context_.get(), cert_.get());
    SSL_CTX_use_PrivateKey(context_.get(), key_.get());
    acceptor_ = std::make_unique<raw_server>([this](raw_connection& c, int) { serve(c); });
  }
  [[nodiscard]] std::uint16_t port() const { return acceptor_->port(); }
  [[nodiscard]] int connections() const { return acceptor_->connections(); }
  [[nodiscard]] std::string asked_name() {
    const std::lock_guard hold{lock_};
    return name_;
  }
  void write_certificate(const std::string& path) const {
    std::FILE* file = std::fopen(path.c_str(), "w");
    ASSERT_NE(file, nullptr);
    PEM_write_X509(file, cert_.get());
    std::fclose(file);
  }

private:
  void serve(raw_connection& c) {
    const ssl_ptr ssl{SSL_new(context_.get())};
    SSL_set_fd(ssl.get(), c.descriptor());
    if (SSL_accept(ssl.get()) != 1) return;
    if (const char* name = SSL_get_servername(ssl.get(), TLSEXT_NAMETYPE_host_name)) {
      const std::lock_guard hold{lock_};
      name_ = name;
    }
    std::string head;
    char byte = 0;
    // Requests of these tests have a body of one byte.
    while (SSL_read(ssl.get(), &byte, 1) == 1) {
      head += byte;
      if (!head.ends_with("\r\n\r\n")) continue;
      if (SSL_read(ssl.get(), &byte, 1) != 1) return;
      head.clear();
      static constexpr std::string_view ok = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntls";
      if (SSL_write(ssl.get(), ok.data(), static_cast<int>(ok.size())) <= 0) return;
    }
  }

  key_ptr key_;
  cert_ptr cert_;
  context_ptr context_;
  std::mutex lock_;
  std::string name_;
  std::unique_ptr<raw_server> acceptor_;
};

struct HttpClientTls : ::testing::Test {
  void SetUp() override {
    ::signal(SIGPIPE, SIG_IGN); // the server of these tests writes through OpenSSL
    char path[] = "/tmp/troupe-test-XXXXXX";
    ASSERT_NE(::mkdtemp(path), nullptr);
    folder = path;
    ::setenv("SSL_CERT_FILE", (folder + "/trusted.pem").c_str(), 1);
    ::setenv("SSL_CERT_DIR", folder.c_str(), 1);
  }
  void TearDown() override {
    ::unsetenv("SSL_CERT_FILE");
    ::unsetenv("SSL_CERT_DIR");
    std::filesystem::remove_all(folder);
  }
  void trust(const tls_server& server) const { server.write_certificate(folder + "/trusted.pem"); }
  static call to(const tls_server& server, const std::string& host) {
    auto c = to_port(server.port());
    c.to.tls = true;
    c.to.host = host;
    return c;
  }
  static void expect_refused(const outcome& got, const std::string& why) {
    ASSERT_EQ(brief(got), broken(failure::no_connection));
    const auto& detail = std::get<broken_call>(got).detail;
    EXPECT_NE(detail.find(why), std::string::npos) << detail;
  }
  std::string folder;
};

TEST_F(HttpClientTls, a_trusted_certificate_for_the_name_is_accepted_and_the_connection_kept) {
  tls_server server{"DNS:localhost,IP:127.0.0.1"};
  trust(server);
  client http;
  for (int i = 0; i < 10; ++i)
    ASSERT_EQ(brief(post(http, to(server, "localhost"))), "200 tls");
  EXPECT_EQ(server.connections(), 1);
  EXPECT_EQ(server.asked_name(), "localhost");
  EXPECT_EQ(brief(post(http, to(server, "127.0.0.1"))), "200 tls");
}

TEST_F(HttpClientTls, an_unknown_issuer_is_refused) {
  tls_server server{"DNS:localhost"}, other{"DNS:localhost"};
  trust(other);
  client http;
  expect_refused(post(http, to(server, "localhost")), "self");
}

TEST_F(HttpClientTls, a_certificate_for_another_name_or_address_is_refused) {
  tls_server server{"DNS:elsewhere,IP:127.0.0.2"};
  trust(server);
  client http;
  expect_refused(post(http, to(server, "localhost")), "ostname mismatch");
  expect_refused(post(http, to(server, "127.0.0.1")), "IP address mismatch");
}

TEST_F(HttpClientTls, an_expired_certificate_is_refused) {
  tls_server server{"DNS:localhost", -60};
  trust(server);
  client http;
  expect_refused(post(http, to(server, "localhost")), "expired");
}

TEST_F(HttpClientTls, a_server_that_speaks_no_tls_is_no_connection) {
  raw_server plain{[](raw_connection& c, int) {
    c.send("HTTP/1.1 400 Bad Request\r\n\r\n");
    (void)c.ended();
  }};
  client http;
  auto c = to_port(plain.port());
  c.to.tls = true;
  EXPECT_EQ(brief(post(http, c)), broken(failure::no_connection));
  raw_server silent{[](raw_connection& one, int) { EXPECT_TRUE(one.ended()); }};
  c.to.port = std::to_string(silent.port());
  EXPECT_EQ(brief(post(http, c, 100ms)), broken(failure::no_connection)) << "nothing was sent yet";
}

} // namespace
} // namespace troupe::http

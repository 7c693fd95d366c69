#include "engine/redis/client.hpp"
#include "tests/support/redis_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>

namespace troupe::redis {

namespace {

using namespace std::chrono_literals;
using support::redis_server;
using testing::HasSubstr;

class RedisTls : public testing::Test {
protected:
  void SetUp() override {
    auto pattern = (std::filesystem::temp_directory_path() / "troupe-tls-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    ASSERT_EQ(run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
                  "-subj /CN=test-ca -keyout ca.key -out ca.pem"),
              0);
  }
  void TearDown() override {
    ::unsetenv("SSL_CERT_FILE");
    std::filesystem::remove_all(folder_);
  }

  int run(const std::string& what) const {
    return std::system(("cd " + folder_.string() + " && " + what + " >log 2>&1").c_str());
  }
  void certificate(const std::string& names) {
    ASSERT_EQ(
        run("openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=redis "
            "-keyout server.key -out server.csr && printf 'subjectAltName=" +
            names +
            "' >names && openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 "
            "-extfile names -out server.pem"),
        0);
  }
  void start() {
    port_ = support::free_port();
    const auto file = [this](const char* name) { return (folder_ / name).string(); };
    server_ = std::make_unique<redis_server>(std::vector<std::string>{
        "--tls-port", std::to_string(port_), "--tls-cert-file", file("server.pem"), "--tls-key-file",
        file("server.key"), "--tls-ca-cert-file", file("ca.pem"), "--tls-auth-clients", "no"});
  }
  [[nodiscard]] std::shared_ptr<client> to(const std::string& host, milliseconds timeout = 20s) const {
    return client::open(*parse_url("rediss://" + host + ":" + std::to_string(port_)), timeout);
  }
  void trust() const { ::setenv("SSL_CERT_FILE", (folder_ / "ca.pem").c_str(), 1); }

  std::filesystem::path folder_;
  std::unique_ptr<redis_server> server_;
  std::uint16_t port_ = 0;
};

} // namespace

TEST_F(RedisTls, talks_to_a_server_whose_certificate_names_it) {
  certificate("DNS:localhost,IP:127.0.0.1");
  start();
  trust();
  const std::string big(std::size_t{8} << 20, 'x');
  for (const auto* host : {"localhost", "127.0.0.1"}) {
    const auto c = to(host);
    const auto r = c->call({{"SET", "k", big}, {"GET", "k"}, {"GET", "k"}});
    ASSERT_TRUE(r.ok()) << r.failure().detail;
    EXPECT_EQ((*r)[2].text, big);
    EXPECT_TRUE(c->call({{"PING"}}).ok());
  }
}

TEST_F(RedisTls, refuses_a_certificate_for_another_name) {
  certificate("DNS:elsewhere.example,IP:127.0.0.9");
  start();
  trust();
  for (const auto* host : {"localhost", "127.0.0.1"}) {
    const auto r = to(host)->call({{"SET", "k", "v"}});
    ASSERT_FALSE(r.ok());
    EXPECT_EQ(r.failure().code, errc::unavailable);
    EXPECT_THAT(r.failure().detail, HasSubstr("mismatch"));
  }
}

TEST_F(RedisTls, refuses_a_certificate_of_an_unknown_authority) {
  certificate("DNS:localhost,IP:127.0.0.1");
  start();
  const auto r = to("127.0.0.1")->call({{"SET", "k", "v"}});
  ASSERT_FALSE(r.ok());
  EXPECT_EQ(r.failure().code, errc::unavailable);
  EXPECT_THAT(r.failure().detail, HasSubstr("SSL_CERT_FILE"));
}

TEST_F(RedisTls, survives_a_cut_connection_a_frozen_and_a_killed_server) {
  certificate("IP:127.0.0.1");
  start();
  trust();
  const auto c = to("127.0.0.1", 500ms);
  const auto id = c->call({{"CLIENT", "ID"}});
  ASSERT_TRUE(id.ok()) << id.failure().detail;
  ASSERT_EQ(server_->raw({"CLIENT", "KILL", "ID", std::to_string((*id)[0].integer)}), ":1\r\n");
  ASSERT_TRUE(c->call({{"PING"}}).ok());
  server_->freeze();
  const auto frozen = c->call({{"PING"}});
  ASSERT_FALSE(frozen.ok());
  EXPECT_EQ(frozen.failure().code, errc::timeout);
  server_->kill();
  EXPECT_FALSE(c->call({{"SET", "k", std::string(1 << 20, 'x')}}).ok());
}

TEST_F(RedisTls, says_so_where_the_port_speaks_no_tls) {
  certificate("IP:127.0.0.1");
  start();
  trust();
  port_ = server_->port();
  const auto r = to("127.0.0.1", 2s)->call({{"PING"}});
  ASSERT_FALSE(r.ok());
  EXPECT_EQ(r.failure().code, errc::unavailable);
  EXPECT_THAT(r.failure().detail, HasSubstr("TLS"));
}

} // namespace troupe::redis

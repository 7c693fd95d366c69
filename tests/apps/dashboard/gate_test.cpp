#include "apps/dashboard/gate.hpp"

#include "apps/dashboard/answers.hpp"
#include "apps/dashboard/passwords.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <future>

namespace troupe::dashboard {
namespace {

using nlohmann::json;
using testing::HasSubstr;

/// A gate with an endpoint to look at and one to act by.
struct DashboardGate : testing::Test {
  void open(const std::string& listen, bool asks_who = false) {
    config::settings s;
    s.dashboard.listen = listen;
    s.dashboard.asks_who = asks_who;
    if (asks_who) {
      s.dashboard.operators["alice"] = *hash_password("open");
      s.dashboard.viewers["bob"] = *hash_password("look");
    }
    config.emplace(s);
    keeper.emplace(*config, "local");
    auto table = keeper->endpoints();
    const auto tells = [](const http::request&, const visitor& who, http::reply to) {
      to({.body = who.user + (who.reads_payloads ? " reads" : "")});
    };
    table.push_back({"GET", "/api/v1/look", false, tells});
    table.push_back({"POST", "/api/v1/act", true, tells});
    table.push_back({"GET", "/api/v1/things/*", false, tells});
    way.emplace(*keeper, std::move(table));
  }

  http::request get(const std::string& path) const {
    return {.method = "GET",
            .path = path,
            .query = {},
            .body = {},
            .peer = "127.0.0.1",
            .headers = {{"Host", "127.0.0.1:8088"}, {"Cookie", cookie}}};
  }
  http::request post(const std::string& path, const json& body = json::object()) const {
    auto r = get(path);
    r.method = "POST";
    r.body = body.dump();
    r.headers.insert(
        r.headers.end(),
        {{"Origin", "http://127.0.0.1:8088"}, {"Content-Type", "application/json"}, {"X-Troupe-CSRF", csrf}});
    return r;
  }
  http::response ask(const http::request& asked) {
    std::promise<http::response> answer;
    auto later = answer.get_future();
    way->answer(asked, http::reply{[&](http::response r) { answer.set_value(std::move(r)); }});
    return later.get();
  }
  /// Takes the token, as a page does.
  void begin() { csrf = json::parse(ask(get("/api/v1/session")).body)["csrf"]; }
  int log_in(const std::string& user, const std::string& password) {
    cookie.clear();
    const auto r = ask(post("/api/v1/login", {{"user", user}, {"password", password}}));
    for (const auto& [name, value] : r.headers)
      if (name == "Set-Cookie") cookie = value.substr(0, value.find(';'));
    if (r.status == 200) csrf = json::parse(r.body)["csrf"];
    return r.status;
  }
  static http::request without(http::request r, const std::string& header) {
    std::erase_if(r.headers, [&](const auto& h) { return h.first == header; });
    return r;
  }
  static http::request with(http::request r, const std::string& header, const std::string& value) {
    r = without(std::move(r), header);
    r.headers.emplace_back(header, value);
    return r;
  }

  std::string cookie, csrf;
  std::optional<present_config> config;
  std::optional<doorkeeper> keeper;
  std::optional<gate> way;
};

TEST_F(DashboardGate, on_loopback_the_local_user_looks_and_acts) {
  open("127.0.0.1:8088");
  begin();
  EXPECT_EQ(ask(get("/api/v1/look")).body, "local reads");
  EXPECT_EQ(ask(post("/api/v1/act")).body, "local reads");
  const auto session = json::parse(ask(get("/api/v1/session")).body);
  EXPECT_EQ(session["role"], "operator");
  EXPECT_EQ(session["login"], false);
}

TEST_F(DashboardGate, who_comes_by_a_proxy_only_looks) {
  open("127.0.0.1:8088");
  begin();
  EXPECT_EQ(ask(with(get("/api/v1/look"), "X-Forwarded-For", "10.0.0.1")).body, "anybody");
  EXPECT_EQ(ask(with(post("/api/v1/act"), "Forwarded", "for=10.0.0.1")).status, 403);
}

TEST_F(DashboardGate, an_action_needs_token_origin_and_type) {
  open("127.0.0.1:8088");
  begin();
  EXPECT_EQ(ask(without(post("/api/v1/act"), "X-Troupe-CSRF")).status, 403);
  EXPECT_EQ(ask(with(post("/api/v1/act"), "X-Troupe-CSRF", "guess")).status, 403);
  EXPECT_EQ(ask(without(post("/api/v1/act"), "Origin")).status, 403);
  EXPECT_EQ(ask(with(post("/api/v1/act"), "Origin", "http://evil.example")).status, 403);
  EXPECT_EQ(ask(with(post("/api/v1/act"), "Origin", "http://127.0.0.1:3000")).status, 403);
  EXPECT_EQ(ask(with(post("/api/v1/act"), "Origin", "null")).status, 403);
  EXPECT_EQ(ask(with(post("/api/v1/act"), "Content-Type", "text/plain")).status, 415);
  EXPECT_EQ(ask(post("/api/v1/act")).status, 200);
}

TEST_F(DashboardGate, another_name_of_the_host_is_misdirected_whatever_is_asked) {
  open("127.0.0.1:8088");
  begin();
  for (const auto* path : {"/", "/assets/index.html", "/api/v1/look", "/api/v1/session", "/nothing"})
    EXPECT_EQ(ask(with(get(path), "Host", "evil.example")).status, 421) << path;
  EXPECT_EQ(ask(with(post("/api/v1/act"), "Host", "evil.example")).status, 421);
}

TEST_F(DashboardGate, elsewhere_nobody_acts) {
  open("0.0.0.0:8088");
  begin();
  EXPECT_EQ(ask(get("/api/v1/look")).body, "anybody");
  EXPECT_EQ(ask(post("/api/v1/act")).status, 403);
  const auto session = json::parse(ask(get("/api/v1/session")).body);
  EXPECT_EQ(session["actions"], false);
  EXPECT_EQ(session["payloads"], false);
  EXPECT_TRUE(session.contains("banner"));
}

TEST_F(DashboardGate, with_a_login_nobody_gets_anything_before_it) {
  open("0.0.0.0:8088", true);
  EXPECT_EQ(ask(get("/")).status, 200) << "the page where one logs in";
  const auto no = ask(get("/api/v1/session"));
  EXPECT_EQ(no.status, 401);
  EXPECT_EQ(json::parse(no.body)["login"], true);
  EXPECT_EQ(ask(get("/api/v1/look")).status, 401);
  EXPECT_EQ(ask(get("/api/v1")).status, 401);
  EXPECT_EQ(ask(post("/api/v1/act")).status, 401);
  cookie = "troupe_session=guess";
  EXPECT_EQ(ask(get("/api/v1/look")).status, 401);
}

TEST_F(DashboardGate, a_viewer_looks_and_an_operator_acts) {
  open("0.0.0.0:8088", true);
  EXPECT_EQ(log_in("bob", "open"), 401);
  EXPECT_EQ(log_in("nobody", "open"), 401);
  ASSERT_EQ(log_in("bob", "look"), 200);
  EXPECT_EQ(ask(get("/api/v1/look")).body, "bob reads");
  EXPECT_EQ(ask(post("/api/v1/act")).status, 403);
  const auto bobs = cookie;
  ASSERT_EQ(log_in("alice", "open"), 200);
  EXPECT_EQ(ask(post("/api/v1/act")).body, "alice reads");
  EXPECT_EQ(ask(with(post("/api/v1/act"), "Cookie", bobs)).status, 403) << "another's token does not fit";
  EXPECT_EQ(ask(post("/api/v1/logout")).status, 204);
  EXPECT_EQ(ask(get("/api/v1/look")).status, 401);
}

TEST_F(DashboardGate, a_cookie_is_for_this_site_and_no_script) {
  open("0.0.0.0:8088", true);
  const auto cookie_of = [](const http::response& r) {
    for (const auto& [name, value] : r.headers)
      if (name == "Set-Cookie") return value;
    return std::string{};
  };
  const auto asked = post("/api/v1/login", {{"user", "bob"}, {"password", "look"}});
  EXPECT_THAT(cookie_of(ask(asked)), testing::EndsWith("; HttpOnly; SameSite=Strict; Path=/"));
  EXPECT_THAT(cookie_of(ask(with(asked, "X-Forwarded-Proto", "https"))), HasSubstr("; Secure"));
}

TEST_F(DashboardGate, who_guesses_passwords_has_to_wait) {
  open("0.0.0.0:8088", true);
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(log_in("bob", "guess"), 401);
  EXPECT_EQ(log_in("bob", "look"), 429);
}

TEST_F(DashboardGate, every_answer_says_that_only_our_own_scripts_run) {
  open("127.0.0.1:8088", true);
  for (const auto& r : {ask(get("/")), ask(get("/api/v1/look")), ask(get("/nothing")),
                        ask(post("/api/v1/act")), ask(with(get("/"), "Host", "evil.example"))}) {
    std::string policy, sniff, cache;
    for (const auto& [name, value] : r.headers) {
      if (name == "Content-Security-Policy") policy = value;
      if (name == "X-Content-Type-Options") sniff = value;
      if (name == "Cache-Control") cache = value;
    }
    EXPECT_THAT(policy, testing::StartsWith("default-src 'none'; script-src 'self';"));
    EXPECT_EQ(sniff, "nosniff");
    EXPECT_FALSE(cache.empty());
  }
}

TEST_F(DashboardGate, knows_its_places_and_their_methods) {
  open("127.0.0.1:8088");
  begin();
  EXPECT_EQ(ask(get("/api/v1/things/a/b")).status, 200);
  EXPECT_EQ(ask(get("/api/v1/things/")).status, 404);
  EXPECT_EQ(ask(get("/api/v1/nothing")).status, 404);
  EXPECT_EQ(ask(get("/api/v1/act")).status, 405);
  EXPECT_EQ(ask(post("/")).status, 404);
  auto deletes = get("/api/v1/look");
  deletes.method = "DELETE";
  EXPECT_EQ(ask(deletes).status, 405);
  const auto table = json::parse(ask(get("/api/v1")).body)["endpoints"];
  EXPECT_EQ(table.size(), 7U);
}

TEST_F(DashboardGate, pages_are_one_file_and_files_are_told_apart_by_their_tag) {
  open("127.0.0.1:8088");
  for (const auto* path :
       {"/", "/actors/inventory", "/dlq", "/dlq/order.placed.dlq", "/panels/live", "/audit", "/login"}) {
    const auto page = ask(get(path));
    EXPECT_EQ(page.status, 200) << path;
    EXPECT_EQ(page.content_type, "text/html; charset=utf-8");
  }
  const auto plain = ask(get("/assets/index.html"));
  const auto zipped = ask(with(get("/assets/index.html"), "Accept-Encoding", "gzip, br"));
  EXPECT_LT(zipped.body.size(), plain.body.size());
  const auto tag = [](const http::response& r) {
    for (const auto& [name, value] : r.headers)
      if (name == "ETag") return value;
    return std::string{};
  };
  EXPECT_NE(tag(plain), tag(zipped));
  EXPECT_EQ(ask(with(get("/assets/index.html"), "If-None-Match", tag(plain))).status, 304);
  EXPECT_EQ(ask(get("/assets/../CMakeLists.txt")).status, 404);
  EXPECT_EQ(ask(get("/assets/")).status, 404);
}

} // namespace
} // namespace troupe::dashboard

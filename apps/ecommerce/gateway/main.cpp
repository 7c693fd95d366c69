// A payment gateway that can be told to misbehave: a process and a ledger of its own, as the real one would
// be.
//
//   POST /charges            an order; answers its charge, which is made once per order
//   GET  /charges/ORDER_ID   404, or the charge
//   GET  /ledger             {"charges", "repeats", "amount_cents"}
//   PUT  /behaviour          {"fail", "lose", "decline": ratios, "delay_ms": number, "out": true or false}
//   GET  /behaviour          the same

#include "apps/ecommerce/gateway/ledger.hpp"
#include "engine/handler/executor.hpp"
#include "engine/http/server.hpp"

#include <CLI/CLI.hpp>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <thread>

namespace gateway {
namespace {

constexpr std::size_t calls_at_a_time = 256;

/// What a gateway does on a bad day. All of it is off unless told.
struct behaviour {
  double fail = 0;    ///< share of calls answered 500, nothing charged
  double lose = 0;    ///< share of calls charged and answered 500 all the same
  double decline = 0; ///< share of orders answered 402, each of them always
  int delay_ms = 0;   ///< before anything happens
  bool out = false;   ///< 503 to everybody
};

double chance() {
  thread_local std::mt19937_64 dice{std::random_device{}()};
  return std::uniform_real_distribution<double>{}(dice);
}

/// The same for the same order: who is declined stays declined.
double share_of(const std::string& order_id) {
  return static_cast<double>(std::hash<std::string>{}(order_id) >> 11) * 0x1.0p-53;
}

troupe::http::response answer(int status, const json& body) {
  return {.status = status, .content_type = "application/json", .body = body.dump()};
}

troupe::http::response problem(int status, const std::string& detail) {
  return {.status = status,
          .content_type = "application/problem+json",
          .body = json{{"status", status}, {"detail", detail}}.dump()};
}

class service {
public:
  explicit service(ledger& books) : books_{books} {}

  void operator()(troupe::http::request q, troupe::http::reply reply) {
    if (q.method != "POST" || q.path != "/charges") return reply(look(q));
    const auto today = now();
    auto to = std::make_shared<troupe::http::reply>(std::move(reply));
    threads_.run([this, today, to, body = std::move(q.body)] {
      std::this_thread::sleep_for(std::chrono::milliseconds{today.delay_ms});
      (*to)(charge(body, today));
    });
  }

private:
  behaviour now() const {
    const std::lock_guard hold{lock_};
    return behaviour_;
  }

  troupe::http::response charge(const std::string& body, const behaviour& today) {
    if (today.out) {
      auto closed = problem(503, "the gateway is out of order");
      closed.headers.emplace_back("Retry-After", "1");
      return closed;
    }
    if (chance() < today.fail) return problem(500, "the gateway failed; nothing was charged");
    const auto order = nlohmann::json::parse(body, nullptr, false);
    if (!order.is_object() || !order.contains("order_id") || !order["order_id"].is_string() ||
        !order.contains("total") || !order["total"].is_number())
      return problem(400, "a charge needs an order_id and a total");
    const auto id = order["order_id"].get<std::string>();
    if (share_of(id) < today.decline) return problem(402, "the card was declined");
    const auto customer = order.contains("customer_id") && order["customer_id"].is_string()
                              ? order["customer_id"].get<std::string>()
                              : std::string{};
    const auto made = books_.charge(id, customer, order["total"].get<double>());
    if (!made) return problem(503, made.failure().detail);
    if (chance() < today.lose) return problem(500, "the answer was lost after the charge");
    return answer(200, *made);
  }

  troupe::http::response look(const troupe::http::request& q) {
    constexpr std::string_view one = "/charges/";
    if (q.path == "/behaviour" && q.method == "PUT") return change(q.body);
    if (q.method != "GET") return problem(405, "this is no way to ask here");
    if (q.path == "/behaviour") return answer(200, shown());
    if (q.path == "/ledger") {
      const auto sums = books_.total();
      return answer(
          200, {{"charges", sums.charges}, {"repeats", sums.repeats}, {"amount_cents", sums.amount_cents}});
    }
    if (q.path.starts_with(one))
      if (const auto found = books_.find(q.path.substr(one.size())); !found.is_null())
        return answer(200, found);
    return problem(404, "there is nothing here");
  }

  troupe::http::response change(const std::string& body) {
    const auto wanted = nlohmann::json::parse(body, nullptr, false);
    if (!wanted.is_object()) return problem(400, "a behaviour is a JSON object");
    auto next = now();
    for (const auto& [key, value] : wanted.items()) {
      const bool ratio = value.is_number() && value >= 0 && value <= 1;
      if (key == "fail" && ratio)
        next.fail = value;
      else if (key == "lose" && ratio)
        next.lose = value;
      else if (key == "decline" && ratio)
        next.decline = value;
      else if (key == "delay_ms" && value.is_number_unsigned() && value <= 600'000)
        next.delay_ms = value;
      else if (key == "out" && value.is_boolean())
        next.out = value;
      else
        return problem(400, key + " must be a ratio (fail, lose, decline), milliseconds up to 600000 "
                                  "(delay_ms), or true or false (out)");
    }
    {
      const std::lock_guard hold{lock_};
      behaviour_ = next;
    }
    return answer(200, shown());
  }

  json shown() const {
    const auto b = now();
    return {
        {"fail", b.fail}, {"lose", b.lose}, {"decline", b.decline}, {"delay_ms", b.delay_ms}, {"out", b.out}};
  }

  ledger& books_;
  mutable std::mutex lock_;
  behaviour behaviour_;
  troupe::executor threads_{calls_at_a_time};
};

} // namespace
} // namespace gateway

int main(int argc, char** argv) {
  CLI::App app{"A simulated payment gateway: charges each order once, fails on request.", "payment_gateway"};
  std::string listen = "127.0.0.1:8090", file = "charges.jsonl";
  app.add_option("--listen", listen, "host:port")->capture_default_str();
  app.add_option("--ledger", file, "Where the charges are kept, a line of JSON each")->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  // Before any thread: all of them leave the signals to sigwait.
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGINT);
  sigaddset(&ends, SIGTERM);
  sigprocmask(SIG_BLOCK, &ends, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  const auto books = gateway::ledger::open(file);
  if (!books) {
    std::fprintf(stderr, "payment_gateway: %s\n", books.failure().detail.c_str());
    return 1;
  }
  gateway::service service{**books};
  troupe::http::server_options options;
  options.connections = 1024;
  const auto server =
      troupe::http::server::start(listen, options, [&](troupe::http::request q, troupe::http::reply r) {
        service(std::move(q), std::move(r));
      });
  if (!server) {
    std::fprintf(stderr, "payment_gateway: %s\n", server.failure().detail.c_str());
    return 1;
  }
  std::fprintf(stderr, "payment_gateway: listens on port %u, keeps its charges in %s\n",
               static_cast<unsigned>((*server)->port()), file.c_str());
  int which = 0;
  sigwait(&ends, &which);
  // Calls that wait out their delay are not waited for: a charge is on the disk, or it was not made.
  std::_Exit(0);
}

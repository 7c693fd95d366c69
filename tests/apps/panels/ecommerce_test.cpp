#include "apps/ecommerce/panel.hpp"

#include "apps/ecommerce/ecommerce.hpp"
#include "engine/core/time.hpp"
#include "engine/handler/handler.hpp"
#include "tests/apps/panels/fixture.hpp"

namespace ecommerce {

using nlohmann::json;
using troupe::dashboard::noon;

class OrdersPanelTest : public troupe::dashboard::PanelTest {
protected:
  void SetUp() override {
    run_by("ecommerce.record_revenue");
    run_by("ecommerce.note_progress", around->settings);
    around->redis = client;
    add_handlers(known);
  }
  /// Has an event handled by the actor that follows orders, or by another.
  void handle(const std::string& topic, const std::string& value, std::vector<troupe::header> headers = {},
              std::int64_t at = troupe::wall_ms(), const std::string& by = "ecommerce.note_progress") {
    troupe::record event;
    event.topic = std::make_shared<const std::string>(topic);
    event.partition = 1;
    event.offset = 17;
    event.timestamp_ms = at;
    event.value = value;
    event.headers = std::move(headers);
    troupe::context context{around, 1, std::chrono::steady_clock::now() + std::chrono::seconds{20}, nullptr};
    const auto& handler = std::get<troupe::blocking_handler>(*known.find(by));
    EXPECT_EQ(handler(event, context).kind, troupe::verdict::success);
  }
  void count(const std::string& id, const std::string& created_at) {
    handle("order.placed", order(id, created_at), {}, noon, "ecommerce.record_revenue");
  }
  static std::string order(const std::string& id,
                           const std::string& created_at = "2026-01-31T11:58:30.000Z") {
    return json{{"order_id", id},
                {"customer_id", "c"},
                {"items", {{{"product_id", "SKU-1"}, {"quantity", 1}, {"price", 10.5}}}},
                {"total", 10.5},
                {"created_at", created_at}}
        .dump();
  }
  static std::string done(const std::string& id) { return json{{"order_id", id}}.dump(); }
  static std::vector<troupe::header> death(const std::string& actor) {
    return {{"error-class", "out_of_stock"}, {"actor", actor}};
  }
  json row(const json& shown, const std::string& id) {
    for (const auto& r : rows_of(shown, "Latest orders"))
      if (r[0] == id) return r;
    return {};
  }

  troupe::handlers known;
  std::shared_ptr<troupe::surroundings> around = [] {
    auto s = std::make_shared<troupe::surroundings>();
    s->settings = {
        {"inventory", "inventory.reserved"}, {"payment", "payment.captured"}, {"email", "email.sent"}};
    return s;
  }();
};

TEST_F(OrdersPanelTest, shows_how_far_each_order_has_come) {
  const auto at = troupe::wall_ms();
  handle("order.placed", order("o-1"), {}, at);
  handle("inventory.reserved", done("o-1"));
  handle("order.placed.payment.dlq", order("o-1"), death("payment"));
  redis({"SADD", "orders:2026-01-31T11:58:seen", "o-1"});
  const auto shown = row(read(orders_panel()), "o-1");
  ASSERT_EQ(shown.size(), 7U);
  EXPECT_EQ(shown[1], at);
  EXPECT_EQ(shown[2], 1050);
  EXPECT_EQ(shown[3], "ok");
  EXPECT_EQ(shown[4],
            json::parse(R"({"state": "fail", "href": "/dlq/order.placed.payment.dlq?letter=1/17"})"));
  EXPECT_EQ(shown[5], "wait");
  EXPECT_EQ(shown[6], "ok");
}

TEST_F(OrdersPanelTest, a_step_that_is_done_stays_done_whatever_comes_again) {
  handle("payment.captured", done("o-1")); // before the order itself
  handle("order.placed", order("o-1"));
  handle("order.placed.payment.dlq", order("o-1"), death("payment"));
  handle("order.placed", order("o-1"));
  EXPECT_EQ(row(read(orders_panel()), "o-1")[4], "ok");
  handle("order.placed.inventory.dlq", order("o-1"), death("inventory"));
  handle("inventory.reserved", done("o-1")); // after a replay
  EXPECT_EQ(row(read(orders_panel()), "o-1")[3], "ok");
}

TEST_F(OrdersPanelTest, keeps_the_latest_and_forgets_the_others) {
  const auto now = troupe::wall_ms();
  for (int n = 0; n < 520; ++n)
    handle("order.placed", order("o-" + std::to_string(n)), {}, now - 1000 + n);
  handle("order.placed", order("o-1"), {}, now - 999); // comes again
  EXPECT_EQ(server.raw({"ZCARD", "latest-orders"}), ":500\r\n");
  EXPECT_EQ(server.raw({"EXISTS", "order:o-1"}), ":0\r\n");
  EXPECT_EQ(server.raw({"EXISTS", "order:o-519"}), ":1\r\n");
  handle("email.sent", done("o-1"));
  EXPECT_EQ(server.raw({"EXISTS", "order:o-1"}), ":1\r\n");
  const auto left = client->ask({"TTL", "order:o-1"});
  ASSERT_TRUE(left);
  EXPECT_LE(left->integer, 600);
  EXPECT_EQ(rows_of(read(orders_panel()), "Latest orders")[0][0], "o-519");
}

TEST_F(OrdersPanelTest, what_is_older_than_a_day_or_no_order_changes_nothing) {
  handle("order.placed", order("old"), {}, troupe::wall_ms() - 86'500'000);
  handle("order.placed", "no JSON");
  handle("order.placed.inventory.dlq", "no JSON", death("inventory"));
  EXPECT_EQ(server.raw({"DBSIZE"}), ":0\r\n");
  EXPECT_TRUE(rows_of(read(orders_panel()), "Latest orders").empty());
}

TEST_F(OrdersPanelTest, sums_the_last_hour_of_whole_minutes) {
  redis({"HSET", "orders:2026-01-31T11:59", "orders", "3", "revenue_cents", "1250"});
  redis({"HSET", "orders:2026-01-31T11:00", "orders", "1", "revenue_cents", "50"});
  redis({"HSET", "orders:2026-01-31T10:59", "orders", "9", "revenue_cents", "900"});
  redis({"HSET", "orders:2026-01-31T12:00", "orders", "9", "revenue_cents", "900"});
  const auto shown = read(orders_panel(), noon + 30'000);
  EXPECT_EQ(value_of(shown, "Orders, last whole minute"), 3);
  EXPECT_EQ(value_of(shown, "Orders, last 60 minutes"), 4);
  EXPECT_EQ(value_of(shown, "Revenue, last 60 minutes"), 1300);
  EXPECT_EQ(shown["series"][0]["values"][0], 1);
  EXPECT_EQ(shown["series"][1]["values"][59], 12.5);
}

TEST_F(OrdersPanelTest, a_minute_without_orders_is_0_and_one_before_counting_began_is_not_known) {
  auto shown = read(orders_panel());
  EXPECT_TRUE(value_of(shown, "Orders, last whole minute").is_null());
  EXPECT_TRUE(value_of(shown, "Revenue, last 60 minutes").is_null());
  EXPECT_EQ(shown["series"][0]["values"], json(std::vector<json>(60, nullptr)));

  count("later", "2026-01-31T11:40:10Z");
  count("first", "2026-01-31T11:30:10Z"); // the topics' partitions are read side by side
  count("later", "2026-01-31T11:40:10Z"); // comes again
  shown = read(orders_panel());
  for (const auto& curve : shown["series"]) {
    EXPECT_TRUE(curve["values"][29].is_null()) << curve;
    EXPECT_GT(curve["values"][30], 0) << curve;
    EXPECT_EQ(curve["values"][31], 0) << curve;
    EXPECT_EQ(curve["values"][59], 0) << curve;
  }
  EXPECT_EQ(value_of(shown, "Orders, last whole minute"), 0);
  EXPECT_EQ(value_of(shown, "Orders, last 60 minutes"), 2);
}

} // namespace ecommerce

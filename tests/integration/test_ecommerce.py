"""config/ecommerce.yaml from outside: orders over HTTP; what came of them in topics, Redis, mails and the
gateway's ledger."""

import collections
import email
import http.client
import itertools
import json
import re
import socketserver
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.door import Door
from support.gateway import Gateway
from support.kafka import Event
from support.waiting import eventually, pause, stays

COMPLETIONS = ["inventory.reserved", "payment.captured", "email.sent"]
GROUPS = ["inventory-service", "payment-service", "email-service", "analytics-service"]
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class Shop:
    def __init__(self, kafka, redis, gateway, examples, folder):
        self.kafka, self.redis, self.gateway, self.examples = kafka, redis.client, gateway, examples
        self.door = Door()
        self.maildir = folder / "mail"
        for topic in ["order.placed", *COMPLETIONS]:
            kafka.create_topic(topic, 4)

    def engine(self, overrides=None, **environment):
        return self.examples("ecommerce", overrides={"actors.checkout.ingest.listen": self.door.listen, **(overrides or {})},
                             GATEWAY_URL=self.gateway.url, MAILDIR=str(self.maildir), **environment)

    def order(self, customer="customer-1", items=None, **headers):
        """The id of an accepted order."""
        body = None if items is None else json.dumps({"items": items})
        answer, text = self.door.ask("POST", "/checkout", body, X_Customer_ID=customer, **headers)
        assert answer.status == 202, text
        return json.loads(text)["order_id"]

    def wait_processed(self, within=40):
        for group in GROUPS:
            self.kafka.wait_all_committed(group, "order.placed", within)

    def of(self, topic):
        """What is in a topic: key and value of each event."""
        return [(event.key.decode(), json.loads(event.value)) for event in self.kafka.read(topic)]

    def progress(self, order):
        """How far it has come, by step."""
        seen = self.redis.hgetall(f"order:{order}")
        return {step: seen.get(step) for step in ("inventory", "payment", "email")}

    def mails(self):
        return {path.name: email.message_from_bytes(path.read_bytes()) for path in (self.maildir / "new").glob("*")}

    def revenue(self):
        """Orders and cents over all minutes."""
        sums = [self.redis.hgetall(key) for key in self.redis.keys("orders:*") if not key.endswith(":seen")]
        return sum(int(s["orders"]) for s in sums), sum(int(s["revenue_cents"]) for s in sums)


@pytest.fixture
def gateway(tmp_path):
    service = Gateway(tmp_path / "gateway")
    try:
        yield service.start()
    finally:
        service.stop()


@pytest.fixture
def shop(fresh_kafka, redis_server, gateway, examples, tmp_path):
    return Shop(fresh_kafka, redis_server, gateway, examples, tmp_path)


def item(product="SKU-7", quantity=3, price=10.5, **more):
    return {"product_id": product, "quantity": quantity, "price": price, **more}


def test_an_order_is_answered_and_processed_by_four_services(shop):
    shop.engine().start_and_join()
    sample = shop.order("customer-1")
    larger = shop.order("customer-2", [item(gift=True), item("SKU-001", 1, 29.99), item(quantity=1)])
    shop.wait_processed()
    assert UUID.fullmatch(sample) and UUID.fullmatch(larger)
    placed = {event["order_id"]: (key, event) for key, event in shop.of("order.placed")}
    key, event = placed[sample]
    assert key == "customer-1"
    assert list(event) == ["order_id", "customer_id", "items", "total", "created_at"]
    assert event["customer_id"] == "customer-1" and event["total"] == 59.98
    assert event["items"] == [{"product_id": "SKU-001", "quantity": 2, "price": 29.99}]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", event["created_at"])
    key, event = placed[larger]
    assert event["items"][0] == item(gift=True) and event["total"] == 71.99  # as sent, and summed
    for topic in COMPLETIONS:
        assert sorted(key for key, _ in shop.of(topic)) == sorted([sample, larger])
        assert all(value["order_id"] == key for key, value in shop.of(topic))
    assert shop.redis.hgetall("inventory:stock") == {"SKU-001": "999997", "SKU-7": "999996"}
    assert {c["order_id"]: c["amount"] for c in shop.gateway.charges()} == {sample: 59.98, larger: 71.99}
    mail = shop.mails()[larger]
    assert mail["To"] == "customer-2@example.com" and mail["Message-ID"] == f"<{larger}@shop.example>"
    assert "3 x SKU-7 at 10.50" in mail.get_payload() and "Total 71.99" in mail.get_payload()
    assert len(shop.mails()) == 2
    assert shop.revenue() == (2, 5998 + 7199)
    for order in (sample, larger):
        eventually(lambda order=order: set(shop.progress(order).values()) == {"ok"}, 30, lambda: f"{shop.progress(order)}")
    assert set(shop.redis.zrange("latest-orders", 0, -1)) == {sample, larger}


@pytest.mark.parametrize("body, named", [
    ('{"items": {}}', "/items"), ("{}", "/items"), ('{"items": []}', "items"), ('{"items": [7]}', "items[0]"),
    (json.dumps({"items": [item(), item(quantity=0)]}), "items[1]: quantity"),
    (json.dumps({"items": [item(quantity=1.5)]}), "quantity"), (json.dumps({"items": [item(price="9")]}), "price"),
    (json.dumps({"items": [item(price=-1)]}), "price"), (json.dumps({"items": [item(price=999_999_999)] * 2}), "1e9"), (json.dumps({"items": [item(product="")]}), "product_id"),
    ('{"items": [', "JSON"), ("[]", "object"),
])
def test_what_is_no_order_is_refused_by_name(shop_door, body, named):
    answer, text = shop_door.ask("POST", "/checkout", body, X_Customer_ID="c")
    assert answer.status == 400, text
    assert named in json.loads(text)["detail"]


def test_a_customer_must_be_named(shop_door):
    for body in (None, json.dumps({"items": [item()]})):
        for headers in ({}, {"X_Customer_ID": b"J\xfcrgen"}):
            answer, text = shop_door.ask("POST", "/checkout", body, **headers)
            assert answer.status == 400 and "X-Customer-ID" in json.loads(text)["detail"]


@pytest.fixture(scope="module")
def shop_door(kafka, tmp_path_factory):
    """A checkout alone, for requests that never become orders."""
    from support.example import Examples
    door, folder = Door(), tmp_path_factory.mktemp("checkout")
    nowhere = type("NoRedis", (), {"url": "redis://127.0.0.1:1/0"})
    engine = Examples(folder, kafka, nowhere)("ecommerce", overrides={"actors.checkout.ingest.listen": door.listen})
    engine.start()

    def accepts():
        try:
            return door.ask("GET", "/")
        except OSError:
            return False
    try:
        eventually(accepts, 30, "the checkout listens")
        yield door
    finally:
        engine.kill()


def test_what_cannot_be_reserved_or_paid_ends_in_its_own_dlq_and_the_others_go_on(shop):
    shop.gateway.behave(decline=0.5)
    shop.engine(OPENING_STOCK="10").start_and_join()
    orders = [shop.order(f"customer-{n}", [item(quantity=2)]) for n in range(12)]
    shop.wait_processed()
    short = shop.kafka.read("order.placed.inventory.dlq")
    assert len(short) == 7  # ten pieces are five orders
    assert all(letter.header("error-class") == "out_of_stock" and "SKU-7" in letter.header("error") for letter in short)
    assert shop.redis.hget("inventory:stock", "SKU-7") == "0"
    for letter in short:
        order, place = json.loads(letter.value)["order_id"], f"order.placed.inventory.dlq/{letter.partition}/{letter.offset}"
        eventually(lambda order=order, place=place: shop.progress(order)["inventory"] == place, 30,
                   lambda: f"{shop.progress(order)} leads to {place}")
    declined = {json.loads(letter.value)["order_id"] for letter in shop.kafka.read("order.placed.payment.dlq")}
    assert 0 < len(declined) < 12
    assert {c["order_id"] for c in shop.gateway.charges()} == set(orders) - declined
    assert {key for key, _ in shop.of("payment.captured")} == set(orders) - declined
    assert set(shop.mails()) == set(orders) and shop.revenue()[0] == 12


def test_what_is_no_order_event_ends_in_every_services_dlq(shop):
    shop.engine().start_and_join()
    bad = [b"", b"no json", b"[]", b'{"order_id":7}', json.dumps({"order_id": "o", "customer_id": "c", "created_at": "x",
           "items": [item()], "total": 1}).encode()]
    shop.kafka.produce("order.placed", [Event(b"k", value) for value in bad])
    nested = {**json.loads(bad[-1]), "items": "deep"}
    deep = json.dumps(nested).replace('"deep"', "[" * 400_000 + "]" * 400_000).encode()
    shop.kafka.produce("order.placed", [Event(b"k", deep)])
    good = shop.order()
    shop.wait_processed()
    letters = {actor: len(shop.kafka.read(f"order.placed.{actor}.dlq")) for actor in ("inventory", "email", "analytics")}
    assert letters == {"inventory": 5, "email": 5, "analytics": 6}  # only one of them reads the time
    assert {key for key, _ in shop.of("inventory.reserved")} == {"o", good}


@pytest.mark.limit(90)
def test_a_gateway_that_fails_slows_down_and_goes_out_charges_each_order_once(shop):
    fast = {"actors.payment.deadline": "500ms", "actors.payment.breaker.open_for": "300ms",
            "actors.payment.retry": "{attempts: 50, backoff: constant, initial: 100ms}"}
    engine = shop.engine(fast).start_and_join()
    orders = [shop.order(f"customer-{n}") for n in range(10)]

    shop.gateway.behave(fail=0.2, lose=0.2)
    orders += [shop.order(f"customer-{n}") for n in range(40)]
    eventually(lambda: engine.metric("troupe_retries_total", actor="payment") > 5, 30, "payments are tried again")
    # Or else the slow gateway's probes take those that wait first, and the last order comes late.
    shop.kafka.wait_all_committed("payment-service", "order.placed", 60)

    shop.gateway.behave(fail=0, lose=0, delay_ms=800)  # past the deadline, and charged all the same
    orders += [shop.order("slow")]
    eventually(lambda: engine.metric("troupe_retries_total", actor="payment", error_type="deadline") > 0, 20,
               "a slow gateway is a missed deadline")
    eventually(lambda: orders[-1] in {c["order_id"] for c in shop.gateway.charges()}, 20, "and charges all the same")

    shop.gateway.behave(delay_ms=0, out=True)
    orders += [shop.order(f"customer-{n}") for n in range(10)]
    eventually(lambda: engine.metric("troupe_breaker_open", actor="payment") == 1, 20, "the breaker opens")
    before = len(shop.gateway.charges())
    stays(lambda: len(shop.gateway.charges()) == before, 1, "nothing is charged while the gateway is out")

    shop.gateway.stop()  # not even a 503
    orders += [shop.order("patient")]
    shop.gateway.start()
    shop.kafka.wait_all_committed("payment-service", "order.placed", 60)
    charged = collections.Counter(c["order_id"] for c in shop.gateway.charges())
    assert charged == collections.Counter(orders)
    assert shop.gateway.sums()["amount_cents"] == 5998 * len(orders)
    assert {key for key, _ in shop.of("payment.captured")} == set(orders)
    assert not shop.kafka.partitions("order.placed.payment.dlq") or not shop.kafka.read("order.placed.payment.dlq")


@pytest.mark.limit(240)
def test_after_twenty_kills_each_order_is_reserved_charged_mailed_and_counted_once(shop):
    # A member that is gone without a word is noticed soon.
    quick = {"kafka.consumer.session.timeout.ms": "3000", "kafka.consumer.heartbeat.interval.ms": "300"}
    shop.gateway.behave(lose=0.1, delay_ms=5)
    engine = shop.engine({"actors.payment.retry.initial": "50ms", **quick})
    accepted, over = [], threading.Event()

    def shopper(shift):
        for number in itertools.count(shift * 1000):
            if over.is_set():
                return
            try:
                accepted.append(shop.order(f"customer-{number % 50}", [item(quantity=1, price=1.25)]))
            except (OSError, http.client.HTTPException, AssertionError):
                pass  # killed under it, or not back yet: not an order that was accepted
            pause(0.1)
    engine.start_and_join(within=40)
    with ThreadPoolExecutor(4) as shoppers:
        for shift in range(4):
            shoppers.submit(shopper, shift)
        try:
            for kill in range(20):
                before = len(accepted)
                eventually(lambda: len(accepted) >= before + 10, 30, f"orders are taken before kill {kill}")
                engine.kill()
                engine.start_and_join(within=40)
        finally:
            over.set()
    shop.wait_processed(60)
    placed = {event["order_id"]: event for _, event in shop.of("order.placed")}
    assert set(accepted) <= set(placed) and len(accepted) == len(set(accepted)) >= 200
    charged = collections.Counter(c["order_id"] for c in shop.gateway.charges())
    assert charged == collections.Counter(placed.keys())
    assert int(shop.redis.hget("inventory:stock", "SKU-7")) == 1_000_000 - len(placed)
    assert set(shop.mails()) == set(placed)
    assert shop.revenue() == (len(placed), 125 * len(placed))
    for topic in COMPLETIONS:
        assert {key for key, _ in shop.of(topic)} == set(placed)
    latest = eventually(lambda: (lambda ids: ids if len(ids) == min(500, len(placed)) else None)(
        shop.redis.zrange("latest-orders", 0, -1)), 60, "the latest are known")
    eventually(lambda: all(set(shop.progress(order).values()) == {"ok"} for order in latest), 60, "and all their steps are done")


class MailServer(socketserver.ThreadingTCPServer):
    """Takes mails by SMTP as far as RFC 5321 needs it for one; refuses who is told."""
    allow_reuse_address = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Session)
        self.mails, self.refused = [], "nobody"

    class Session(socketserver.StreamRequestHandler):
        def handle(self):
            self.say("220 mail.test")
            for line in self.rfile:
                word = line[:4].upper()
                if word == b"DATA":
                    self.say("354 go on")
                    self.server.mails.append(b"".join(iter(self.rfile.readline, b".\r\n")))
                elif word == b"QUIT":
                    return self.say("221 bye")
                refused = word == b"RCPT" and self.server.refused in line.decode()
                self.say("550 no such mailbox" if refused else "250 ok")

        def say(self, line):
            self.wfile.write(line.encode() + b"\r\n")


def test_confirmations_go_by_smtp_where_a_server_is_configured(shop):
    with MailServer() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        server.refused = "unknown"
        shop.engine(SMTP_URL=f"smtp://127.0.0.1:{server.server_address[1]}").start_and_join()
        known, unknown = shop.order("known\r\nBcc: all@example.com".replace("\r\n", " ")), shop.order("unknown")
        shop.kafka.wait_all_committed("email-service", "order.placed")
        server.shutdown()
    [sent] = [email.message_from_bytes(text) for text in server.mails]
    assert sent["Subject"] == f"Your order {known}" and sent["To"] == "known_Bcc__all_example_com@example.com"
    assert not sent["Bcc"] and "Total 59.98" in sent.get_payload()
    [letter] = shop.kafka.read("order.placed.email.dlq")
    assert json.loads(letter.value)["order_id"] == unknown and "550" in letter.header("error")
    assert not shop.maildir.exists()

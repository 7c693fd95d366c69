"""HTTP in, Kafka out: answered when the broker has it, refused with a reason, and never half."""

import http.client
import json
import re
import socket
import threading

import pytest

from support.door import Door
from support.waiting import eventually, stays


@pytest.fixture
def topic(kafka, name):
    return kafka.create_topic(name, 3)


@pytest.fixture
def door():
    return Door()


def events_ingest(door, topic, **more):
    return {"ingest": {"route": "POST /events", "listen": door.listen, "topic": topic, "key": "/session_id",
                       "require": {"/type": "string"}, "stamp": "/timestamp", "batch": True, "cors": "*",
                       "respond": 204, **more}}


def view(session="s-1", **more):
    return {"type": "page_view", "session_id": session, **more}


def problem(answer, body, status):
    assert answer.status == status, body
    assert answer.getheader("Content-Type") == "application/problem+json"
    told = json.loads(body)
    assert told["status"] == status and told["title"]
    return told


def test_an_accepted_event_is_on_the_broker_before_its_answer(kafka, engines, topic, door):
    engine = engines({"events": events_ingest(door, topic)}).start_and_join()
    for n in range(20):
        answer, body = door.ask("POST", "/events", json.dumps(view(f"s-{n}", n=n)), Content_Type="application/json")
        assert (answer.status, body) == (204, b"")
        assert sum(kafka.ends(topic).values()) == n + 1
    written = kafka.read(topic)
    assert sorted(json.loads(e.value)["n"] for e in written) == list(range(20))
    for event in written:
        told = json.loads(event.value)
        assert event.key == told["session_id"].encode()
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", told["timestamp"])
    assert engine.metric("troupe_ingest_requests_total", actor="events", status="204") == 20


def test_arrays_lines_and_beacons_are_taken_as_a_whole_or_not_at_all(kafka, engines, topic, door):
    engines({"events": events_ingest(door, topic)}).start_and_join()
    three = [view(f"s-{n}") for n in range(3)]
    assert door.ask("POST", "/events", json.dumps(three))[0].status == 204
    lines = "\n".join(map(json.dumps, three)).encode()
    assert door.ask("POST", "/events", lines, Content_Type="application/x-ndjson")[0].status == 204
    beacon = door.ask("POST", "/events", json.dumps(view()), Content_Type="text/plain;charset=UTF-8",
                      Origin="https://shop.example")[0]
    assert beacon.status == 204 and beacon.getheader("Access-Control-Allow-Origin") == "*"
    assert sum(kafka.ends(topic).values()) == 7
    told = problem(*door.ask("POST", "/events", json.dumps([*three, {"type": 7}])), 400)
    assert told["event"] == 3 and "/type" in told["detail"]
    assert sum(kafka.ends(topic).values()) == 7


def test_what_is_wrong_is_named(kafka, engines, topic, door):
    engines({"events": events_ingest(door, topic, limits={"body": "1KiB", "headers": "1KiB"})}).start_and_join()
    assert "no JSON" in problem(*door.ask("POST", "/events", "{"), 400)["detail"]
    assert "empty" in problem(*door.ask("POST", "/events"), 400)["detail"]
    assert "/type is missing" in problem(*door.ask("POST", "/events", '{"session_id":"s"}'), 400)["detail"]
    assert "/session_id" in problem(*door.ask("POST", "/events", '{"type":"x"}'), 400)["detail"]
    assert "application/xml" in problem(*door.ask("POST", "/events", "<a/>", Content_Type="application/xml"),
                                        415)["detail"]
    assert "/nothing" in problem(*door.ask("POST", "/nothing", "{}"), 404)["detail"]
    answer, body = door.ask("GET", "/events")
    assert "POST" in problem(answer, body, 405)["detail"] and answer.getheader("Allow") == "POST"
    assert "1 KiB" in problem(*door.ask("POST", "/events", json.dumps(view(pad="x" * 1100))), 413)["detail"]
    assert "1 KiB" in problem(*door.ask("POST", "/events", json.dumps(view()), X_Pad="x" * 1100), 431)["detail"]
    assert sum(kafka.ends(topic).values()) == 0


def test_a_browser_is_told_that_it_may_send(engines, topic, door):
    engines({"events": events_ingest(door, topic, cors="https://shop.example")}).start_and_join()
    answer, _ = door.ask("OPTIONS", "/events", Origin="https://shop.example",
                         Access_Control_Request_Method="POST")
    assert answer.status == 204
    assert answer.getheader("Access-Control-Allow-Origin") == "https://shop.example"
    assert answer.getheader("Vary") == "Origin"
    assert "POST" in answer.getheader("Access-Control-Allow-Methods")
    assert "content-type" in answer.getheader("Access-Control-Allow-Headers")


def test_a_handler_makes_the_event_and_the_answer(kafka, engines, topic, door):
    engines({"checkout": {"ingest": {"route": "POST /checkout", "listen": door.listen, "topic": topic,
                                     "key": "header:X-Customer-ID", "require": {"/items": "array"}},
                          "handler": "effect.order"}}).start_and_join()
    answer, body = door.ask("POST", "/checkout", '{"items":[1]}', X_Customer_ID="c-1")
    assert (answer.status, json.loads(body)) == (202, {"order_id": "o-c-1"})
    assert answer.getheader("Content-Type") == "application/json"
    answer, body = door.ask("POST", "/checkout", x_customer_id="c-2")  # without a body
    assert (answer.status, json.loads(body)) == (202, {"order_id": "o-c-2"})
    assert "X-Customer-ID" in problem(*door.ask("POST", "/checkout", '{"items":[]}'), 400)["detail"]
    assert "/items" in problem(*door.ask("POST", "/checkout", "{}", X_Customer_ID="c"), 400)["detail"]
    assert "sold out" in problem(*door.ask("POST", "/checkout", '{"items":[],"refuse":"sold out"}',
                                           X_Customer_ID="c"), 400)["detail"]
    answer, body = door.ask("POST", "/checkout", '{"items":[],"busy":1}', X_Customer_ID="c")
    assert problem(answer, body, 503) and answer.getheader("Retry-After") == "7"
    events = {e.key: json.loads(e.value) for e in kafka.read(topic)}
    assert events == {b"c-1": {"items": [1], "order_id": "o-c-1"}, b"c-2": {"order_id": "o-c-2"}}


def test_a_handler_that_hangs_keeps_nobody_waiting(kafka, engines, topic, door, tmp_path):
    engines({"checkout": {"ingest": {"route": "POST /checkout", "listen": door.listen, "topic": topic,
                                     "key": "header:X-Customer-ID"},
                          "handler": "effect.order", "deadline": "300ms",
                          "settings": {"prefix": "from-the-config-"}}}).start_and_join()
    until = tmp_path / "let-go"
    hanging = json.dumps({"hang_until_file": str(until)})
    for _ in range(2):
        answer, body = door.ask("POST", "/checkout", hanging, X_Customer_ID="c-1")
        assert problem(answer, body, 503) and answer.getheader("Retry-After")
    until.touch()
    answer, body = door.ask("POST", "/checkout", "{}", X_Customer_ID="c-2")
    assert (answer.status, json.loads(body)) == (202, {"order_id": "from-the-config-c-2"})
    # What the two answered after their deadline was not heard.
    stays(lambda: sum(kafka.ends(topic).values()) == 1, 1, "the late answers make no events")
    assert [e.key for e in kafka.read(topic)] == [b"c-2"]


@pytest.mark.parametrize("with_redis", [False, True], ids=["in memory", "in Redis"])
def test_a_repeated_request_gets_the_first_ones_answer(kafka, engines, topic, door, redis_server, with_redis):
    checkout = {"ingest": {"route": "POST /checkout", "listen": door.listen, "topic": topic, "key": "header:X-Customer-ID"},
                "handler": "effect.order"}
    engine = engines({"checkout": checkout}, redis=redis_server if with_redis else None).start_and_join()

    def order(customer, key):
        answer, body = door.ask("POST", "/checkout", x_customer_id=customer, Idempotency_Key=key)
        return answer.status, answer.getheader("Content-Type"), json.loads(body)

    first = order("c-1", "key-1")
    assert first == (202, "application/json", {"order_id": "o-c-1"})
    assert order("another", "key-1") == first
    assert sum(kafka.ends(topic).values()) == 1
    assert order("c-2", "key-2")[2] == {"order_id": "o-c-2"}
    refused = '{"refuse":"sold out"}'
    for _ in range(2):  # what was refused may be tried again
        problem(*door.ask("POST", "/checkout", refused, x_customer_id="c", Idempotency_Key="key-3"), 400)
    assert order("c-3", "key-3")[2] == {"order_id": "o-c-3"}
    problem(*door.ask("POST", "/checkout", x_customer_id="c", Idempotency_Key="k" * 256), 400)
    assert sum(kafka.ends(topic).values()) == 3
    if with_redis:
        engine.kill()
        engine.start_and_join()
        assert order("another", "key-1") == first
        assert sum(kafka.ends(topic).values()) == 3
        redis_server.stop()
        problem(*door.ask("POST", "/checkout", x_customer_id="c", Idempotency_Key="key-4"), 503)
        assert sum(kafka.ends(topic).values()) == 3


def test_of_two_requests_with_one_key_at_a_time_one_is_told_to_wait(kafka, engines, name, door):
    engines({"events": events_ingest(door, name + "-missing", timeout="3s")}).start_and_join()
    statuses = []

    def ask():
        statuses.append(door.ask("POST", "/events", json.dumps(view()), Idempotency_Key="one")[0].status)

    both = [threading.Thread(target=ask) for _ in range(2)]
    for t in both:
        t.start()
    for t in both:
        t.join(30)
    assert sorted(statuses) == [409, 503]


def test_two_ingests_share_an_address(kafka, engines, topic, door):
    engines({"events": events_ingest(door, topic),
             "more": {"ingest": {"route": "PUT /more", "listen": door.listen, "topic": topic}}}).start_and_join()
    assert door.ask("POST", "/events", json.dumps(view()))[0].status == 204
    assert door.ask("PUT", "/more", "{}")[0].status == 202
    assert sum(kafka.ends(topic).values()) == 2


def test_a_broker_that_cannot_answers_503_and_when_to_try_again(kafka, engines, name, door):
    missing = name + "-missing"
    engines({"events": events_ingest(door, missing, timeout="500ms")}).start_and_join()
    answer, body = door.ask("POST", "/events", json.dumps(view()))
    problem(answer, body, 503)
    assert int(answer.getheader("Retry-After")) >= 1


def test_a_stop_answers_what_is_under_way_and_loses_nothing_it_accepted(kafka, engines, topic, door):
    engine = engines({"events": events_ingest(door, topic)}).start_and_join()
    accepted, over = [], threading.Event()

    def client(number):
        while not over.is_set():
            try:
                answer, _ = door.ask("POST", "/events", json.dumps(view(f"{number}-{len(accepted)}")))
            except OSError:
                return
            except http.client.HTTPException:
                return
            if answer.status == 204:
                accepted.append(number)

    clients = [threading.Thread(target=client, args=(n,)) for n in range(8)]
    for c in clients:
        c.start()
    eventually(lambda: len(accepted) > 300, 30, "300 requests are accepted")
    assert engine.stop() == 0
    over.set()
    for c in clients:
        c.join(30)
    assert sum(kafka.ends(topic).values()) >= len(accepted) > 300


def test_a_kill_loses_no_accepted_event(kafka, engines, topic, door):
    engine = engines({"events": events_ingest(door, topic)}).start_and_join()
    accepted = []

    def client(number):
        for n in range(10_000):
            session = f"{number}-{n}"
            try:
                if door.ask("POST", "/events", json.dumps(view(session)))[0].status == 204:
                    accepted.append(session)
            except (OSError, http.client.HTTPException):
                return

    clients = [threading.Thread(target=client, args=(n,)) for n in range(8)]
    for c in clients:
        c.start()
    eventually(lambda: len(accepted) > 300, 30, "300 requests are accepted")
    engine.kill()
    for c in clients:
        c.join(30)
    written = {e.key.decode() for e in kafka.read(topic)}
    assert written >= set(accepted)


def hold(door, count, body=None, status=204):
    """So many connections, each with one request answered."""
    body = body or json.dumps(view())
    held = []
    for _ in range(count):
        connection = http.client.HTTPConnection("127.0.0.1", door.port, timeout=30)
        connection.request("POST", "/events", body)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == status
        held.append(connection)
    return held


def closed(connection):
    connection.sock.setblocking(False)
    try:
        return connection.sock.recv(1) == b""
    except BlockingIOError:
        return False


def with_files(engine, soft, hard):
    """The engine starts with these limits of open files."""
    script = engine.folder / "limited"
    script.write_text(f'#!/bin/sh\nulimit -Sn {soft}; ulimit -Hn {hard}; exec "{engine.binary}" "$@"\n')
    script.chmod(0o755)
    engine.binary = script
    return engine


def test_a_low_soft_limit_of_open_files_is_raised(engines, topic, door):
    engine = with_files(engines({"events": events_ingest(door, topic)}), 100, 1000).start_and_join()
    assert engine.metric("process_max_fds") == 1000
    held = hold(door, 300)
    assert not any(map(closed, held))
    # The default of 10,000 connections is more than fits.
    (warning,) = engine.logged("warn", door.listen)
    for word in ("744", "10000", "1000 files", "ulimit -Hn", "limits.connections"):
        assert word in warning["msg"]


def test_where_open_files_are_few_the_longest_idle_connection_makes_room(engines, topic, door):
    engine = with_files(engines({"events": events_ingest(door, topic)}), 100, 300).start_and_join()
    held = hold(door, 60)  # of 44
    eventually(lambda: sum(map(closed, held)) == 60 - 44, 10, "16 connections are closed")
    assert all(map(closed, held[:16])) and not any(map(closed, held[16:]))
    assert door.ask("POST", "/events", json.dumps(view()))[0].status == 204
    assert engine.running()


def test_a_connection_that_waits_does_not_keep_what_its_largest_request_took(engines, topic, door):
    engine = engines({"events": events_ingest(door, topic)}).start_and_join()
    hold(door, 1)
    before = engine.memory_mb()
    held = hold(door, 800, "no event" + "." * 250_000, 400)
    assert not any(map(closed, held))
    assert engine.memory_mb() - before < 8


def test_an_address_in_use_is_said_at_the_start(engines, topic, door):
    with socket.create_server(("127.0.0.1", door.port)):
        engine = engines({"events": events_ingest(door, topic)}).start()
        assert engine.wait() == 69
    assert engine.logged("error", door.listen, "another process has it")

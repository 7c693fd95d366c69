"""The `{ http: URL }` handler: what a downstream sees, and what its answers mean."""

import json

import pytest

from support import processes
from support.effects import now
from support.http_service import HttpService
from support.kafka import Event
from support.waiting import eventually, stays

RULES = {"retry": {"attempts": 3, "backoff": "constant", "initial": "100ms", "jitter": 0},
         "breaker": {"failure_ratio": 1.0, "over": 1000, "open_for": "200ms"}}


def caller(topic, group, url, **actor):
    return {"consume": {"topic": topic, "group": group}, "handler": {"http": url}, **RULES, **actor}


def answered(*answers, key=b"k", **event):
    return Event(key, json.dumps({"answers": answers}).encode(), **event)


@pytest.fixture
def topic(kafka, name):
    return kafka.create_topic(name, 1)


def test_a_downstream_sees_the_event_byte_for_byte_and_where_it_came_from(kafka, engines, http_service, topic):
    body = bytes(range(256)) + "é".encode()
    trace = [("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), ("tracestate", b"a=b")]
    sent = kafka.produce(topic, [Event(b"customer-1", body, headers=[("Content-Type", b"application/octet-stream")]),
                                 Event(b"customer-2", b'{"plain":true}', headers=trace)])
    engines({"caller": caller(topic, topic, http_service.url, deadline="5s")}).start_and_join()
    kafka.wait_all_committed(topic, topic)
    [binary], [plain] = (http_service.calls(event) for event in sent)
    assert binary.method == "POST" and binary.path == "/handle?x=1"
    assert binary.body == body
    assert binary.headers["content-type"] == "application/octet-stream"
    assert binary.headers["idempotency-key"] == f"{topic}/0/0"
    assert binary.headers["x-troupe-topic"] == topic
    assert binary.headers["x-troupe-partition"] == "0"
    assert binary.headers["x-troupe-offset"] == "0"
    assert binary.headers["x-troupe-key"] == "customer-1"
    assert binary.headers["x-troupe-attempt"] == "1"
    assert binary.headers["x-troupe-actor"] == "caller"
    assert 0 < int(binary.headers["x-troupe-deadline"]) <= 5000
    assert plain.headers["content-type"] == "application/json"
    assert plain.headers["traceparent"] == trace[0][1].decode() and plain.headers["tracestate"] == "a=b"


def test_an_event_without_key_and_value_is_called_with_an_empty_body(kafka, engines, http_service, topic):
    sent = kafka.produce(topic, [Event(None, None)])
    engines({"caller": caller(topic, topic, http_service.url)}).start_and_join()
    kafka.wait_all_committed(topic, topic)
    [request] = http_service.calls(sent[0])
    assert request.body == b"" and not request.headers.get("x-troupe-key")


def test_a_key_can_not_smuggle_headers(kafka, engines, http_service, topic):
    sent = kafka.produce(topic, [Event(b"a\r\nX-Evil: 1\r\n\r\n", b"{}"), Event(b"\x00\xff", b"{}")])
    engines({"caller": caller(topic, topic, http_service.url)}).start_and_join()
    kafka.wait_all_committed(topic, topic)
    for event in sent:
        [request] = http_service.calls(event)
        assert "x-evil" not in request.headers


SUCCESS, TRANSIENT, PERMANENT, UNAVAILABLE = "success", "transient", "permanent", "unavailable"


MEANING = {
    "200": ({"status": 200}, SUCCESS), "202": ({"status": 202}, SUCCESS), "204": ({"status": 204}, SUCCESS),
    "429": ({"status": 429}, UNAVAILABLE), "503": ({"status": 503}, UNAVAILABLE),
    "408": ({"status": 408}, TRANSIENT), "425": ({"status": 425}, TRANSIENT), "500": ({"status": 500}, TRANSIENT),
    "502": ({"status": 502}, TRANSIENT), "504": ({"status": 504}, TRANSIENT), "reset": ({"reset": True}, TRANSIENT),
    "too late": ({"delay_ms": 4000}, TRANSIENT),
    "400": ({"status": 400}, PERMANENT), "404": ({"status": 404}, PERMANENT), "409": ({"status": 409}, PERMANENT),
    "304": ({"status": 304}, PERMANENT),
    "301": ({"status": 301, "headers": {"Location": "/elsewhere"}}, PERMANENT),
}


def test_each_answer_means_what_the_design_says(kafka, engines, http_service, topic):
    sent = kafka.produce(topic, [answered(answer, {"status": 200}, key=name.encode())
                                 for name, (answer, _) in MEANING.items()])
    engines({"caller": caller(topic, topic, http_service.url, deadline="1500ms")}).start_and_join()
    kafka.wait_all_committed(topic, topic)
    dead = {record.key for record in kafka.read(f"{topic}.caller.dlq")}

    def verdict(event):
        attempts = [int(request.headers["x-troupe-attempt"]) for request in http_service.calls(event)]
        if attempts == [1]:
            return PERMANENT if event.key in dead else SUCCESS
        return {(1, 2): TRANSIENT, (1, 1): UNAVAILABLE}.get(tuple(attempts), attempts)
    assert {event.key.decode(): verdict(event) for event in sent} == {name: v for name, (_, v) in MEANING.items()}


def test_an_answer_over_one_mebibyte_is_cut_off_and_is_no_success(kafka, engines, http_service, topic):
    [event] = kafka.produce(topic, [answered({"body_bytes": (1 << 20) + 1})])
    engines({"caller": caller(topic, topic, http_service.url)}).start_and_join()
    kafka.wait_all_committed(topic, topic)
    assert [record.header("original-offset") for record in kafka.read(f"{topic}.caller.dlq")] == [str(event.offset)]


def test_nobody_listening_is_unavailable_and_spends_no_attempt(kafka, engines, topic):
    port = processes.free_port()
    [event] = kafka.produce(topic, [answered({"status": 200})])
    engines({"caller": caller(topic, topic, f"http://127.0.0.1:{port}/")}).start_and_join()
    # Ten probes' time, and three attempts would have been all.
    stays(lambda: sum(kafka.ends(f"{topic}.caller.dlq").values()) == 0, 2, "no dead letter")
    assert kafka.committed(topic, topic) == {0: None}
    with HttpService(port) as service:
        kafka.wait_all_committed(topic, topic)
        assert [request.headers["x-troupe-attempt"] for request in service.calls(event)] == ["1"]


def test_retry_after_is_heard(kafka, engines, http_service, topic):
    [event] = kafka.produce(topic, [answered({"status": 503, "headers": {"Retry-After": "2"}}, {"status": 200})])
    engines({"caller": caller(topic, topic, http_service.url)}).start_and_join()
    kafka.wait_all_committed(topic, topic)
    first, second = http_service.calls(event)
    assert second.start - first.end >= 1.9e9


def test_the_deadline_ends_a_call(kafka, engines, http_service, topic):
    [event] = kafka.produce(topic, [answered({"delay_ms": 20_000}, {"status": 200})])
    engines({"caller": caller(topic, topic, http_service.url, deadline="500ms")}).start_and_join()
    kafka.wait_all_committed(topic, topic, 10)
    first, second = http_service.calls(event)
    # The deadline and the backoff; the service's own clock starts a moment after ours.
    assert 0.57e9 <= second.start - first.start <= 5e9


def test_answers_with_publish_become_events(kafka, engines, http_service, topic):
    out = kafka.create_topic(f"{topic}-out", 2)
    one = {"order_id": "o-1", "n": 1.50, "text": "é\n"}
    several = [{"order_id": "o-2"}, {"order_id": "o-3"}]
    kafka.produce(topic, [answered({"body": json.dumps(one)}), answered({"body": json.dumps(several)}),
                          answered({"status": 204}), answered({"body": "[]"})])
    engines({"caller": caller(topic, topic, http_service.url,
                              publish={"topic": out, "key": "/order_id"})}).start_and_join()
    kafka.wait_all_committed(topic, topic)
    published = {r.key: json.loads(r.value) for r in kafka.read(out)}
    assert published == {b"o-1": one, b"o-2": several[0], b"o-3": several[1]}


def test_an_answer_that_is_no_json_is_no_event_to_publish(kafka, engines, http_service, topic):
    out = kafka.create_topic(f"{topic}-out", 1)
    kafka.produce(topic, [answered({"body": "<html>"}), answered({"body": '"text"'})])
    engines({"caller": caller(topic, topic, http_service.url, publish={"topic": out})}).start_and_join()
    kafka.wait_all_committed(topic, topic)
    assert sum(kafka.ends(out).values()) == 0
    assert len(kafka.read(f"{topic}.caller.dlq")) == 2


def test_many_calls_run_at_once_without_a_thread_each(kafka, engines, http_service, topic):
    sent = kafka.produce(topic, [answered({"delay_ms": 2000}, key=f"k-{n}".encode()) for n in range(100)])
    engine = engines({"caller": caller(topic, topic, http_service.url, pool={"workers": 100})}).start_and_join()
    begun = now()
    eventually(lambda: len(http_service.requests) >= 100, 10, "all calls are under way")
    with open(f"/proc/{engine.pid}/status") as status:
        threads = next(int(line.split()[1]) for line in status if line.startswith("Threads:"))
    assert threads < 60
    kafka.wait_all_committed(topic, topic)
    assert max(r.end for r in http_service.requests) - begun < 3 * 2e9
    assert all(len(http_service.calls(event)) == 1 for event in sent)

"""W3C trace context: what came with an event goes on with what comes of it, and none is made up."""

import json

import pytest

from support.door import Door
from support.waiting import eventually
from support.working import pool, told
from test_dlq_command import NO_BRAKE, Dlq

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE = [("traceparent", PARENT.encode()), ("tracestate", b"vendor=1")]


def trace_of(event):
    return [h for h in event.headers if h[0] in ("traceparent", "tracestate")]


@pytest.fixture
def topic(kafka, name):
    return kafka.create_topic(name, 1)


def test_a_trace_goes_on_through_retry_publish_death_and_replay(kafka, engines, http_service, effects, topic, tmp_path):
    mended = str(tmp_path / "mended")
    steps = [kafka.create_topic(f"{topic}-{step}", 1) for step in ("second", "third", "atomic")]
    events = [told(b"traced", fail="transient", fail_times=1), told(b"poison", fail="permanent", fail_until_file=mended),
              told(b"plain")]
    for event in events[:2]:
        event.headers = list(TRACE)
    kafka.produce(topic, events)
    http_service.default = {"status": 200, "body": '{"made": "by http"}'}
    retry = {"attempts": 3, "backoff": "constant", "initial": "20ms"}
    engines({
        "first": pool(topic, f"{topic}-1", handler="effect.publish", publish={"topic": steps[0]}, retry=retry,
                      dlq={"flood": NO_BRAKE}),
        "second": pool(steps[0], f"{topic}-2", handler={"http": http_service.url}, publish={"topic": steps[1]}),
        "third": pool(steps[0], f"{topic}-3", handler="effect.publish", publish={"topic": steps[2]},
                      guarantee="exactly_once"),
    }).start_and_join()

    by_key = {e.key: e for e in kafka.read_when(steps[0], 2)}
    assert trace_of(by_key[b"traced"]) == TRACE, "after a retry"
    assert trace_of(by_key[b"plain"]) == []
    assert sorted(map(str, map(trace_of, kafka.read_when(steps[1], 2)))) == sorted(map(str, [TRACE, []])), "over HTTP"
    assert {r.headers.get("traceparent") for r in http_service.requests} == {PARENT, None}
    exact = {e.key: trace_of(e) for e in kafka.read_when(steps[2], 2)}
    assert exact == {b"traced": TRACE, b"plain": []}, "in a transaction"

    graves = f"{topic}.first.dlq"
    [dead] = kafka.read_when(graves, 1)
    assert trace_of(dead) == TRACE
    (tmp_path / "mended").touch()
    Dlq(kafka)("replay", graves, "--yes")
    again = eventually(lambda: [e for e in kafka.read(steps[0]) if e.key == b"poison"], 40, "it is replayed")
    assert trace_of(again[0]) == TRACE


def test_an_ingest_takes_the_trace_of_its_request_and_makes_none_up(kafka, engines, topic):
    door, handled = Door(), Door()
    engines({
        "events": {"ingest": {"route": "POST /events", "listen": door.listen, "topic": topic, "batch": True}},
        "orders": {"ingest": {"route": "POST /orders", "listen": handled.listen, "topic": topic,
                              "key": "header:X-Key"}, "handler": "effect.order"}}).start_and_join()

    def sent(to, path, body, **headers):
        before = sum(kafka.ends(topic).values())
        assert to.ask("POST", path, json.dumps(body), **headers)[0].status < 300
        return [trace_of(e) for e in kafka.read(topic)[before:]]

    traced = {"Traceparent": PARENT, "Tracestate": "vendor=1"}
    assert sent(door, "/events", [{"n": 1}, {"n": 2}], **traced) == [TRACE, TRACE]
    assert sent(handled, "/orders", {"items": []}, X_Key="k", **traced) == [TRACE]
    assert sent(door, "/events", {"n": 3}) == [[]]
    assert sent(door, "/events", {"n": 4}, Traceparent="00-nonsense", Tracestate="vendor=1") == [[]]

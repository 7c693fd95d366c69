"""Row 5: the network between the engine and the broker."""

import http.client
import json
import time
from collections import defaultdict

import pytest

from support import page_views
from support.background import Background
from support.door import Door
from support.effects import repeated_successes
from support.kafka import Event, send
from support.waiting import eventually, pause

WINDOW = 500
PARTITIONS = 3
RESUME = 15  # seconds, of the matrix
ANSWER = 10


@pytest.fixture
def kafka(behind_proxy):
    return behind_proxy[0]


@pytest.fixture
def proxy(behind_proxy):
    yield behind_proxy[1]
    behind_proxy[1].heal()


class Stream(Background):
    """Events for the pool and for the counts, sent past the proxy, until it is left."""

    def __init__(self, kafka, work, views):
        super().__init__()
        self.producer, self.work, self.views, self.sent, self.n = kafka.producer(), work, views, [], 0

    def step(self):
        for _ in range(6):
            self.n += 1
            event = Event(f"key-{self.n % 50}".encode(), json.dumps({"n": self.n}).encode(), self.n % PARTITIONS)
            send(self.producer, self.work, event, self.sent.append)
            seen = page_views.event(page_views.view(f"/{self.n % 20}"), partition=self.n % PARTITIONS)
            send(self.producer, self.views, seen, lambda where: None)
        self.producer.poll(0)

    def finish(self):
        self.producer.flush(60)


class Client(Background):
    """Posts one event after the other: what was accepted, and how long the other answers took."""

    def __init__(self, door):
        super().__init__()
        self.door, self.accepted, self.refused, self.n = door, [], [], 0

    def step(self):
        self.n += 1
        began = time.monotonic()
        try:
            status = self.door.ask("POST", "/in", json.dumps({"n": self.n}))[0].status
        except (OSError, http.client.HTTPException) as problem:
            status = repr(problem)
        if status == 202:
            self.accepted.append(self.n)
        else:
            self.refused.append((status, time.monotonic() - began))


FAULTS = {"blackhole": lambda proxy: proxy.blackhole(), "to the broker": lambda proxy: proxy.lose("up"),
          "from the broker": lambda proxy: proxy.lose("down"), "slow": lambda proxy: proxy.delay(1.0)}


@pytest.mark.row(5)
@pytest.mark.limit(300)
@pytest.mark.parametrize("fault, seconds", [
    ("blackhole", 60), ("to the broker", 20), ("from the broker", 20), ("slow", 20),
    pytest.param("resets", 5, marks=pytest.mark.short)])
def test_a_broken_network_costs_time_and_nothing_else(
        kafka, proxy, engines, effects, redis_server, name, figure, fault, seconds):
    work, views, into = (kafka.create_topic(f"{name}-{what}", PARTITIONS) for what in ("work", "views", "in"))
    door = Door()
    engine = engines(
        {"working": {"consume": {"topic": work, "group": f"{name}-work", "window": WINDOW}, "handler": "effect.append"},
         "views": page_views.actor(views, f"{name}-views"),
         "in": {"ingest": {"route": "POST /in", "listen": door.listen, "topic": into, "timeout": f"{ANSWER}s"}}},
        redis_server, kafka={"brokers": f"localhost:{proxy.port}"}).start_and_join()

    def counted():
        return sum(page_views.positions(redis_server.client, engines.app, f"{name}-views").values())

    with Stream(kafka, work, views) as stream, Client(door) as client:
        eventually(lambda: len(effects.done()) > 100 and counted() > 100 and client.accepted, 30, "all of it goes on")
        if fault == "resets":
            for _ in range(seconds):
                proxy.reset()
                pause(1)
        else:
            FAULTS[fault](proxy)
            pause(seconds)
        proxy.heal()
        healed, done, had = time.monotonic(), len(effects.done()), counted()
        known, took = len(client.accepted), {}

        def resumed():
            for what, went_on in (("pool", len(effects.done()) > done), ("counts", counted() > had),
                                  ("ingest", len(client.accepted) > known)):
                if went_on:
                    took.setdefault(what, round(time.monotonic() - healed, 1))
            return len(took) == 3
        eventually(resumed, 3 * RESUME, lambda: f"everything goes on, so far {took}")

    calls = effects.wait_done(stream.sent)
    kafka.wait_all_committed(f"{name}-work", work)
    again = len(repeated_successes(calls))
    assert again <= WINDOW * PARTITIONS
    assert_first_successes_in_order(calls)
    eventually(lambda: counted() == len(stream.sent), 30, lambda: f"{counted()} of {len(stream.sent)} are counted")
    page_views.assert_exact(redis_server.client, kafka.read(views))
    written = {json.loads(record.value)["n"] for record in kafka.read(into)}
    assert written >= set(client.accepted)
    assert all(status == 503 for status, _ in client.refused), client.refused
    slowest = max((waited for _, waited in client.refused), default=0.0)
    assert slowest < 3 * ANSWER
    if fault not in ("slow", "resets"):
        assert client.refused, "a broker out of reach refuses"
    figure(f"{fault} {seconds} s: resumed after {took} s; {len(client.refused)} answers 503, the slowest after "
           f"{slowest:.1f} s; {again} events done again", fault=fault, resumed=took, slowest_503=slowest, again=again)
    assert engine.stop() == 0


def assert_first_successes_in_order(calls):
    first = {}
    for call in sorted((call for call in calls if call.succeeded), key=lambda call: call.start):
        first.setdefault(call.id, call)
    by_key = defaultdict(list)
    for call in first.values():
        by_key[call.topic, call.partition, call.key].append(call.offset)
    for key, offsets in by_key.items():
        assert offsets == sorted(offsets), f"{key}: {offsets}"

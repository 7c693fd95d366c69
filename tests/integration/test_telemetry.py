"""The telemetry example: devices online, late and silent, and a deploy under load that loses nothing."""

import json
import math
import os
import signal
import time
from collections import Counter

import pytest

from support import page_views
from support.background import Background
from support.effects import EffectLog, assert_keys_in_order, now, repeated_successes
from support.kafka import Event, send
from support.waiting import eventually, stays

TOPIC, GROUP, PARTITIONS = "telemetry-events", "analytics-service-group", 4
DEVICES = 200


@pytest.fixture
def topic(fresh_kafka):
    return fresh_kafka.create_topic(TOPIC, PARTITIONS)


def standing(redis):
    """How many devices are online, late and silent, as docs/telemetry.md asks for it."""
    thresholds = redis.hgetall("devices:thresholds")
    if not thresholds:
        return None
    at = time.time_ns() // 1_000_000
    late, silent = at - int(thresholds["late_ms"]), at - int(thresholds["silent_ms"])
    return (redis.zcount("devices:seen", late, "+inf"), redis.zcount("devices:seen", silent, f"({late}"),
            redis.zcount("devices:seen", "-inf", f"({silent}"))


def test_one_device_is_online_while_it_runs_then_late_then_silent(examples, redis_server, topic):
    redis = redis_server.client
    engine = examples("telemetry").start_and_join()
    eventually(lambda: standing(redis) == (1, 0, 0), 20, "device-101 is online")
    stays(lambda: standing(redis) == (1, 0, 0), 4, "a trickle is in time for late_after")
    assert redis.hgetall("devices:status") == {"device-101": "healthy"}
    eventually(lambda: int(redis.get("telemetry:status:healthy") or 0) >= 5, 20, "its events are counted")
    assert engine.stop(10) == 0
    seen = redis.zscore("devices:seen", "device-101")
    for state, after in (((0, 1, 0), 2), ((0, 0, 1), 10)):
        eventually(lambda: standing(redis) == state, 15, f"online, late and silent are {state}")
        assert time.time() - seen / 1000 >= after
    assert redis.zscore("devices:seen", "device-101") == seen


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_two_thousand_devices_are_online_and_either_signal_drains(examples, redis_server, topic, number):
    redis = redis_server.client
    engine = examples("telemetry", overrides={"actors.load.generate.keys": 2000}).start_and_join()
    eventually(lambda: standing(redis) == (2000, 0, 0), 30, lambda: f"2,000 are online: {standing(redis)}")
    stays(lambda: standing(redis) == (2000, 0, 0), 4, "they stay so")
    assert set(redis.hkeys("devices:status")) == {f"device-{n}" for n in range(1, 2001)}
    engine.signal(number)
    assert engine.wait(10) == 0


def test_what_is_known_of_a_device_is_its_newest_event(examples, fresh_kafka, redis_server, topic):
    """Repeated, delayed and future events; and a device id of any bytes."""
    redis, at = redis_server.client, time.time_ns() // 1_000_000
    device = b"\x00 any\r\nbytes \xff"

    def report(status, when, key=b"d"):
        return Event(key, json.dumps({"status": status}).encode(), 0, timestamp=when)
    fresh_kafka.produce(TOPIC, [
        report("first", at - 5000), report("newest", at - 1000), report("late", at - 3000), report("first", at - 5000),
        report("a", at, device), report("b", at, device),
        report("ahead", at + 1_800_000, b"clock"),
    ])
    engine = examples("telemetry").start_and_join()
    fresh_kafka.wait_all_committed(GROUP, TOPIC)
    ended = time.time_ns() // 1_000_000
    assert redis.zscore("devices:seen", "d") == at - 1000
    assert redis.hget("devices:status", "d") == "newest"
    assert redis.zscore("devices:seen", device) == at
    assert redis.hget("devices:status", device) == "b", "of the same millisecond, the later one"
    assert at <= redis.zscore("devices:seen", "clock") <= ended, "never seen later than now"
    assert engine.stop() == 0


def test_what_names_no_device_or_status_is_a_dead_letter_that_says_so(examples, fresh_kafka, redis_server, topic):
    wrong = [(None, b'{"status":"healthy"}', "no key"), (b"d", b"", "no JSON object"), (b"d", None, "no JSON object"),
             (b"d", b"nonsense", "no JSON object"), (b"d", b"[1]", "no JSON object"), (b"d", b"\xff", "no JSON object"),
             (b"d", b"{}", "/status"), (b"d", b'{"status":7}', "/status")]
    # Apart from each other, or the flood brake would hold them back.
    good = [Event(f"good-{n}".encode(), b'{"status":"healthy"}', 0) for n in range(50)]
    sent = fresh_kafka.produce(TOPIC, [one for key, value, _ in wrong for one in (*good, Event(key, value, 0))])
    reasons = {sent[(n + 1) * 51 - 1].offset: reason for n, (_, _, reason) in enumerate(wrong)}
    examples("telemetry").start_and_join()
    letters = fresh_kafka.read_when(f"{TOPIC}.devices.dlq", len(wrong))
    assert {int(letter.header("original-offset")) for letter in letters} == set(reasons)
    for letter in letters:
        assert reasons[int(letter.header("original-offset"))] in letter.header("error")
        assert letter.header("error-class") == "undecodable"
    eventually(lambda: redis_server.client.zcard("devices:seen") == 51, 20, "fifty devices and device-101")


def test_thresholds_come_from_the_config_and_are_told_in_redis(examples, fresh_kafka, redis_server, topic):
    redis = redis_server.client
    settings = "actors.devices.settings"
    engine = examples("telemetry", overrides={settings: "{late_after: 700ms, silent_after: 1m}"}).start_and_join()
    eventually(lambda: redis.hgetall("devices:thresholds") == {"late_ms": "700", "silent_ms": "60000"}, 20)
    redis.delete("devices:thresholds")
    eventually(lambda: redis.hgetall("devices:thresholds") == {"late_ms": "700", "silent_ms": "60000"}, 20,
               "told again where they were lost")
    assert engine.stop() == 0
    # A wrong setting is nobody's event's fault: all of them wait for a right one.
    wrong = examples("telemetry", overrides={settings: "{late_after: soon}"}).start_and_join()
    eventually(lambda: wrong.metric("troupe_breaker_open", actor="devices") == 1, 20, "the pool pauses")
    eventually(lambda: "late_after" in wrong.log_tail(400), 20, "and the log says why")
    assert wrong.stop() == 0
    assert sum(fresh_kafka.ends(f"{TOPIC}.devices.dlq").values()) == 0
    assert redis.hget("devices:thresholds", "late_ms") == "700"


# ---- the deploy swap ----

class Fleet(Background):
    """Numbered events of 200 devices from outside, at a steady rate, until it is left."""

    def __init__(self, kafka, per_second=2000, **instructions):
        super().__init__()
        self.producer, self.per_step, self.instructions = kafka.producer(), round(per_second * self.every), instructions
        self.made, self.sent = 0, []

    def event(self, n):
        body = {"status": "busy", "n": n, **self.instructions}
        if self.instructions and n % 401 == 0:
            body["sleep_ms"] = 400
        return Event(f"truck-{n % DEVICES}".encode(), json.dumps(body).encode())

    def step(self):
        for _ in range(self.per_step):
            send(self.producer, TOPIC, self.event(self.made), self.sent.append)
            self.made += 1
        self.producer.poll(0)

    def finish(self):
        assert self.producer.flush(30) == 0


def swap(old, new, moves_on):
    """A deploy: the new process joins, then the old one is told to go, with work in flight all the time."""
    new.start_and_join(within=40)
    moves_on()
    old.signal(signal.SIGTERM)
    assert old.wait(10) == 0, "it drains within its deadline"
    moves_on()


@pytest.mark.limit(120)
def test_two_deploys_under_load_lose_nothing_and_count_nothing_twice(examples, fresh_kafka, redis_server, topic):
    redis = redis_server.client
    first, second, third = (examples("telemetry") for _ in range(3))

    def counted():
        return int(redis.get("telemetry:status:busy") or 0)

    def moves_on():
        before = counted()
        eventually(lambda: counted() >= before + 1000, 30, "events are counted")
    first.start_and_join()
    with Fleet(fresh_kafka) as fleet:
        moves_on()
        swap(first, second, moves_on)
        swap(second, third, moves_on)
    eventually(lambda: counted() >= fleet.made, 30,
               lambda: f"{fleet.made} events were produced, {counted()} counted", 0.2)
    assert third.stop(10) == 0

    written = fresh_kafka.read(TOPIC)
    of_fleet = [record for record in written if record.key.startswith(b"truck-")]
    assert len(of_fleet) == fleet.made == counted(), "each counted once"
    positions = page_views.positions(redis, "telemetry", "telemetry-statuses")
    taken = Counter(json.loads(record.value)["status"] for record in written
                    if record.offset < positions[f"{TOPIC}/{record.partition}"])
    assert {status: int(redis.get(f"telemetry:status:{status}")) for status in ("busy", "healthy")} == taken
    newest = {record.key.decode(): record.timestamp for record in of_fleet}
    assert {device: redis.zscore("devices:seen", device) for device in newest} == newest
    assert len(newest) == DEVICES and set(redis.hvals("devices:status")) == {"busy", "healthy"}
    assert sum(fresh_kafka.ends(f"{TOPIC}.devices.dlq").values()) == 0


class Commits(Background):
    """What the group had committed, looked at again and again; each with the time by which it was so."""

    def __init__(self, kafka):
        super().__init__()
        self.kafka, self.samples = kafka, []

    def step(self):
        offsets = self.kafka.committed(GROUP, TOPIC)
        self.samples.append((now(), offsets))

    def assert_behind(self, calls):
        """Whatever lay below a commit had been finished by then."""
        ended = {}
        for call in calls:
            if call.succeeded:
                ended[call.id] = min(call.end, ended.get(call.id, math.inf))
        for at, offsets in self.samples:
            for partition, offset in offsets.items():
                unfinished = [below for below in range(offset or 0)
                              if ended.get((TOPIC, partition, below), math.inf) > at]
                assert not unfinished, f"{offset} of partition {partition} was committed before {unfinished[:5]}"


@pytest.mark.limit(120)
def test_no_commit_stands_beyond_unfinished_work_during_deploys(examples, fresh_kafka, topic, tmp_path):
    effects = EffectLog(tmp_path / "effects.log")

    def deployed():
        engine = examples("telemetry", overrides={"actors.devices.handler": "effect.append"},
                          TROUPE_EFFECTS=str(effects.path))
        engine.binary = os.environ["TROUPE_EFFECTS_BINARY"]
        return engine
    first, second, third = (deployed() for _ in range(3))

    def moves_on():
        before = len(effects.read())
        eventually(lambda: len(effects.read()) >= before + 500, 30, "work is in flight")
    with Commits(fresh_kafka) as commits:
        first.start_and_join()
        with Fleet(fresh_kafka, per_second=1000, sleep_ms=5) as fleet:
            moves_on()
            swap(first, second, moves_on)
            swap(second, third, moves_on)
    seen = {offset for _, offsets in commits.samples for offset in offsets.values() if offset}
    assert len(seen) >= 20, "commits were seen while they moved"
    commits.assert_behind(effects.read())
    effects.wait_done(fleet.sent)
    fresh_kafka.wait_all_committed(GROUP, TOPIC)
    assert third.stop(10) == 0
    calls = effects.read()
    assert_keys_in_order(calls)
    assert not repeated_successes(calls), "a deploy repeats nothing"

"""Stops, and what a crash or a revocation leaves of work in flight. Kills at random, freezes and members that come
and go are in tests/faults."""

import signal

import pytest

from support.background import Background
from support.effects import assert_keys_in_order, redelivered, repeated_successes
from support.kafka import send
from support.waiting import eventually
from support.working import QUICK_SESSION, pool, told

PARTITIONS = 3
WINDOW = 300


@pytest.fixture
def topic(kafka, name):
    return kafka.create_topic(name, PARTITIONS)


@pytest.fixture
def engine(kafka, engines, topic):
    working = pool(topic, topic, consume={"topic": topic, "group": topic, "window": WINDOW}, pool={"workers": 16},
                   retry={"attempts": 100, "backoff": "constant", "initial": "100ms"})
    return engines({"working": working}, kafka={"brokers": kafka.address, "consumer": QUICK_SESSION})


class Load(Background):
    """Events of 500 keys at a steady rate, a few of which fail once; until it is left."""

    def __init__(self, kafka, topic, per_second=1000):
        super().__init__()
        self.topic, self.per_tick, self.made, self.sent = topic, per_second // 50, 0, []
        self.producer = kafka.producer()

    def event(self, n, key):
        failing = {"fail": "transient", "fail_times": 1} if n % 97 == 0 else {}
        return told(f"key-{key}".encode(), key % PARTITIONS, sleep_ms=5, **failing)

    def step(self):
        for _ in range(self.per_tick):
            self.made += 1
            key = self.made * 7919 % 500
            send(self.producer, self.topic, self.event(self.made, key), self.sent.append)
        self.producer.poll(0)

    def finish(self):
        assert self.producer.flush(30) == 0


@pytest.mark.limit(90)
def test_a_key_that_is_parked_costs_no_more_redelivery_than_the_window(kafka, engine, effects, topic, tmp_path):
    gate = tmp_path / "mended"
    [parked] = kafka.produce(topic, [told(b"parked", 0, fail="transient", fail_until_file=str(gate))])
    sent = kafka.produce(topic, [told(f"k{n}".encode(), 0) for n in range(10 * WINDOW)])
    engine.start_and_join()
    effects.wait_done(sent)
    pid = engine.pid
    engine.kill()
    engine.start_and_join(within=40)
    more = kafka.produce(topic, [told(f"k{n}".encode(), 0) for n in range(50)])
    gate.touch()
    effects.wait_done([parked, *more])
    assert len(redelivered(effects.calls, pid)) <= WINDOW


def test_a_clean_stop_under_load_ends_with_0_within_its_deadline_and_redelivers_nothing(
        kafka, engine, effects, topic):
    with Load(kafka, topic) as load:
        for round in range(4):
            seen = len(effects.read())
            engine.start()
            eventually(lambda: len(effects.read()) >= seen + 500, 40, "work is in flight")
            assert engine.stop(10) == 0
            assert all(call.end for call in effects.read()), "what ran was finished"
    engine.start_and_join()
    calls = effects.wait_done(load.sent)
    assert not repeated_successes(calls)
    assert_keys_in_order(calls)
    kafka.wait_all_committed(topic, topic)


def test_a_stop_is_not_ready_at_once_and_waits_for_what_runs(kafka, engine, effects, topic):
    [slow] = kafka.produce(topic, [told(b"k", 0, sleep_ms=2000)])
    behind = kafka.produce(topic, [told(b"k", 0)] * 20)
    engine.start_and_join()
    eventually(lambda: effects.of(slow), 20, "the slow call runs")
    engine.signal(signal.SIGTERM)
    eventually(lambda: engine.get("/readyz")[0] != 200, 2, "not ready any more")
    assert engine.wait(10) == 0
    assert [call.outcome for call in effects.of(slow)] == ["success"]
    assert not effects.done() & {event.id for event in behind}, "nothing new is started"
    assert kafka.committed(topic, topic)[0] == slow.offset + 1
    engine.start_and_join()
    effects.wait_done(behind)
    assert len(effects.of(slow)) == 1


def test_sigint_stops_it_as_well(kafka, engine, effects, topic):
    engine.start_and_join()
    engine.signal(signal.SIGINT)
    assert engine.wait(10) == 0


def hanging(kafka, engine, effects, topic, tmp_path, deadline):
    engine.config["shutdown"] = {"deadline": deadline}
    [event] = kafka.produce(topic, [told(b"k", 0, hang_until_file=str(tmp_path / "never"))])
    engine.start_and_join()
    eventually(lambda: effects.of(event), 20, "the hanging call runs")
    return event


def test_a_second_signal_ends_it_at_once_with_130(kafka, engine, effects, topic, tmp_path):
    hanging(kafka, engine, effects, topic, tmp_path, "60s")
    engine.signal(signal.SIGTERM)
    eventually(lambda: engine.get("/readyz")[0] != 200, 5, "it is stopping")
    assert engine.running()
    engine.signal(signal.SIGTERM)
    assert engine.wait(3) == 130


def test_past_its_deadline_a_stop_ends_with_75_and_the_unfinished_event_comes_again(
        kafka, engine, effects, topic, tmp_path):
    event = hanging(kafka, engine, effects, topic, tmp_path, "2s")
    done = kafka.produce(topic, [told(f"k{n}".encode(), n % PARTITIONS) for n in range(100)])
    effects.wait_done(done)
    engine.signal(signal.SIGTERM)
    assert engine.wait(10) == 75
    (tmp_path / "never").touch()
    engine.start_and_join(within=40)
    effects.wait_done([event])
    assert len(redelivered(effects.calls, effects.calls[0].pid)) <= WINDOW


@pytest.mark.limit(90)
def test_a_partition_is_handed_over_within_its_bound_though_a_call_hangs(
        kafka, engine, engines, effects, topic, tmp_path):
    gate = tmp_path / "free"
    hanging = kafka.produce(topic, [told(b"k", p, hang_until_file=str(gate)) for p in range(PARTITIONS)])
    engine.config["shutdown"] = {"revoke": "1s"}
    second = engines(engine.config["actors"], kafka=engine.config["kafka"])
    engine.start_and_join()
    eventually(lambda: len(effects.read()) == PARTITIONS, 20, "a call hangs in each partition")
    second.start()
    eventually(lambda: second.running() and second.metric("troupe_assigned_partitions") >= 1, 30, "it has partitions")
    others = kafka.produce(topic, [told(f"k{n}".encode(), n % PARTITIONS) for n in range(300)])
    effects.wait_done(others)
    gate.touch()
    effects.wait_done(hanging)
    assert second.stop() == 0 and engine.stop() == 0

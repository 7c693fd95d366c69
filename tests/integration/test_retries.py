"""Supervision: when a failed event is tried again, and that nothing else waits for it."""

import json
import threading
from bisect import bisect
from statistics import median

import pytest

from support.effects import assert_keys_in_order, now, repeated_successes
from support.kafka import send
from support.waiting import eventually, pause, stays
from support.working import PATIENT_BREAKER, pool, told

@pytest.fixture
def topic(kafka, name):
    return kafka.create_topic(name, 2)


@pytest.mark.parametrize("backoff, delays_ms", [
    ("constant", [200, 200, 200, 200]), ("linear", [200, 400, 600, 700]),
    ("quadratic", [200, 700, 700, 700]), ("exponential", [200, 400, 700, 700])])
def test_retries_follow_their_schedule(kafka, engines, effects, topic, backoff, delays_ms):
    [event] = kafka.produce(topic, [told(b"k", fail="transient", fail_times=4)])
    retry = {"attempts": 5, "backoff": backoff, "initial": "200ms", "max": "700ms", "jitter": 0}
    engines({"retrying": pool(topic, topic, retry=retry)}).start_and_join()
    effects.wait_done([event])
    calls = effects.of(event)
    assert [call.attempt for call in calls] == [1, 2, 3, 4, 5]
    for before, after, delay in zip(calls, calls[1:], delays_ms):
        waited = (after.start - before.end) / 1e6
        assert delay <= waited <= 3 * delay, f"{waited:.0f} ms after attempt {before.attempt}, not {delay}"


def test_the_default_backoff_is_quadratic_from_one_second(kafka, engines, effects, topic):
    [event] = kafka.produce(topic, [told(b"k", fail="transient", fail_times=2)])
    engines({"retrying": pool(topic, topic, retry={"jitter": 0})}).start_and_join()
    effects.wait_done([event])
    first, second, third = effects.of(event)
    assert 1e9 <= second.start - first.end <= 2.5e9 and 4e9 <= third.start - second.end <= 8e9


def test_jitter_spreads_retries_around_their_schedule(kafka, engines, effects, topic):
    sent = kafka.produce(topic, [told(f"k{n}".encode(), fail="transient", fail_times=1) for n in range(100)])
    retry = {"backoff": "constant", "initial": "1s", "jitter": 0.5}
    engines({"retrying": pool(topic, topic, retry=retry, pool={"workers": 32})}).start_and_join()
    effects.wait_done(sent)
    waits = [(second.start - first.end) / 1e9 for first, second in map(effects.of, sent)]
    assert min(waits) >= 0.5 and max(waits) <= 3 * 1.5 and max(waits) - min(waits) > 0.5


def test_spent_attempts_end_in_the_dlq(kafka, engines, effects, topic):
    [event] = kafka.produce(topic, [told(b"k", fail="transient")])
    engines({"failing": pool(topic, topic, retry={"attempts": 3, "initial": "50ms", "backoff": "constant"})}).start()
    [letter] = kafka.read_when(f"{topic}.failing.dlq", 1)
    assert letter.value == event.value and letter.header("attempts") == "3"
    kafka.wait_all_committed(topic, topic)
    assert len(effects.of(event)) == 3


def test_a_permanent_failure_goes_to_the_dlq_at_once(kafka, engines, effects, topic):
    [event] = kafka.produce(topic, [told(b"k", fail="permanent")])
    engines({"failing": pool(topic, topic)}).start()
    [letter] = kafka.read_when(f"{topic}.failing.dlq", 1)
    assert letter.header("attempts") == "1" and letter.header("error-class") == "told"
    assert len(effects.of(event)) == 1


class Paced:
    """10,000 keys over two partitions at a steady rate; each event says when it was sent. Once a second the
    failing key has one more."""

    FAILING = b"failing"

    def __init__(self, kafka, topic, gate, per_second=600):
        self.kafka, self.topic, self.gate, self.per_tick = kafka, topic, gate, per_second // 50
        self.sent, self.fail = [], False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _run(self):
        producer, n, tick = self.kafka.producer(), 0, 0
        begun = now()
        while not self._stop.wait(max(0.0, (begun + tick * 20_000_000 - now()) / 1e9)):
            tick += 1
            for _ in range(self.per_tick):
                n += 1
                send(producer, self.topic, told(f"key-{n * 7919 % 10_000}".encode(), n % 2, t=now()), self.sent.append)
            if self.fail and tick % 50 == 0:
                event = told(self.FAILING, 0, t=now(), fail="transient", fail_until_file=str(self.gate))
                send(producer, self.topic, event, self.sent.append)
            producer.poll(0)
        producer.flush(30)


@pytest.mark.limit(150)
def test_a_key_that_fails_for_a_minute_delays_none_of_10000_others(kafka, engines, effects, topic, tmp_path):
    window, gate = 1000, tmp_path / "mended"
    engine = engines({"patient": {
        **pool(topic, topic), "consume": {"topic": topic, "group": topic, "window": window},
        "retry": {"attempts": 1000, "backoff": "constant", "initial": "500ms", "jitter": 0.2}}}).start_and_join()
    with Paced(kafka, topic, gate) as load:
        pause(8)
        began = now()
        load.fail = True
        pause(60)
        ended = now()
        load.fail = False
        gate.touch()
    calls = effects.wait_done(load.sent)
    assert_keys_in_order(calls)
    assert not repeated_successes(calls)

    failing = [call for call in calls if call.key == load.FAILING]
    first_failing = min(failing, key=lambda call: call.start)
    assert len({call.id for call in failing}) >= 50 and first_failing.start < began + 5e9
    assert max(call.end for call in failing if not call.succeeded) > began + 55e9
    passed = [c for c in calls if c.partition == 0 and c.offset > first_failing.offset and c.end and c.end < ended
              and c.succeeded]
    assert len(passed) >= 10 * window

    # Whoever waits for the failing key waits through its attempts, half a second apart; a slow machine shows as
    # a few of them, a key that is held up as all of them.
    attempts = sorted(call.end for call in failing if not call.succeeded)
    waited = [bisect(attempts, call.start) - bisect(attempts, json.loads(call.value)["t"]) for call in calls
              if call.key != load.FAILING and call.start < ended]
    assert median(waited) == 0 and max(waited) < 20, f"others waited through {max(waited)} of {len(attempts)} attempts"

    kafka.wait_all_committed(topic, topic)
    assert engine.stop() == 0


def test_what_is_finished_beyond_a_parked_key_is_not_done_again_after_a_clean_stop(
        kafka, engines, effects, topic, tmp_path):
    gate = tmp_path / "mended"
    parked = kafka.produce(topic, [told(b"stuck", 0, fail="transient", fail_until_file=str(gate))] * 3)
    others = kafka.produce(topic, [told(f"k{n}".encode(), n % 2) for n in range(3000)])
    retry = {"attempts": 1000, "backoff": "constant", "initial": "200ms"}
    engine = engines({"parked": pool(topic, topic, retry=retry)}).start_and_join()
    effects.wait_done(others)
    assert engine.stop() == 0
    assert kafka.committed(topic, topic)[0] == parked[0].offset

    more = kafka.produce(topic, [told(f"k{n}".encode(), n % 2) for n in range(100)])
    engine.start_and_join()
    effects.wait_done(more)
    gate.touch()
    calls = effects.wait_done(parked)
    assert not repeated_successes(calls)
    assert_keys_in_order(calls)
    kafka.wait_all_committed(topic, topic)
    assert engine.stop() == 0


def test_unavailable_opens_the_breaker_which_probes_one_event_at_a_time_and_spends_no_attempts(
        kafka, engines, effects, topic, tmp_path):
    gate = tmp_path / "back"
    sent = kafka.produce(topic, [told(f"k{n}".encode(), n % 2, fail="unavailable", fail_until_file=str(gate))
                                 for n in range(200)])
    workers, open_for = 4, 0.5
    engine = engines({"careful": pool(topic, topic, pool={"workers": workers}, retry={"attempts": 2},
                                      breaker={**PATIENT_BREAKER, "open_for": "500ms"})}).start_and_join()
    eventually(lambda: len(effects.read()) >= workers + 5, 20, "five probes")
    assert engine.logged("warn", "breaker") or engine.logged("error", "breaker")
    # Those that ran when it opened, and then one at a time.
    probes = effects.calls[workers:]
    for before, after in zip(probes, probes[1:]):
        assert after.start - before.end >= open_for * 0.95e9
    assert len({probe.key for probe in probes}) == len(probes), "another key each time"
    gate.touch()
    calls = effects.wait_done(sent)
    assert all(call.attempt == 1 for call in calls)
    assert_keys_in_order(calls)
    assert sum(kafka.ends(f"{topic}.careful.dlq").values()) == 0


def test_too_many_failures_open_the_breaker_and_a_success_closes_it(kafka, engines, effects, topic, tmp_path):
    gate = tmp_path / "back"
    sent = kafka.produce(topic, [told(f"k{n}".encode(), n % 2, fail="transient", fail_until_file=str(gate))
                                 for n in range(500)])
    engines({"careful": pool(topic, topic, pool={"workers": 4},
                             retry={"attempts": 10, "backoff": "constant", "initial": "10ms"},
                             breaker={"failure_ratio": 0.5, "over": 20, "open_for": "1s"})}).start_and_join()
    eventually(lambda: len(effects.read()) >= 20, 20, "it fails")
    # Twenty outcomes, what ran at that moment, and the probes of three seconds.
    stays(lambda: len(effects.read()) <= 20 + 4 + 5, 3, lambda: f"{len(effects.calls)} calls")
    gate.touch()
    effects.wait_done(sent)


def test_a_poison_event_can_not_hold_the_breaker_open(kafka, engines, effects, topic, tmp_path):
    gate = tmp_path / "back"
    poison = kafka.produce(topic, [told(b"poison", 0, fail="transient")])
    sent = kafka.produce(topic, [told(f"k{n}".encode(), 0, fail="unavailable", fail_until_file=str(gate))
                                 for n in range(5)])
    engines({"careful": pool(topic, topic, retry={"attempts": 3, "backoff": "constant", "initial": "10ms"},
                             breaker={**PATIENT_BREAKER, "open_for": "200ms"})}).start_and_join()
    eventually(lambda: len(effects.read()) >= 8, 20, "the breaker probes")
    gate.touch()
    effects.wait_done(sent)
    [letter] = kafka.read_when(f"{topic}.careful.dlq", 1)
    assert letter.header("original-offset") == str(poison[0].offset)


def test_a_publish_that_fails_is_repeated_without_the_handler(kafka, engines, effects, topic):
    out = f"{topic}-later"
    sent = kafka.produce(topic, [told(b"a", 0), told(b"a", 0), told(b"b", 1)])
    engines({"chain": pool(topic, topic, handler="effect.publish",
                           publish={"topic": out, "timeout": "2s"})}).start()
    eventually(lambda: len(effects.done()) == 2, 20, "the first event of each key was handled")
    stays(lambda: len(effects.done()) == 2, 4, "the keys wait")
    kafka.create_topic(out, 1)
    assert len(kafka.read_when(out, 3)) == 3
    kafka.wait_all_committed(topic, topic)
    assert [len(effects.of(event)) for event in sent] == [1, 1, 1]

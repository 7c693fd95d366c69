"""Dead letters: byte for byte, acknowledged before the source moves, and never a flood."""

import os
import time
from datetime import datetime, timezone

import pytest

from support.effects import repeated_successes
from support.kafka import Event
from support.waiting import eventually, stays
from support.working import PATIENT_BREAKER, pool, told

ADDED = {"error", "original-topic", "original-partition", "original-offset", "original-timestamp", "original-group",
         "actor", "error-class", "attempts", "first-failed-at", "failed-at", "replay-count"}


NO_BRAKE = {"ratio": 1.0, "run": 100_000}


def burying(topic, group, dlq=None, **actor):
    return pool(topic, group, **{"retry": {"attempts": 2, "backoff": "constant", "initial": "50ms"},
                                 "dlq": {"flood": NO_BRAKE, **(dlq or {})}, **actor})


def dead(key, partition=None, **instructions):
    return told(key, partition, fail="permanent", **instructions)


@pytest.fixture
def topic(kafka, name):
    return kafka.create_topic(name, 3)


def test_a_dead_letter_is_its_event_byte_for_byte(kafka, engines, http_service, topic):
    stamp = int(time.time() * 1000) - 123_456
    events = [
        Event(b"plain", b'{"answers":[{"status":404}]}', 0, timestamp=stamp),
        Event(bytes(range(256)), os.urandom(5000), 1, timestamp=stamp + 1, headers=[
            ("twice", b"first"), ("twice", b"second"), ("null", None), ("empty", b""), ("bytes", bytes(range(256))),
            ("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]),
        Event(None, b"without a key", 2, timestamp=stamp + 2),
        Event(b"tombstone", None, 0, timestamp=stamp + 3),
        Event(b"", b"", 1, timestamp=stamp + 4)]
    http_service.default = {"status": 404}
    sent = kafka.produce(topic, events)
    began = datetime.now(timezone.utc)
    engines({"burying": burying(topic, f"{topic}-group", handler={"http": http_service.url})}).start_and_join()
    letters = kafka.read_when(f"{topic}.burying.dlq", len(events))
    ended = datetime.now(timezone.utc)
    by_origin = {(int(l.header("original-partition")), int(l.header("original-offset"))): l for l in letters}
    assert len(by_origin) == len(letters) == len(events)
    for event, where in zip(events, sent):
        letter = by_origin[where.partition, where.offset]
        assert (letter.key, letter.value, letter.timestamp) == (event.key, event.value, event.timestamp)
        assert [h for h in letter.headers if h[0] not in ADDED] == event.headers
        assert {h[0] for h in letter.headers} >= ADDED
        assert letter.header("original-topic") == topic
        assert letter.header("original-timestamp") == str(event.timestamp)
        assert letter.header("original-group") == f"{topic}-group"
        assert letter.header("actor") == "burying"
        assert letter.header("attempts") == "1" and letter.header("replay-count") == "0"
        assert "404" in letter.header("error") and letter.header("error-class")
        for name in ("first-failed-at", "failed-at"):
            at = datetime.fromisoformat(letter.header(name))
            assert at.tzinfo and began.timestamp() - 1 <= at.timestamp() <= ended.timestamp() + 1


def test_headers_of_an_earlier_hop_are_replaced_and_those_of_the_first_kept(kafka, engines, topic):
    first_hop = [("original-topic", b"orders"), ("original-partition", b"7"), ("original-offset", b"99"),
                 ("original-timestamp", b"1700000000000"), ("original-group", b"first"), ("replay-count", b"2"),
                 ("error", b"old"), ("actor", b"old"), ("attempts", b"5"), ("error-class", b"old"), ("mine", b"1")]
    event = dead(b"k", 0)
    event.headers = first_hop
    kafka.produce(topic, [event])
    engines({"burying": burying(topic, topic)}).start()
    [letter] = kafka.read_when(f"{topic}.burying.dlq", 1)
    for name, value in first_hop[:6] + first_hop[-1:]:
        assert letter.header(name) == value.decode()
    assert letter.header("error") == "told to fail for good"
    assert letter.header("actor") == "burying" and letter.header("attempts") == "1"


def test_first_failed_at_is_the_first_attempt_and_failed_at_the_last(kafka, engines, topic):
    kafka.produce(topic, [told(b"k", fail="transient")])
    retry = {"attempts": 3, "backoff": "constant", "initial": "700ms", "jitter": 0}
    engines({"burying": burying(topic, topic, retry=retry)}).start()
    [letter] = kafka.read_when(f"{topic}.burying.dlq", 1)
    first, last = (datetime.fromisoformat(letter.header(name)) for name in ("first-failed-at", "failed-at"))
    assert 1.4 <= (last - first).total_seconds() <= 4.2
    assert letter.header("attempts") == "3"


def test_the_dlq_is_created_with_as_many_partitions_as_its_source_and_keeps_what_is_old(kafka, engines, topic):
    engines({"burying": burying(topic, topic)}).start_and_join()
    assert kafka.partitions(f"{topic}.burying.dlq") == 3
    assert kafka.config_of(f"{topic}.burying.dlq", "retention.ms") == "-1", "letters keep the time of their events"


def test_a_list_of_topics_has_a_dlq_for_each(kafka, engines, topic):
    other = kafka.create_topic(f"{topic}-other", 2)
    kafka.produce(topic, [dead(b"a")])
    kafka.produce(other, [dead(b"b")])
    engines({"burying": burying([topic, other], topic)}).start()
    for source, key in ((topic, b"a"), (other, b"b")):
        [letter] = kafka.read_when(f"{source}.burying.dlq", 1)
        assert letter.key == key and letter.header("original-topic") == source
        assert kafka.partitions(f"{source}.burying.dlq") == kafka.partitions(source)


def test_a_dlq_can_be_named(kafka, engines, topic):
    kafka.produce(topic, [dead(b"a")])
    engines({"burying": burying(topic, topic, dlq={"topic": f"{topic}-graves"})}).start()
    assert len(kafka.read_when(f"{topic}-graves", 1)) == 1


def test_a_dead_letter_that_is_not_acknowledged_survives_a_kill(kafka, engines, effects, topic):
    graves = f"{topic}-graves"
    [poison] = kafka.produce(topic, [dead(b"poison", 0)])
    others = kafka.produce(topic, [told(f"k{n}".encode(), 0) for n in range(100)])
    engine = engines({"burying": burying(topic, topic, dlq={"topic": graves, "create": False})}).start_and_join()
    effects.wait_done(others)
    eventually(lambda: any(call.end for call in effects.of(poison)), 10, "the poison failed")
    engine.kill()
    kafka.create_topic(graves, 1)
    engine.start()
    [letter] = kafka.read_when(graves, 1, 60)
    assert letter.header("original-offset") == str(poison.offset)
    kafka.wait_all_committed(topic, topic)


def test_a_full_window_behind_an_unwritable_dlq_skips_nothing(kafka, engines, effects, topic):
    graves = f"{topic}-graves"
    # Every second event can't be buried: the runs of what is finished do not fit for ever.
    sent = kafka.produce(topic, [dead(f"p{n}".encode(), 0) if n % 2 else told(f"k{n}".encode(), 0)
                                 for n in range(2000)])
    consume = {"topic": topic, "group": topic, "window": 200}
    engines({"burying": burying(topic, topic, consume=consume, dlq={"topic": graves, "create": False})}).start()
    eventually(lambda: len(effects.read()) >= 200, 20, "the window fills")
    stays(lambda: len({call.id for call in effects.read()}) <= 500, 3, "what is admitted is bounded")
    kafka.create_topic(graves, 1)
    assert len(kafka.read_when(graves, 1000, 40)) == 1000
    effects.wait_done(sent[::2])
    kafka.wait_all_committed(topic, topic)


def braking(topic, run):
    return burying(topic, topic, pool={"workers": 4}, breaker={**PATIENT_BREAKER, "open_for": "1s"},
                   dlq={"flood": {"ratio": 0.2, "run": run}})


def test_a_flood_is_braked_instead_of_emptying_the_topic_into_the_dlq(kafka, engines, effects, topic, tmp_path):
    gate = str(tmp_path / "mended")
    sent = kafka.produce(topic, [dead(f"k{n}".encode(), 0, fail_until_file=gate) for n in range(1000)])
    engine = engines({"braking": braking(topic, run=10)}).start_and_join()
    graves = f"{topic}.braking.dlq"
    kafka.read_when(graves, 10)
    # What ran when it pulled, and at most one a second.
    stays(lambda: sum(kafka.ends(graves).values()) <= 10 + 4 + 5, 4, lambda: f"{kafka.ends(graves)} dead letters")
    assert engine.logged("warn", "flood") or engine.logged("error", "flood")
    (tmp_path / "mended").touch()
    kafka.wait_all_committed(topic, topic)
    buried = {int(letter.header("original-offset")) for letter in kafka.read(graves)}
    assert len(buried) < 50
    done = {offset for _, _, offset in effects.done()}
    assert done | buried == {event.offset for event in sent}


def test_a_ratio_of_dead_letters_brakes_too(kafka, engines, effects, topic, tmp_path):
    gate = str(tmp_path / "mended")
    sent = kafka.produce(topic, [dead(f"k{n}".encode(), 0, fail_until_file=gate) if n % 3 == 0
                                 else told(f"k{n}".encode(), 0) for n in range(3000)])
    engines({"braking": braking(topic, run=10_000)}).start_and_join()
    graves = f"{topic}.braking.dlq"
    kafka.read_when(graves, 50)
    stays(lambda: sum(kafka.ends(graves).values()) <= 200, 3, lambda: f"{kafka.ends(graves)} dead letters")
    (tmp_path / "mended").touch()
    kafka.wait_all_committed(topic, topic, 40)
    assert len(effects.done()) + sum(kafka.ends(graves).values()) == len(sent)


def test_an_event_too_large_to_publish_is_a_dead_letter(kafka, engines, topic):
    out = kafka.create_topic(f"{topic}-out", 1, max_message_bytes=2000)
    kafka.produce(topic, [told(b"large", 0, publish_bytes=10_000), told(b"small", 0)])
    engines({"chain": burying(topic, topic, handler="effect.publish", publish={"topic": out})}).start()
    assert [r.key for r in kafka.read_when(out, 1)] == [b"small"]
    [letter] = kafka.read_when(f"{topic}.chain.dlq", 1)
    assert letter.key == b"large"
    kafka.wait_all_committed(topic, topic)


def test_dead_letters_keep_the_order_of_their_key(kafka, engines, effects, topic):
    sent = kafka.produce(topic, [dead(f"k{n % 5}".encode(), 0) for n in range(300)])
    engines({"burying": burying(topic, topic)}).start()
    letters = kafka.read_when(f"{topic}.burying.dlq", 300)
    for key in {event.key for event in sent}:
        offsets = [int(l.header("original-offset")) for l in letters if l.key == key]
        assert offsets == sorted(offsets) and len(offsets) == 60
    assert not repeated_successes(effects.read())

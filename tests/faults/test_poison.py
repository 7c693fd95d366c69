"""Rows 10 to 15: dead letters that can't be written, events that can't be read, handlers that throw or hang."""

import base64
import hashlib
import json
import os
import time
from datetime import datetime
from statistics import median

import pytest

from support import page_views
from support.background import Background
from support.effects import assert_keys_in_order, repeated_successes
from support.kafka import Event, send
from support.waiting import eventually, pause, stays
from support.working import pool, told

NO_BRAKE = {"ratio": 1.0, "run": 100_000}


@pytest.fixture
def topic(kafka, name):
    return kafka.create_topic(name, 3)


def seconds_until(condition, within, what):
    began = time.monotonic()
    eventually(condition, within, what)
    return time.monotonic() - began


@pytest.mark.row(10)
@pytest.mark.short
@pytest.mark.limit(120)
def test_without_its_dlq_topic_a_key_waits_and_nothing_is_committed_past_it_until_it_is_there(
        kafka, engines, effects, topic, figure):
    graves = f"{topic}-graves"
    before = kafka.produce(topic, [told(f"k{n}".encode(), 0) for n in range(50)])
    [poison] = kafka.produce(topic, [told(b"poison", 0, fail="permanent")])
    behind = kafka.produce(topic, [told(b"poison", 0)])
    others = kafka.produce(topic, [told(f"k{n}".encode(), 0) for n in range(1000)])
    engine = engines({"burying": pool(topic, topic, dlq={"topic": graves, "create": False})}).start_and_join()
    effects.wait_done(before + others)
    eventually(lambda: kafka.committed(topic, topic)[0] == poison.offset, 20, "committed up to the poison")
    eventually(lambda: engine.logged("error", graves) or engine.logged("warn", graves), 20, "the DLQ is named")
    stays(lambda: kafka.committed(topic, topic)[0] == poison.offset, 3, "not past it")
    assert not effects.done() & {event.id for event in behind}
    kafka.create_topic(graves, 1)
    drained = seconds_until(lambda: effects.done() >= {event.id for event in behind}, 3 * 10, "the key goes on")
    kafka.wait_all_committed(topic, topic)
    [letter] = kafka.read(graves)
    assert letter.header("original-offset") == str(poison.offset)
    assert len(effects.of(poison)) == 1, "the dead letter is tried again, not the handler"
    assert_keys_in_order(effects.calls)
    figure(f"0 commits past the poison; drained {drained:.1f} s after the topic was there", drained=drained)


@pytest.mark.row(11)
@pytest.mark.short
def test_a_dead_letter_too_large_for_the_broker_becomes_an_envelope(kafka, engines, topic, figure):
    graves = kafka.create_topic(f"{topic}-graves", 1, max_message_bytes=4000)
    value = json.dumps({"fail": "permanent", "pad": os.urandom(20_000).hex()}).encode()
    events = [Event(b"large", value, 0, headers=[("mine", b"x" * 3000)]), told(b"small", 0, fail="permanent")]
    sent = kafka.produce(topic, events)
    engines({"burying": pool(topic, topic, dlq={"topic": graves, "flood": NO_BRAKE})}).start()
    letters = {letter.header("original-offset"): letter for letter in kafka.read_when(graves, 2, 40)}
    assert letters["1"].value == events[1].value
    envelope = letters["0"]
    about = json.loads(envelope.value)
    assert hashlib.sha256(value).hexdigest() == about["sha256"]
    assert (about["topic"], about["partition"], about["offset"]) == sent[0].id
    assert about["size"] == len(value)
    head = base64.b64decode(about["head_base64"])
    assert head and value.startswith(head)
    assert envelope.key == b"large" and envelope.header("actor") == "burying"
    assert {name for name, _ in envelope.headers} >= {
        "error", "error-class", "original-topic", "original-partition", "original-offset", "original-timestamp",
        "original-group", "attempts", "first-failed-at", "failed-at", "replay-count"}
    kafka.wait_all_committed(topic, topic)
    figure(f"{len(value)} bytes became an envelope of {len(envelope.value)}, the hash matches")


# ---- row 12 ----

def order(number, **more):
    return json.dumps({"order_id": f"o-{number}", "customer_id": "c", "total": 2,
                       "items": [{"product_id": "p", "quantity": 1, "price": 2}],
                       "created_at": "2026-01-31T23:59:00Z", **more}).encode()


def poisons(good, field):
    """By name, each from a good event, in which the field `field` is 2."""
    number = b'"%b": ' % field
    deep = b'{"a":' * 100_000 + b"1" + b"}" * 100_000

    def instead(value):
        return good.replace(number + b"2", number + value)
    return {"deep": b"[" * 100_000 + b"]" * 100_000, "deep within": instead(deep), "empty": b"",
            "truncated": good[:-20], "bad UTF-8": good[:-1] + b',"x":"\xff\xfe"}',
            "NUL": good[:-1] + b',"x":"a\0b"}',
            "10 MB": b'{"x":"' + b"x" * 10_000_000 + b'"}', "1e999": instead(b"1e999"),
            "400 digits": instead(b"1" + b"0" * 400)}


class Orders(Background):
    """Good orders at a steady rate, and once a second one of the poisons in turn while `poisoned`."""

    def __init__(self, kafka, topic, poison):
        super().__init__()
        self.producer, self.topic, self.poison, self.poisoned = kafka.producer(), topic, poison, False
        self.good, self.bad, self.tick = [], [], 0

    def step(self):
        self.tick += 1
        for _ in range(6):
            n = len(self.good)
            self.good.append(self.poisoned)
            send(self.producer, self.topic, Event(f"k{n % 1000}".encode(), order(n)), lambda where: None)
        if self.poisoned and self.tick % 50 == 0:
            value = self.poison[len(self.bad) % len(self.poison)]
            send(self.producer, self.topic, Event(b"poison", value), self.bad.append)
        self.producer.poll(0)

    def finish(self):
        self.producer.flush(60)


def reserving(topic, out):
    return {"consume": {"topic": topic, "group": topic}, "handler": "ecommerce.reserve_inventory",
            "publish": {"topic": out, "key": "/order_id"}, "dlq": {"flood": NO_BRAKE}}


@pytest.mark.row(12)
@pytest.mark.short
@pytest.mark.limit(120)
def test_each_poison_is_one_dead_letter_and_no_crash(kafka, engines, redis_server, name, figure):
    topic = kafka.create_topic(name, 3, max_message_bytes=20_000_000)
    out = kafka.create_topic(f"{name}-out")
    poison = poisons(order(1), b"price")
    accepted = order(0)[:-1] + b', "customer_id": "again"}'
    kafka.produce(topic, [Event(what.encode(), value) for what, value in poison.items()] + [Event(b"twice", accepted)]
                  + [Event(f"k{n}".encode(), order(n)) for n in range(1, 301)])
    engine = engines({"reserving": reserving(topic, out)}, redis_server, binary="TROUPE_BINARY").start_and_join()
    assert {json.loads(r.value)["order_id"] for r in kafka.read_when(out, 301)} == {f"o-{n}" for n in range(301)}
    kafka.wait_all_committed(topic, topic)
    letters = kafka.read(f"{topic}.reserving.dlq")
    assert sorted(letter.key.decode() for letter in letters) == sorted(poison)
    for letter in letters:
        assert letter.header("attempts") == "1", f"{letter.key}: {letter.header('error')}"
        value = poison[letter.key.decode()]
        if letter.value != value:
            assert json.loads(letter.value)["sha256"] == hashlib.sha256(value).hexdigest()
    assert engine.metric("troupe_actor_restarts_total") == 0
    assert engine.stop() == 0
    figure(f"pool: {len(letters)} poisons, 1 dead letter each; duplicate keys accepted; 0 crashes")


@pytest.mark.row(12)
@pytest.mark.short
def test_an_aggregate_counts_past_each_poison(kafka, engines, redis_server, name, figure):
    topic = kafka.create_topic(name, 3, max_message_bytes=20_000_000)
    good = json.dumps({**page_views.view("/a"), "number": 2}).encode()
    poison = poisons(good, b"number")
    twice = good[:-1] + b', "number": 3}'
    kafka.produce(topic, [Event(None, value, partition) for value in poison.values() for partition in range(3)]
                  + [Event(None, value, n % 3) for n, value in enumerate([good, twice] * 150)])
    engine = engines({"views": page_views.actor(topic, topic)}, redis_server).start_and_join()
    eventually(lambda: page_views.positions(redis_server.client, engines.app, topic)
               == {f"{topic}/{p}": end for p, end in kafka.ends(topic).items()}, 30, "all is counted or passed")
    # A number nobody reads spoils nothing, however large it is; ten million bytes of something else are filtered.
    uncounted = engine.metric("troupe_uncounted_events_total")
    assert int(redis_server.client.get("views:/a")) == 300 + 2 * 3
    assert uncounted == 3 * (len(poison) - 3)
    assert engine.metric("troupe_actor_restarts_total") == 0
    assert engine.stop() == 0
    figure(f"aggregate: {len(poison)} poisons over 3 partitions, {uncounted:.0f} uncounted, 0 crashes")


@pytest.mark.row(12)
@pytest.mark.limit(300)
def test_poison_delays_no_other_key(kafka, engines, redis_server, name, figure):
    topic = kafka.create_topic(name, 3, max_message_bytes=20_000_000)
    out = kafka.create_topic(f"{name}-out")
    engines({"reserving": reserving(topic, out)}, redis_server, binary="TROUPE_BINARY").start_and_join()
    poison = list(poisons(order(1), b"price").values())
    turns = []
    with Orders(kafka, topic, poison) as orders:
        pause(3)
        for turn in range(10):
            orders.poisoned = turn % 2 == 1
            turns.append((orders.poisoned, len(orders.good)))
            pause(10)
        turns.append((False, len(orders.good)))
    published = {int(json.loads(r.value)["order_id"][2:]): r.timestamp
                 for r in kafka.read_when(out, len(orders.good), 60)}
    came = {int(json.loads(r.value)["order_id"][2:]): r.timestamp for r in kafka.read(topic) if r.key != b"poison"}
    kafka.wait_all_committed(topic, topic)
    assert len(kafka.read(f"{topic}.reserving.dlq")) == len(orders.bad)

    def p99(first, end):
        waited = sorted(published[n] - came[n] for n in range(first, end))
        return waited[len(waited) * 99 // 100]
    by_kind = {True: [], False: []}
    for (poisoned, first), (_, end) in zip(turns, turns[1:]):
        by_kind[poisoned].append(p99(first, end))
    quiet, poisoned = median(by_kind[False]), median(by_kind[True])
    # A few milliseconds are the resolution of the timestamps and of a machine that does other things too.
    assert poisoned <= quiet * (1 + 3 * 0.2) + 5, by_kind
    figure(f"others' p99 {quiet:.0f} ms without, {poisoned:.0f} ms with poison ({by_kind})",
           quiet_ms=by_kind[False], poisoned_ms=by_kind[True])


# ---- row 13 ----

class Storm(Background):
    """Events of which one in a hundred fails each time."""

    def __init__(self, kafka, topic):
        super().__init__()
        self.producer, self.topic, self.sent, self.n = kafka.producer(), topic, [], 0

    def step(self):
        for _ in range(12):
            self.n += 1
            instructions = {"fail": "transient"} if self.n % 100 == 0 else {}
            send(self.producer, self.topic, told(f"k{self.n}".encode(), **instructions), self.sent.append)
        self.producer.poll(0)

    def finish(self):
        self.producer.flush(60)


@pytest.mark.row(13)
@pytest.mark.short
@pytest.mark.limit(1000)
def test_a_storm_of_poison_takes_no_more_memory_the_longer_it_lasts(
        kafka, engines, effects, topic, figure, whole):
    seconds = 600 if whole else 10
    retry = {"attempts": 4, "backoff": "constant", "initial": "10s" if whole else "1s", "jitter": 0.2}
    engine = engines({"storm": pool(topic, topic, retry=retry, pool={"workers": 4},
                                    dlq={"flood": NO_BRAKE})}).start_and_join()
    samples = []

    def sample():
        samples.append(engine.memory_mb())
        return True
    with Storm(kafka, topic) as storm:
        stays(sample, seconds, "it runs", every=0.5)
    poison = [event for event in storm.sent if b"fail" in event.value]
    effects.wait_done([event for event in storm.sent if b"fail" not in event.value], 60)
    letters = kafka.read_when(f"{topic}.storm.dlq", len(poison), 60)
    assert sorted((l.header("original-partition"), l.header("original-offset")) for l in letters) \
        == sorted((str(event.partition), str(event.offset)) for event in poison)
    kafka.wait_all_committed(topic, topic)
    assert not repeated_successes(effects.read())
    first, last = samples[len(samples) // 4:len(samples) // 2], samples[-len(samples) // 4:]
    grown = median(last) - median(first)
    assert grown < 16 and max(samples) < 256, samples
    figure(f"{len(storm.sent)} events in {seconds} s, {len(poison)} of them poison: {median(first):.1f} MB in the "
           f"second quarter, {median(last):.1f} MB in the last, {max(samples):.1f} MB at most",
           seconds=seconds, grown_mb=grown)


# ---- rows 14 and 15 ----

@pytest.mark.row(14)
@pytest.mark.short
def test_whatever_a_handler_throws_its_lane_recovers_and_nothing_is_lost(kafka, engines, effects, topic, figure):
    kinds, initial = ("throw", "throw_int", "transient"), 50
    sent = kafka.produce(topic, [told(f"k{n}".encode(), **({"fail": kinds[n // 4 % 3], "fail_times": 2} if n % 4 == 0
                                                           else {})) for n in range(240)])
    retry = {"initial": f"{initial}ms", "backoff": "constant", "jitter": 0}
    engine = engines({"throwing": pool(topic, topic, retry=retry)}).start_and_join()
    assert_keys_in_order(effects.wait_done(sent))
    kafka.wait_all_committed(topic, topic)
    late = []
    for n, event in enumerate(sent):
        calls = effects.of(event)
        assert len(calls) == (3 if n % 4 == 0 else 1)
        if n % 4 == 0 and kinds[n // 4 % 3] != "transient":
            late += [(after.start - before.end) / 1e6 - initial for before, after in zip(calls, calls[1:])]
    assert median(late) < 3 * 100, late
    assert engine.metric("troupe_actor_restarts_total") == 0
    assert engine.stop() == 0
    figure(f"lanes recover {median(late):.1f} ms after their backoff, at most {max(late):.1f} ms", recovered_ms=late)


def wall_seconds(monotonic_ns):
    return time.time() - (time.monotonic_ns() - monotonic_ns) / 1e9


@pytest.mark.row(15)
@pytest.mark.short
def test_a_handler_that_hangs_is_named_in_time_and_stops_no_other_lane(
        kafka, engines, effects, topic, tmp_path, figure):
    deadline, gate = 0.5, tmp_path / "free"
    [hanging] = kafka.produce(topic, [told(b"hanging", 0, hang_until_file=str(gate))])
    behind = kafka.produce(topic, [told(b"hanging", 0) for _ in range(3)])
    others = kafka.produce(topic, [told(f"k{n}".encode(), n % 2) for n in range(500)])
    # Without a thread in its place the pool of one would stand still.
    engine = engines({"stuck": pool(topic, topic, deadline=f"{deadline * 1000:.0f}ms",
                                    pool={"workers": 1, "max_workers": 4},
                                    retry={"initial": "50ms", "backoff": "constant"})}).start_and_join()
    effects.wait_done(others, 20)
    event_id = "/".join(map(str, hanging.id))
    [line] = eventually(lambda: engine.logged("warn", event_id) + engine.logged("error", event_id), 10,
                        "the hanging call is named in the log")
    [call] = effects.of(hanging)
    detected = datetime.fromisoformat(line["ts"]).timestamp() - wall_seconds(call.start)
    assert detected < 3 * 2 * deadline
    assert engine.metric("troupe_hung_handlers") == 1
    assert not effects.done() & {event.id for event in behind}
    assert call.end is None
    gate.touch()
    effects.wait_done([hanging, *behind])
    assert_keys_in_order(effects.calls)
    figure(f"a hanging call was named {detected:.2f} s after its start, its deadline was {deadline} s",
           detected=detected)


@pytest.mark.row(15)
@pytest.mark.short
def test_handlers_that_hang_beyond_max_workers_end_the_process_and_their_events_come_again(
        kafka, engines, effects, topic, tmp_path, figure):
    gate = tmp_path / "free"
    hanging = kafka.produce(topic, [told(f"h{n}".encode(), 0, hang_until_file=str(gate)) for n in range(6)])
    others = kafka.produce(topic, [told(f"k{n}".encode(), 1) for n in range(100)])
    engine = engines({"stuck": pool(topic, topic, deadline="300ms", pool={"workers": 2, "max_workers": 4})},
                     shutdown={"deadline": "3s"})
    assert engine.start().wait(30) == 70
    hung = {call.id for call in effects.read()} & {event.id for event in hanging}
    assert len(hung) == 4
    gate.touch()
    engine.start()
    effects.wait_done(hanging + others)
    kafka.wait_all_committed(topic, topic)
    assert not repeated_successes(effects.calls)
    assert engine.stop() == 0
    figure("4 of 4 workers hung: exit 70; after the restart each event was done once")

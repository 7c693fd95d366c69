"""A chain of two actors with exactly_once, from a source through a topic between them to a sink, and its judgement."""

import json
from collections import Counter, defaultdict

from support.background import Background
from support.kafka import send
from support.waiting import eventually
from support.working import PATIENT_BREAKER, QUICK_SESSION, told

PARTITIONS = 3


class Chain:
    def __init__(self, kafka, engines, name):
        self.kafka, self.engines = kafka, engines
        self.source, self.between, self.sink = (
            kafka.create_topic(f"{name}-{step}", PARTITIONS) for step in ("source", "between", "sink"))

    def actors(self, **changes):
        """`changes` of both actors."""
        def step(begin, end):
            return {"consume": {"topic": begin, "group": begin}, "handler": "effect.publish",
                    "breaker": PATIENT_BREAKER, "pool": {"workers": 16},
                    "retry": {"attempts": 100, "backoff": "constant", "initial": "100ms"},
                    "publish": {"topic": end}, "guarantee": "exactly_once", **changes}
        return {"first": step(self.source, self.between), "second": step(self.between, self.sink)}

    def engine(self, actors=None, **top):
        top.setdefault("kafka", {"brokers": self.kafka.address, "consumer": QUICK_SESSION})
        return self.engines(actors or self.actors(), **top)

    def load(self, **options):
        return Load(self.kafka, self.source, **options)

    def wait_through(self, sent, within=60):
        """Until the sink has as many events as were sent; what it has then."""
        def arrived():
            records = self.kafka.read(self.sink)
            return records if len(records) >= len(sent) else None
        return eventually(arrived, within, f"{len(sent)} events in {self.sink}", 0.3)

    def assert_exact(self, sent, within=60):
        """Each event once in both topics, those of a key in order."""
        self.wait_through(sent, within)
        self.kafka.wait_all_committed(self.source, self.source)
        between = self.kafka.read(self.between)
        assert_once_in_order(between, sent)
        assert {r.header("source") for r in between} == {f"{s.topic}/{s.partition}/{s.offset}" for s in sent}
        assert_once_in_order(self.kafka.read(self.sink), sent)


def assert_once_in_order(records, sent):
    got, wanted = Counter(r.value for r in records), Counter(s.value for s in sent)
    assert len(wanted) == len(sent), "the events of a test are told apart by their values"
    twice = {value for value, count in got.items() if count > 1}
    assert not twice, f"{len(twice)} events are there more than once: {sorted(twice)[:3]}"
    assert got == wanted, f"lost {list((wanted - got))[:3]}, unknown {list((got - wanted))[:3]}"
    by_key = defaultdict(list)
    for record in records:
        by_key[record.key].append(json.loads(record.value)["n"])
    for key, numbers in by_key.items():
        assert numbers == sorted(numbers), f"out of order: {key} {numbers}"


def numbered(n, key, **instructions):
    """An event of this key in the partition that the key's number names."""
    return told(f"key-{key}".encode(), key % PARTITIONS, n=n, **instructions)


class Load(Background):
    """Numbered events of 100 keys at a steady rate, a few of which fail once; until it is left."""

    def __init__(self, kafka, topic, per_second=500, sleep_ms=3):
        super().__init__()
        self.topic, self.per_tick, self.sleep_ms = topic, per_second // 50, sleep_ms
        self.made, self.sent, self.producer = 0, [], kafka.producer()

    def step(self):
        for _ in range(self.per_tick):
            self.made += 1
            failing = {"fail": "transient", "fail_times": 1} if self.made % 197 == 0 else {}
            event = numbered(self.made, self.made * 7919 % 100, sleep_ms=self.sleep_ms, **failing)
            send(self.producer, self.topic, event, self.sent.append)
        self.producer.poll(0)

    def finish(self):
        assert self.producer.flush(30) == 0

"""C: events are produced as fast as it goes."""

import time

import contestants as c
from common import process_seconds
from measuring import Run, Wrong

LETTER, TITLE = "C", "Producing, acknowledged by all replicas"
COLUMNS = (("rate", "events/s", 0), ("cpu", "CPU-s per M", 2), ("memory", "peak MiB", 0))
BASELINES, RATIOS, ROUNDS = {"": "librdkafka"}, ("rate", "cpu"), None
NOTE = ("200 bytes, 2,000 keys, 8 partitions, no compression. The engine's events are made by a `generate` actor and "
        "sent by the publisher; the bare producer has the same settings. What is counted are events that the broker has, over some seconds once it runs. "
        "Some runs before are not counted: they warm the broker up.")
PARTITIONS, KEYS, VALUE, WARM_UPS = 8, 2000, "x" * 200, 6


def generate(run):
    return {"load": {"generate": {"topic": run.topic, "keys": KEYS, "value": VALUE, "every": "1ms"}}}


SAME = {"KEYS": KEYS, "VALUE": VALUE}


def contestants():
    return {"librdkafka": c.limit("produce", **SAME), "troupe": c.troupe(generate, c.SENT),
            "kafka-go": c.kafka_go("produce", **SAME), "franz-go": c.franz_go("produce", **SAME)}


def prepare(bench):
    # What was counted may go.
    bench.broker.create("bench.produced", PARTITIONS, **{"retention.bytes": str(256 * 2**20),
                                                         "segment.bytes": str(64 * 2**20)})
    # A broker takes twice as much once Java has compiled it, which is some tens of millions of events away.
    for _ in range(WARM_UPS):
        measure(bench, None, "warm-up", c.limit("produce", **SAME))


def measure(bench, _, name, program):
    topic = "bench.produced"
    written = lambda: bench.broker.written(topic, PARTITIONS)
    before = written()
    with Run(bench, name, program, topic) as run:
        while written() == before:
            run.look()
            time.sleep(0.02)
        time.sleep(1)
        first, began, used = written(), time.monotonic(), process_seconds(run.pid)
        time.sleep(bench.options.seconds)
        run.look()
        produced, took, used = written() - first, time.monotonic() - began, process_seconds(run.pid) - used
        acknowledged = run.done() if program.counter else 0
        run.stop()
        if not produced or written() - before < acknowledged:
            raise Wrong(f"{acknowledged:,} were acknowledged, and the topic has {written() - before:,}")
        return {"rate": produced / took, "cpu": used / produced * 1e6, "memory": run.peak_mib()}

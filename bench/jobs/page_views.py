"""A: page views are counted by path into Redis."""

import time

import contestants as c
from measuring import LONGEST_RUN, Run, Wrong, figures
from servers import load

LETTER, TITLE = "A", "Page views, counted by page into Redis every second"
COLUMNS = (("rate", "events/s", 0), ("cpu", "CPU-s per M", 2), ("memory", "peak MiB", 0))
BASELINES, RATIOS, ROUNDS = {"": "limit"}, ("rate", "cpu"), None
NOTE = ("The same topic from its start, in turns. From the first event counted to all counts being in Redis: when the last "
        "event is consumed, SIGTERM asks for the last flush. The engine runs with every guarantee, and counts per minute "
        "of event time besides. Counts must equal what was produced, or the run does not count.")
PARTITIONS = 8


def aggregate(run, every="1s"):
    return {"page-views": {
        "consume": {"topic": run.topic, "group": run.group},
        "aggregate": {"where": {"/type": "page_view"}, "count_by": "/payload/path", "into": "views:{value}",
                      "per_minute": {"into": "page-views:{minute}", "keep": "48h"}, "event_time": "/timestamp",
                      "flush": {"every": every}}}}


def limit(flush_ms=1000):
    return c.limit("views", FLUSH_MS=flush_ms, PREFETCH_KIB=65536)


def contestants():
    return {"limit": limit(), "troupe": c.troupe(aggregate, c.CONSUMED), "kafka-go": c.kafka_go("views"),
            "franz-go": c.franz_go("views"), "Kafka Streams": c.kafka_streams()}


class Expected:
    """What a topic holds, and so what must be in Redis."""

    def __init__(self, topic, events, file):
        self.topic, self.events = topic, events
        self.totals, self.minutes = {}, {}
        for line in file.read_text().splitlines():
            kind, *rest = line.split(" ")
            if kind == "total":
                self.totals[rest[0]] = int(rest[1])
            elif kind == "minute":
                self.minutes.setdefault(rest[0], {})[rest[1]] = int(rest[2])
            else:
                self.bytes = int(rest[0])
        self.views = sum(self.totals.values())
        self.keys = ["views:" + path for path in self.totals]

    def held(self, redis):
        return [int(count or 0) for at in range(0, len(self.keys), 10_000)
                for count in redis.ask("MGET", *self.keys[at:at + 10_000])]

    def all_counted(self, redis):
        return sum(self.held(redis)) >= self.views

    def check(self, redis, minutes):
        for (path, wanted), got in zip(self.totals.items(), self.held(redis)):
            if got != wanted:
                raise Wrong(f"{got} views of {path} and not {wanted}")
        for minute, counts in self.minutes.items() if minutes else ():
            flat = redis.ask("ZRANGE", "page-views:" + minute, 0, -1, "WITHSCORES")
            if dict(zip(flat[::2], map(int, flat[1::2]))) != counts:
                raise Wrong(f"the counts of minute {minute}")


def fill(bench, topic, events, partitions=PARTITIONS, **settings):
    bench.broker.create(topic, partitions)
    return produce(bench, topic, events, **settings)


def produce(bench, topic, events, paths=1000, filler=0):
    file = bench.folder / f"{topic}.expected"
    # Event times shortly before now: the sets per minute are kept for 48 h.
    load(bench, "views", topic, EVENTS=events, PATHS=paths, FILLER=filler, EXPECTED=file,
         FIRST_SECOND=int(time.time()) // 60 * 60 - 1800)
    return Expected(topic, events, file)


def prepare(bench):
    expected = fill(bench, "bench.page-views", bench.scaled(4_000_000))
    # The first readers warm the broker up; they don't count.
    for _ in range(3):
        measure(bench, expected, "warm-up", limit())
    return expected


def measure(bench, expected, name, program):
    bench.redis.ask("FLUSHALL")
    with Run(bench, name, program, expected.topic) as run:
        run.wait_for(expected.events)
        run.ask_to_stop()
        ended = until_counted(bench.redis, expected)
        cpu = run.stop()
        expected.check(bench.redis, minutes=program.actors is not None)
        return figures([run], expected.events, ended, cpu)


def until_counted(redis, expected):
    deadline = time.monotonic() + LONGEST_RUN
    while not expected.all_counted(redis):
        if time.monotonic() > deadline:
            raise Wrong("counts are missing in Redis")
        time.sleep(0.002)
    return time.monotonic()

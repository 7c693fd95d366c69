"""D: from being produced to being handled, at a steady rate."""

import time

import contestants as c
from jobs import page_views
from jobs.orders import pool
from measuring import Logbook, Run, check_orders, check, latencies
from servers import load

LETTER, TITLE = "D", "Latency, at a steady 2,000 events/s"
COLUMNS = (("p50", "p50 ms", 2), ("p99", "p99 ms", 2), ("longest", "longest ms", 1))
RATIOS, ROUNDS = ("p50", "p99"), None
NOTE = ("From just before the event is given to the producer until the handler is called, on one clock. `counted` are page views "
        "through an aggregator that flushes every 10 ms, until Redis tells that the count is there; the limit counts alike.")
PARTITIONS, RATE, KEYS = 8, 2000, 1000


def counting(run):
    return page_views.aggregate(run, every="10ms")


COUNTED = {"limit, counted": page_views.limit(flush_ms=10), "troupe, counted": c.troupe(counting, c.CONSUMED)}
BASELINES = {"": "limit", **dict.fromkeys(COUNTED, "limit, counted")}


def contestants():
    return {"limit": c.limit("latency"), "troupe": c.troupe_with_handlers(pool("bench.handled", 8)),
            "troupe, blocking handler": c.troupe_with_handlers(pool("bench.blocking", 8)),
            "kafka-go": c.kafka_go("latency"), "franz-go": c.franz_go("latency"),
            "Parallel Consumer": c.parallel_consumer("latency", CONCURRENCY=16), **COUNTED}


def prepare(bench):
    return bench.options.seconds


def measure(bench, seconds, name, program):
    topic = f"bench.latency-{next(Run.numbers)}"
    bench.broker.create(topic, PARTITIONS)
    how = counted if name in COUNTED else handled
    return how(bench, name, program, topic, seconds)


def handled(bench, name, program, topic, seconds):
    warm_up, events = RATE, RATE * seconds
    with Run(bench, name, program, topic, warm_up + events) as run:
        load(bench, "steady", topic, RATE=RATE, SECONDS=1)
        run.wait_for(warm_up)
        load(bench, "steady", topic, RATE=RATE, SECONDS=seconds)
        run.wait_for(warm_up + events)
        run.stop()
        book = run.logbook.entries()[warm_up:]
    # The numbers of a key begin anew after the warm-up.
    check_orders(book, events)
    return latencies(book)


def counted(bench, name, program, topic, seconds):
    bench.redis.ask("FLUSHALL")
    with Run(bench, name, program, topic) as run:
        for length in (1, seconds):
            book = Logbook(run.folder / f"heard-{length}", RATE * length)
            load(bench, "steady", topic, RATE=RATE, SECONDS=length, REDIS_PORT=bench.redis.port, LOGBOOK=book.file)
        run.stop()
    bench.redis.ask("CONFIG", "SET", "notify-keyspace-events", "")
    check(len({e.key for e in book.entries()}), RATE * seconds, "pages counted")
    return latencies(book.entries())

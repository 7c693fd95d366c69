"""S: how long it takes to start and to stop."""

import time

import contestants as c
from jobs import orders, page_views
from measuring import Run

LETTER, TITLE = "S", "Start and stop, of a group that nobody else is in"
COLUMNS = (("start", "start to first event handled, ms", 0), ("stop", "SIGTERM to exit, ms", 0))
BASELINES, RATIOS, ROUNDS = {"": "limit"}, ("start", "stop"), None
NOTE = ("The events wait in the topic already; a second later nothing is left to do, and SIGTERM is sent. The broker lets a "
        "group form at once (group.initial.rebalance.delay.ms=0).")
EVENTS, AGGREGATE = 20, "troupe, an aggregate"


def aggregate(run):
    return page_views.aggregate(run, every="10ms")


def contestants():
    return {"limit": c.limit("latency"), "troupe, a pool": c.troupe_with_handlers(orders.pool("bench.handled", 8)),
            AGGREGATE: c.troupe(aggregate, c.CONSUMED), "kafka-go": c.kafka_go("latency"),
            "franz-go": c.franz_go("latency"), "Parallel Consumer": c.parallel_consumer("latency", CONCURRENCY=16)}


def prepare(bench):
    page_views.fill(bench, "bench.start-views", EVENTS)
    return orders.fill(bench, "bench.start-orders", EVENTS)[0]


def measure(bench, topic, name, program):
    bench.redis.ask("FLUSHALL")
    counts = name == AGGREGATE
    with Run(bench, name, program, "bench.start-views" if counts else topic, 0 if counts else EVENTS) as run:
        while not (bench.redis.ask("KEYS", "views:*") if counts else run.logbook.done()):
            run.look()
            time.sleep(0.001)
        seen = time.monotonic()
        if not counts:
            run.wait_for(EVENTS)
        time.sleep(1)
        # By now the entries are written; their number is, a moment before each.
        first = seen if counts else min(e.ended for e in run.logbook.entries()) / 1e9
        asked = time.monotonic()
        run.stop()
        return {"start": (first - run.began) * 1000, "stop": (time.monotonic() - asked) * 1000}

"""B: orders that take 5 ms each, those of a customer in order."""

import contestants as c
from measuring import Run, check, check_orders, figures, work_off
from servers import load

LETTER, TITLE = "B", "Orders that take 5 ms each, those of a key in order"
COLUMNS = (("rate", "orders/s", 0), ("cpu", "CPU-s per M", 1), ("memory", "peak MiB", 0))
RATIOS, ROUNDS = ("rate", "cpu"), None
NOTE = ("8 partitions, thousands of keys. The numbers are what may be under way at once. Slow contestants get fewer orders. "
        "Every order must be done once, alone among those of its key and in their order, as each process's own records show; "
        "`simulate` calls nothing and is judged by the engine's count and the group's commits. On paper 256 at once can do 51,200/s, "
        "1000 200,000/s, a goroutine or reader for each partition 1,600/s. `http` posts to a Go server that shares the cores.")
PARTITIONS, WORK_NS = 8, 5_000_000
MANY, FEWER, SOME, FEW = 400_000, 200_000, 40_000, 6_000


def pool(handler, workers, **consume):
    return lambda run: {"orders": {
        "consume": {"topic": run.topic, "group": run.group, **consume}, "handler": handler, "pool": {"workers": workers},
        "dlq": {"create": False}}}


SIMULATED, REGISTERED = {"simulate": {"latency": "5ms"}}, "bench.order"

# name → (program, orders)
FIELD = {
    "limit 256": (c.limit("orders", CONCURRENCY=256), MANY),
    "limit 1000": (c.limit("orders", CONCURRENCY=1000), MANY),
    "troupe 256 simulate": (c.troupe(pool(SIMULATED, 256), c.HANDLED), MANY),
    "troupe 256": (c.troupe_with_handlers(pool(REGISTERED, 256)), MANY),
    "troupe 1000 simulate": (c.troupe(pool(SIMULATED, 1000), c.HANDLED), MANY),
    "troupe 1000": (c.troupe_with_handlers(pool(REGISTERED, 1000)), MANY),
    "troupe 256 http": (None, SOME),
    "Parallel Consumer 256": (c.parallel_consumer("orders", CONCURRENCY=256), FEWER),
    "Parallel Consumer 1000": (c.parallel_consumer("orders", CONCURRENCY=1000), FEWER),
    "franz-go": (c.franz_go("orders"), FEW),
    "kafka-go": (c.kafka_go("orders", READERS=8, COMMIT_EVERY="0s"), FEW),
    "kafka-go batched": (c.kafka_go("orders", READERS=8, COMMIT_EVERY="1s"), FEW),
}
BASELINES = {"": "limit 256", **{name: "limit 1000" for name in FIELD if " 1000" in name}}


def contestants():
    return {name: program for name, (program, _) in FIELD.items()}


def fill(bench, topic, events, partitions=PARTITIONS, **settings):
    bench.broker.create(topic, partitions)
    return produce(bench, topic, events, **settings)


def produce(bench, topic, events, keys=None, hot_permille=0):
    load(bench, "orders", topic, EVENTS=events, KEYS=keys or min(10_000, max(100, events // 4)),
         HOT_PERMILLE=hot_permille)
    return topic, events


def prepare(bench):
    return {size: fill(bench, f"bench.orders-{size}", bench.scaled(size)) for size in (MANY, FEWER, SOME, FEW)}


def measure(bench, topics, name, program):
    topic, events = topics[FIELD[name][1]]
    if name == "troupe 256 http":
        return through_http(bench, name, topic, events)
    return work_off(bench, name, program, topic, PARTITIONS, events, work_ns=WORK_NS)[0]


def through_http(bench, name, topic, events):
    """The service keeps the logbook; the engine is measured."""
    service = c.Program(lambda bench: [c.go(bench.built) / "serve", "orders"])
    with Run(bench, "service", service, entries=events) as at:
        engine = c.troupe(pool({"http": f"http://{at.listen}/"}, 256), c.HANDLED)
        with Run(bench, name, engine, topic) as run:
            run.wait_for(events)
            done = run.done()
            cpu = run.stop()
            check(done, events, "events done")
            check(bench.broker.committed(run.group, topic, PARTITIONS), events, "events committed")
            book = at.logbook.entries()
            check_orders(book, events, WORK_NS)
            return figures([run], events, max(e.ended for e in book) / 1e9, cpu, book[0].begun / 1e9)

"""F: one key has a good part of all orders, more than it can ever be done."""

import contestants as c
from confluent_kafka import Consumer
from jobs import orders
from measuring import work_off

LETTER, TITLE = "F", "A pool with a hot key: 6.4 % of the orders are of one customer"
COLUMNS = (("hot", "hot key, /s", 0), ("others", "other partitions, /s", 0), ("neighbours", "its partition's other keys, /s", 0),
           ("of_expected", "of what the hot key allows", 2), ("memory", "peak MiB", 0))
BASELINES, RATIOS, ROUNDS = {"": "troupe, no hot key"}, ("others",), None
NOTE = ("256 at once, 5 ms each: 200/s are all that one key allows. The other keys of its partition flow until the window "
        "(of 1,024 here) is full, and then only as the hot key's orders make room: what is told is their rate from the first second on, and "
        "beside it as a share of 200/s ÷ the hot key's share of the partition, less the hot key itself. Without a hot "
        "key the same partitions are looked at.")
PERMILLE, WINDOW, ORDERS, HOT, SETTLED_NS = 64, 1024, 40_000, 0, 1_000_000_000


def contestants():
    troupe = c.troupe_with_handlers(orders.pool(orders.REGISTERED, 256, window=WINDOW))
    return {"troupe": troupe, "troupe, no hot key": troupe,
            "Parallel Consumer": c.parallel_consumer("orders", CONCURRENCY=256)}


def prepare(bench):
    events = bench.scaled(ORDERS)
    hot = orders.fill(bench, "bench.hot", events, keys=10_000, hot_permille=PERMILLE)
    even = orders.fill(bench, "bench.even", events, keys=10_000)
    return {"hot": hot[0], "even": even[0], "events": events, "partitions": partitions_of(bench, hot[0], events)}


def partitions_of(bench, topic, events):
    """Where each key's orders are."""
    found = {}
    reader = Consumer({"bootstrap.servers": bench.broker.address, "group.id": "partitions", "auto.offset.reset": "earliest"})
    reader.subscribe([topic])
    while events > 0:
        for record in reader.consume(10_000, timeout=10):
            found[int(record.key().decode().partition("-")[2])] = record.partition()
            events -= 1
    reader.close()
    return found


def measure(bench, prepared, name, program):
    topic = prepared["even" if name == "troupe, no hot key" else "hot"]
    found, book = work_off(bench, name, program, topic, orders.PARTITIONS, prepared["events"], work_ns=orders.WORK_NS)
    return {**classes(book, prepared["partitions"]), "memory": found["memory"]}


def classes(entries, partitions):
    """The rates of the hot key, of its neighbours in the partition, and of all others."""
    begun = entries[0].begun
    hot = [e.ended for e in entries if e.key == HOT]
    others = [e.ended for e in entries if partitions.get(e.key) != partitions[HOT]]
    found = {"others": len(others) / (max(others) - begun) * 1e9}
    if hot:
        near = [e.ended for e in entries if e.key != HOT and partitions[e.key] == partitions[HOT]]
        settled = [t for t in near if t > begun + SETTLED_NS]
        found["hot"] = (len(hot) - 1) / (max(hot) - min(hot)) * 1e9
        if settled:
            found["neighbours"] = len(settled) / (max(settled) - begun - SETTLED_NS) * 1e9
            found["of_expected"] = found["neighbours"] / (200 * len(near) / len(hot))
    return found

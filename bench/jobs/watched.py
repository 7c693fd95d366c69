"""T: what it costs that an engine can be watched."""

import contestants as c
from jobs import orders
from measuring import work_off

LETTER, TITLE = "T", "A pool at full load, watched and not"
COLUMNS = (("rate", "orders/s", 0), ("cpu", "CPU-s per M", 2), ("memory", "peak MiB", 0))
BASELINES, RATIOS, ROUNDS = {"": "not watched"}, ("rate", "cpu"), None
NOTE = ("Orders that take no time, so that nothing but the engine is measured. Watched, it writes what the dashboard and the command "
        "line show to Redis every second, and looks for orders of operators; without Redis there is neither.")
ORDERS = 4_000_000


def contestants():
    pool = orders.pool({"simulate": {"latency": "0ms"}}, 256)
    return {"not watched": c.troupe(pool, c.HANDLED, redis=False), "watched": c.troupe(pool, c.HANDLED)}


def prepare(bench):
    return orders.fill(bench, "bench.watched", bench.scaled(ORDERS))


def measure(bench, prepared, name, program):
    topic, events = prepared
    return work_off(bench, name, program, topic, orders.PARTITIONS, events)[0]

"""How the cost of an event grows with what there is of everything else.

Each curve changes one thing and measures events per second, CPU seconds per million events and peak memory. Through
the aggregator: page views, counted exactly. Through the pool: orders that take no time, so that what is left is the
engine's own cost; with `workers` they take 5 ms.
"""

import contextlib
import signal
import time

import contestants as c
from jobs import orders, page_views
from measuring import Run, check, figures, wait_for_all, work_off

PARTITIONS = 8
AT_ONCE = {"simulate": {"latency": "0ms"}}

# curve → (what is changed, how it is measured, its points)
CURVES = {
    "partitions, aggregator": ("partitions", lambda b, n: counted(b, partitions=n), (8, 64, 512)),
    "partitions, pool": ("partitions", lambda b, n: pooled(b, partitions=n), (8, 64, 512)),
    "keys, pool": ("keys", lambda b, n: pooled(b, keys=n, events=max(1_000_000, n)), (10, 1000, 100_000, 10_000_000)),
    "actors, pool": ("actors", lambda b, n: actors(b, n), (1, 8, 32)),
    "payload, aggregator": ("payload, bytes", lambda b, n: counted(b, size=n), (200, 1000, 10_000, 100_000)),
    "payload, pool": ("payload, bytes", lambda b, n: pooled_views(b, n), (200, 1000, 10_000, 100_000)),
    "workers, pool": ("workers", lambda b, n: working(b, n), (1, 8, 64, 256, 1000)),
    "pages, aggregator": ("distinct pages", lambda b, n: counted(b, pages=n), (10, 1000, 100_000, 1_000_000)),
    "processes, aggregator": ("processes", lambda b, n: counted_together(b, n), (1, 2, 4)),
    "processes, pool": ("processes", lambda b, n: pooled_together(b, n), (1, 2, 4)),
}
# The least that a page view of job A has.
BARE_SIZE = 200
# Of all payloads of a point, so that the large ones stay few.
MOST_BYTES = 500 * 2**20


def fresh(kind):
    return f"bench.scale-{kind}-{next(Run.numbers)}"


@contextlib.contextmanager
def views(bench, events, **settings):
    topic = fresh("views")
    yield page_views.fill(bench, topic, bench.scaled(events), **settings)
    bench.broker.delete(topic)


def counted(bench, partitions=PARTITIONS, size=BARE_SIZE, pages=1000):
    events = min(1_000_000, MOST_BYTES // size)
    with views(bench, events, paths=pages, filler=size - BARE_SIZE, partitions=partitions) as expected:
        bench.redis.ask("FLUSHALL")
        with Run(bench, "troupe", c.troupe(page_views.aggregate, c.CONSUMED), expected.topic) as run:
            run.wait_for(expected.events)
            return end_of_counting(bench, [run], expected)


def end_of_counting(bench, runs, expected):
    for run in runs:
        run.ask_to_stop()
    cpu, ended = sum(run.stop() for run in runs), time.monotonic()
    expected.check(bench.redis, minutes=True)
    return figures(runs, expected.events, ended, cpu)


def pooled(bench, partitions=PARTITIONS, keys=10_000, events=1_000_000, handler=AT_ONCE, workers=256):
    topic = fresh("orders")
    _, events = orders.fill(bench, topic, bench.scaled(events), keys=keys, partitions=partitions)
    try:
        program = c.troupe(orders.pool(handler, workers), c.HANDLED)
        return work_off(bench, "troupe", program, topic, partitions, events)[0]
    finally:
        bench.broker.delete(topic)


# ---- several processes of a group ----

@contextlib.contextmanager
def group_of(bench, processes, actors, counter):
    """They share the partitions already, and stand still: what is produced now, all begin with at once."""
    topic, group = fresh("shared"), fresh("group")
    bench.broker.create(topic, PARTITIONS)
    # So that standing still costs no member its seat.
    program = c.troupe(actors, counter, {"session.timeout.ms": "60000"})
    with contextlib.ExitStack() as stack:
        runs = [stack.enter_context(Run(bench, "troupe", program, topic, group=group)) for _ in range(processes)]
        while not shared_out([run.counted(c.ASSIGNED) for run in runs]):
            for run in runs:
                run.look()
            time.sleep(0.05)
        for run in runs:
            run.process.send_signal(signal.SIGSTOP)
        yield topic, runs
    bench.broker.delete(topic)


def shared_out(assigned):
    return sum(assigned) == PARTITIONS and min(assigned) > 0


def go_on(runs, events):
    for run in runs:
        run.process.send_signal(signal.SIGCONT)
    return wait_for_all(runs, events)


def counted_together(bench, processes):
    bench.redis.ask("FLUSHALL")
    with group_of(bench, processes, page_views.aggregate, c.CONSUMED) as (topic, runs):
        expected = page_views.produce(bench, topic, bench.scaled(1_000_000))
        go_on(runs, expected.events)
        return end_of_counting(bench, runs, expected)


def pooled_together(bench, processes):
    with group_of(bench, processes, orders.pool(AT_ONCE, 256), c.HANDLED) as (topic, runs):
        _, events = orders.produce(bench, topic, bench.scaled(1_000_000))
        ended = go_on(runs, events)
        check(sum(run.done() for run in runs), events, "events done")
        return figures(runs, events, ended, sum(run.stop() for run in runs))


# ---- the others ----

def working(bench, workers):
    return pooled(bench, events=min(400_000, max(1000, 1000 * workers)) // 2, handler=orders.SIMULATED, workers=workers)


def pooled_views(bench, size):
    with views(bench, min(1_000_000, MOST_BYTES // size), filler=size - BARE_SIZE) as expected:
        program = c.troupe(orders.pool(AT_ONCE, 256), c.HANDLED)
        return work_off(bench, "troupe", program, expected.topic, PARTITIONS, expected.events)[0]


def actors(bench, count):
    """So many actors of one process, each with a group of its own that handles the whole topic."""
    topic = fresh("orders")
    _, events = orders.fill(bench, topic, bench.scaled(2_000_000 // count))
    def all_of(run):
        one = orders.pool(AT_ONCE, 256)(run)["orders"]
        return {f"orders-{n}": {**one, "consume": {**one["consume"], "group": f"{run.group}-{n}"}} for n in range(count)}
    try:
        with Run(bench, "troupe", c.troupe(all_of, c.HANDLED), topic) as run:
            ended = run.wait_for(count * events)
            done = run.done()
            cpu = run.stop()
            check(done, count * events, "events done")
            return figures([run], count * events, ended, cpu)
    finally:
        bench.broker.delete(topic)


def measure(bench, wanted, raw, about, keep, attempt):
    """How many points failed."""
    failures, began = 0, time.monotonic()
    # The first reader warms the broker up; it doesn't count.
    attempt(lambda: pooled(bench, events=100_000))
    raw["scale"] = {"curves": {}, **raw["scale"], "about": about}
    for name in wanted:
        what, how, points = CURVES[name]
        curve = raw["scale"]["curves"][name] = {"what": what, "points": []}
        for n in points:
            found = attempt(lambda: how(bench, n))
            failures += "failed" in found
            curve["points"].append([n, found])
            keep()
            print(f"  {name:<24} {n:>10,}: " + (found.get("failed") or f"{found['rate']:,.0f} events/s, "
                  f"{found['cpu']:.2f} CPU-s per M, {found['memory']:.0f} MiB"), flush=True)
    print(f"  {time.monotonic() - began:.0f} s", flush=True)
    return failures

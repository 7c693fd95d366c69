"""All of it at once under random kill -9: orders through a pool, page views into Redis, a generator. By hand:
TROUPE_SOAK_SECONDS=600 and pytest on this file; ctest runs a short form. Prints its figures and its seed."""

import json
import os
import random
import time

import pytest

from support.effects import redelivered
from support.page_views import actor as page_views, assert_exact, view
from support.waiting import pause
from support.working import pool, QUICK_SESSION, told
from test_crashes import Load, assert_keys_in_order_over_crashes

SECONDS = int(os.environ.get("TROUPE_SOAK_SECONDS", "60"))
SEED = int(os.environ.get("TROUPE_SOAK_SEED", random.randrange(1 << 30)))
BETWEEN_KILLS = 20
PARTITIONS = 3  # of Load
WINDOW = 1000


class Mixed(Load):
    """Orders: one in a hundred is told to fail for good."""

    def event(self, n, key):
        failing = {"fail": "permanent"} if n % 100 == 0 else {"fail": "transient", "fail_times": 1} if n % 97 == 0 else {}
        return told(f"key-{key}".encode(), key % PARTITIONS, **failing)


@pytest.mark.limit(SECONDS + 300)
def test_under_random_kills_every_count_is_exact_and_every_order_processed(kafka, redis_server, engines, effects, name):
    rng = random.Random(SEED)
    orders, views = kafka.create_topic(f"{name}-orders", PARTITIONS), kafka.create_topic(f"{name}-views", 4)
    made_up = json.dumps(view("/made-up"))
    engine = engines({
        "orders": pool(orders, orders, consume={"topic": orders, "group": orders, "window": WINDOW},
                       pool={"workers": 16}, dlq={"flood": {"ratio": 1.0, "run": 100_000}},
                       retry={"attempts": 3, "backoff": "constant", "initial": "100ms"}),
        "page-views": page_views(views, views, flush={"every": "1s"}),
        "traffic": {"generate": {"topic": views, "keys": 500, "value": made_up, "every": "500ms"}},
    }, redis_server, kafka={"brokers": kafka.address, "consumer": QUICK_SESSION})
    killed, peak = [], 0
    end = time.monotonic() + SECONDS
    with Mixed(kafka, orders) as load:
        engine.start_and_join(within=60)
        while (left := end - time.monotonic()) > 0:
            pause(min(left, rng.uniform(0.5, 1.5) * BETWEEN_KILLS))
            peak = max(peak, engine.memory_mb())
            killed.append(engine.pid)
            engine.kill()
            engine.start_and_join(within=60)
    kafka.wait_all_committed(orders, orders, 120)
    assert engine.stop() == 0

    letters = {r.header("original-offset") + "/" + r.header("original-partition"): r for r in kafka.read(f"{orders}.orders.dlq")}
    doomed = {f"{e.offset}/{e.partition}" for e in load.sent if b"permanent" in e.value}
    assert set(letters) == doomed, "every dead letter is one that was told to die"
    healthy = {e.id for e in load.sent if b"permanent" not in e.value}
    assert healthy <= effects.done(), f"{len(healthy - effects.done())} orders were not processed"
    assert_keys_in_order_over_crashes(effects.calls)
    again = [len(redelivered(effects.calls, pid)) for pid in killed]
    assert max(again) <= WINDOW * PARTITIONS and max(again) > 0
    records = kafka.read(views)
    assert_exact(redis_server.client, records)
    print(f"\nseed {SEED}: {SECONDS} s, {len(killed)} kills, {len(load.sent)} orders ({len(doomed)} dead letters, "
          f"{sum(again)} redelivered, at most {max(again)} by one kill), {len(records)} page views counted exactly, "
          f"peak memory {peak:.0f} MB")

"""Worker pools: who sees what, how many at once, in which order, and in how much memory."""

import json
import random
from collections import Counter

import pytest

from support.effects import assert_keys_in_order, assert_partitions_in_order, most_at_once, repeated_successes
from support.waiting import eventually
from support.working import pool, told


def test_four_groups_each_see_every_order(kafka, engines, effects, name, tmp_path):
    topic = kafka.create_topic(f"order.placed-{name}", 3)
    sent = kafka.produce(topic, [told(f"customer-{n % 50}".encode(), order=n) for n in range(2000)])
    services = ["inventory", "payment", "email", "analytics"]
    logs = {}
    for service in services:
        # One process each, so that each has a file of its own.
        engine = engines({service: pool(topic, f"{service}-{name}")})
        logs[service] = type(effects)(tmp_path / f"{service}.log")
        engine.environment["TROUPE_EFFECTS"] = str(logs[service].path)
        engine.start()
    for service in services:
        logs[service].wait_done(sent)
        assert Counter(call.id for call in logs[service].calls) == Counter(event.id for event in sent)


def test_four_actors_of_one_process_each_see_every_order(kafka, engines, effects, name):
    topic = kafka.create_topic(f"order.placed-{name}", 3)
    sent = kafka.produce(topic, [told(f"customer-{n % 50}".encode(), order=n) for n in range(1000)])
    engine = engines({s: pool(topic, f"{s}-{name}") for s in ("inventory", "payment", "email", "analytics")})
    engine.start_and_join()
    eventually(lambda: len(effects.read()) >= 4000 and effects.calls[-1].end, 30, "four calls for each order")
    for service in engine.config["actors"]:
        kafka.wait_all_committed(f"{service}-{name}", topic)
    assert Counter(call.id for call in effects.read()) == Counter({event.id: 4 for event in sent})


@pytest.mark.parametrize("handler", ["effect.append", "effect.async"])
def test_more_workers_than_partitions_run_at_once(kafka, engines, effects, name, handler):
    topic = kafka.create_topic(name, 2)
    sent = kafka.produce(topic, [told(f"key-{n}".encode(), n % 2, sleep_ms=300) for n in range(320)])
    engines({"slow": pool(topic, name, handler=handler, pool={"workers": 32})}).start_and_join()
    assert most_at_once(effects.wait_done(sent)) == 32


def test_the_order_of_each_key_is_kept_under_load(kafka, engines, effects, name):
    topic, rng = kafka.create_topic(name, 3), random.Random(1)
    events = [told(f"key-{min(rng.randrange(200), rng.randrange(200))}".encode(), sleep_ms=rng.randrange(5),
                   **({"fail": rng.choice(["transient", "throw"]), "fail_times": rng.randrange(3)}
                      if rng.random() < 0.05 else {})) for n in range(10_000)]
    sent = kafka.produce(topic, events)
    engine = engines({"busy": pool(topic, name, pool={"workers": 16},
                                   retry={"attempts": 5, "backoff": "constant", "initial": "50ms", "jitter": 0.5})})
    engine.start_and_join()
    calls = effects.wait_done(sent)
    assert_keys_in_order(calls)
    assert most_at_once(calls) > 3
    assert not repeated_successes(calls)


def test_order_by_partition_runs_one_event_of_a_partition_at_a_time(kafka, engines, effects, name):
    topic = kafka.create_topic(name, 3)
    sent = kafka.produce(topic, [told(None if n % 5 == 0 else f"key-{n}".encode(), n % 3, sleep_ms=n % 4,
                                      **({"fail": "transient", "fail_times": 1} if n % 40 == 0 else {}))
                                 for n in range(600)])
    engines({"strict": pool(topic, name, pool={"workers": 8, "order_by": "partition"},
                            retry={"backoff": "constant", "initial": "20ms"})}).start_and_join()
    calls = effects.wait_done(sent)
    assert_partitions_in_order(calls)
    assert most_at_once(calls) == 3


def test_order_by_none_runs_events_of_one_key_at_once(kafka, engines, effects, name):
    topic = kafka.create_topic(name, 1)
    sent = kafka.produce(topic, [told(b"same", sleep_ms=200) for _ in range(32)])
    engines({"loose": pool(topic, name, pool={"workers": 8, "order_by": "none"})}).start_and_join()
    assert most_at_once(effects.wait_done(sent)) == 8


def test_events_without_a_key_are_not_ordered(kafka, engines, effects, name):
    topic = kafka.create_topic(name, 1)
    sent = kafka.produce(topic, [told(None, sleep_ms=200) for _ in range(32)])
    engines({"keyless": pool(topic, name, pool={"workers": 8})}).start_and_join()
    assert most_at_once(effects.wait_done(sent)) == 8


def test_an_empty_key_is_a_key(kafka, engines, effects, name):
    topic = kafka.create_topic(name, 1)
    sent = kafka.produce(topic, [told(b"", sleep_ms=20) for _ in range(16)])
    engines({"empty-key": pool(topic, name)}).start_and_join()
    assert most_at_once(effects.wait_done(sent)) == 1
    assert_keys_in_order(effects.calls)


def test_a_hot_key_starves_no_other_key_though_the_mailbox_is_small(kafka, engines, effects, name):
    topic = kafka.create_topic(name, 1)
    hot = kafka.produce(topic, [told(b"hot", sleep_ms=20) for _ in range(1000)])
    others = kafka.produce(topic, [told(f"cold-{n}".encode()) for n in range(1000)])
    engines({"skewed": pool(topic, name, pool={"workers": 2, "mailbox": 4})}).start_and_join()
    effects.wait_done(others, 10)
    assert len(effects.done() & {event.id for event in hot}) < 900
    assert_keys_in_order(effects.calls)


@pytest.mark.limit(150)
def test_a_slow_handler_before_a_long_queue_costs_no_memory_and_loses_nothing(kafka, engines, effects, name):
    topic = kafka.create_topic(name, 4)
    padding = "x" * 1000
    sent = kafka.produce(topic, [told(f"key-{n % 5000}".encode(), n=n, sleep_ms=4, pad=padding)
                                 for n in range(200_000)])
    engine = engines({"slow": pool(topic, name, pool={"workers": 32, "mailbox": 64})}).start_and_join()
    peak, wanted = 0, {event.id for event in sent}

    def all_done():
        nonlocal peak
        peak = max(peak, engine.memory_mb())
        return effects.done() >= wanted
    eventually(all_done, 120, lambda: f"{len(effects.done())} of 200,000 are done", 0.5)
    assert peak < 150, f"{peak:.0f} MB for 200 MB of queued events"
    assert_keys_in_order(effects.calls)
    assert not repeated_successes(effects.calls)


@pytest.mark.limit(90)
def test_a_resize_by_sighup_keeps_order_loses_nothing_and_does_not_rebalance(kafka, engines, effects, name):
    topic = kafka.create_topic(name, 2)
    engine = engines({"sized": pool(topic, name, pool={"workers": 4})}).start_and_join()
    rebalances = engine.metric("troupe_rebalances_total", group=name)
    sent = []
    for workers in (4, 16, 2):
        if workers != 4:
            engine.reload(lambda config: config["actors"]["sized"]["pool"].update(workers=workers))
            eventually(lambda: engine.metric("troupe_pool_workers", actor="sized") == workers, 10,
                       f"the pool has {workers} workers")
        batch = kafka.produce(topic, [told(f"key-{n % 60}".encode(), sleep_ms=10) for n in range(600)])
        effects.wait_done(batch)
        ids = {event.id for event in batch}
        assert most_at_once([call for call in effects.calls if call.id in ids]) == workers
        sent += batch
    # And in the middle of the work.
    sent += kafka.produce(topic, [told(f"key-{n % 60}".encode(), sleep_ms=5) for n in range(3000)])
    for step, workers in enumerate((16, 2, 8, 1, 12)):
        eventually(lambda: len(effects.done()) >= len(sent) - 3000 + step * 400, 30, "work is under way")
        engine.reload(lambda config: config["actors"]["sized"]["pool"].update(workers=workers))
    calls = effects.wait_done(sent)
    assert_keys_in_order(calls)
    assert Counter(call.id for call in calls) == Counter(event.id for event in sent)
    assert engine.metric("troupe_rebalances_total", group=name) == rebalances


def test_a_bad_file_on_reload_changes_nothing(kafka, engines, effects, name):
    topic = kafka.create_topic(name, 1)
    engine = engines({"sized": pool(topic, name, pool={"workers": 4})}).start_and_join()
    engine.reload(lambda config: config["actors"]["sized"]["pool"].update(workers="many"))
    eventually(lambda: engine.logged("error", "workers"), 10, "the problem is told")
    sent = kafka.produce(topic, [told(f"key-{n}".encode(), sleep_ms=100) for n in range(40)])
    assert most_at_once(effects.wait_done(sent)) == 4


def test_what_a_handler_publishes_is_acknowledged_before_its_event_is_done(kafka, engines, effects, name):
    topic, out = kafka.create_topic(name, 2), kafka.create_topic(f"{name}-out", 3)
    sent = kafka.produce(topic, [told(f"key-{n % 10}".encode(), n=n) for n in range(200)])
    engines({"chain": pool(topic, name, handler="effect.publish", publish={"topic": out})}).start_and_join()
    kafka.wait_all_committed(name, topic)
    published = kafka.read(out)
    assert sorted((r.key, r.value) for r in published) == sorted((e.key, e.value) for e in sent)
    by_source = {r.header("source"): r for r in published}
    assert set(by_source) == {"/".join(map(str, e.id)) for e in sent}
    assert ("empty", b"") in published[0].headers and ("null", None) in published[0].headers
    for key in {e.key for e in sent}:
        numbers = [json.loads(r.value)["n"] for r in sorted(published, key=lambda r: r.offset) if r.key == key]
        assert numbers == sorted(numbers)

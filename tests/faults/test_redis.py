"""Rows 6 to 9: a Redis that is killed, emptied, put back in time, frozen, or refuses."""

import contextlib
import json
import time

import pytest

from matrix.side_by_side import span
from support import page_views
from support.background import Background
from support.door import Door
from support.processes import free_port
from support.waiting import eventually, pause, stays

# Three times what the matrix says.
RESUME, ALARM, IN_TIME = 9, 15, 9
ANSWER = 0.2  # an ingest's p99 on a starved machine, the least that its bound of three times is taken from


def judged(lane):
    """After the load."""
    report = lane.judge()
    assert lane.engine.stop() == 0
    return report


@pytest.mark.row(6)
@pytest.mark.short
@pytest.mark.limit(300)
def test_a_redis_that_is_killed_and_comes_back_with_its_log_costs_no_count(lane, whole, figure):
    seconds = []
    lane.engine.start_and_join()
    with lane.load():
        for _ in range(20 if whole else 2):
            lane.counts_move(30)
            pause(lane.rng.uniform(0, 1))
            lane.redis.stop()
            pause(lane.rng.uniform(0, 2))
            lane.redis.start()
            seconds.append(lane.counts_move(RESUME))
    report = judged(lane)
    figure(f"{len(seconds)} kills of Redis: counting resumes {span(seconds)} after its return; {report}",
           resume=max(seconds), **report)


@pytest.mark.row(7)
@pytest.mark.short
@pytest.mark.limit(300)
def test_a_redis_that_went_back_in_time_is_made_up_for(lane, whole, figure, tmp_path):
    rounds = 10 if whole else 1
    lane.engine.start_and_join()
    with lane.load():
        for n in range(rounds):
            lane.counts_move(30)
            lane.redis.stop()
            lane.redis.copy_to(tmp_path / f"older-{n}")
            lane.redis.start()
            lane.counts_move(30)
            newest = lane.counted()
            lane.redis.stop()
            lane.redis.go_back_to(tmp_path / f"older-{n}")
            lane.redis.start()
            eventually(lambda: lane.counted() > newest, 30, "it counted again what Redis had lost")
    report = judged(lane)
    figure(f"{rounds} times put back to an old copy: exact, by itself; {report}", **report)


@pytest.mark.row(7)
@pytest.mark.short
@pytest.mark.limit(300)
def test_a_redis_that_lost_everything_is_made_up_for(lane, whole, figure):
    """Apart from the test above: counting all again would hide what that one looks for."""
    rounds = 10 if whole else 1
    lane.engine.start_and_join()
    with lane.load():
        for _ in range(rounds):
            lane.counts_move(30)
            newest = lane.counted()
            lane.redis.stop()
            lane.redis.forget()
            lane.redis.start()
            eventually(lambda: lane.counted() > newest, 60, "all is counted again")
    report = judged(lane)
    figure(f"{rounds} times emptied: exact, by itself; {report}", **report)


class Posts(Background):
    """Asks an ingest at a steady pace; how long each answer took."""

    every = 0.01

    def __init__(self, door):
        super().__init__()
        self.door, self.took = door, []

    def step(self):
        begun = time.monotonic()
        answer, body = self.door.ask("POST", "/events", json.dumps({"n": len(self.took)}))
        assert answer.status == 204, body
        self.took.append((begun, time.monotonic() - begun))

    def p99(self, since, until=float("inf")):
        """Of somebody asking every 10 ms, who would not have waited for one answer before asking again."""
        waits = sorted(took - missed * self.every for begun, took in self.took if begun < until and begun + took > since
                       for missed in range(int(took / self.every) + 1))
        return waits[len(waits) * 99 // 100]


@pytest.mark.row(8)
@pytest.mark.short
@pytest.mark.limit(180)
def test_a_frozen_redis_holds_up_neither_pools_nor_ingests(lane, whole, figure):
    seconds, door = 30 if whole else 4, Door()
    lane.engine = lane.another({"door": {"ingest": {
        "route": "POST /events", "listen": door.listen, "topic": lane.out, "respond": 204}}})
    lane.engine.start_and_join()
    with lane.load() as orders, Posts(door) as posts:
        lane.counts_move(30)
        begun = time.monotonic()
        pause(seconds)
        held = time.monotonic()
        lane.redis.hold()
        with contextlib.ExitStack() as freeze:
            freeze.callback(lane.redis.go_on)
            seen = len(orders.acked)
            stays(lane.engine.running, seconds, "the engine runs on")
            meanwhile = [one for one in orders.acked[seen:] if b"permanent" not in one.value]
            lane.effects.wait_done(meanwhile, IN_TIME)
            freed = time.monotonic()
    before, frozen = posts.p99(begun, held), posts.p99(held, freed)
    report = judged(lane)
    # In four seconds one stall of the machine is more than one in a hundred; an ingest that waits would show in all.
    most = 3 * max(before, ANSWER) if whole else seconds / 2
    assert frozen < most, f"an ingest's p99 was {before:.3f} s, and {frozen:.3f} s without Redis"
    figure(f"Redis frozen for {freed - held:.0f} s: all {len(meanwhile)} orders of that time were handled during it, "
           f"an ingest's p99 was {frozen * 1000:.0f} ms ({before * 1000:.0f} ms before); {report}",
           p99_ms=frozen * 1000, p99_before_ms=before * 1000, **report)


@contextlib.contextmanager
def read_only(redis):
    redis.execute_command("REPLICAOF", "127.0.0.1", free_port())
    yield
    redis.execute_command("REPLICAOF", "NO", "ONE")


@contextlib.contextmanager
def out_of_memory(redis):
    redis.config_set("maxmemory", 1)
    yield
    redis.config_set("maxmemory", 0)


@contextlib.contextmanager
def wrong_type(redis):
    """Of the one page that each batch has; at once, since the engine would make it anew in between."""
    redis.pipeline(transaction=True).rename("views:/", "aside").rpush("views:/", "a list").execute()
    yield
    redis.rename("aside", "views:/")


@pytest.mark.row(9)
@pytest.mark.short
@pytest.mark.limit(240)
def test_a_redis_that_refuses_is_told_of_and_applies_nothing_by_halves(lane, whole, figure):
    redis, seconds = lane.redis.client, []
    lane.engine.start_and_join()
    with lane.load(views_per_second=1000):
        eventually(lambda: redis.exists("views:/"), 30, "the page is counted")
        for refusing in (read_only, out_of_memory, wrong_type) * (5 if whole else 1):
            lane.counts_move(30)
            told, begun = len(alarms(lane.engine)), time.monotonic()
            with refusing(redis):
                eventually(lambda: len(alarms(lane.engine)) > told, ALARM, f"an alarm, {refusing.__name__}")
                seconds.append(time.monotonic() - begun)
                if refusing is not wrong_type:  # a partition without such a view may go on there
                    before = page_views.stored(redis)
                    stays(lambda: page_views.stored(redis) == before, 1, f"nothing is applied, {refusing.__name__}")
            redis.script_flush()
            lane.counts_move(RESUME, f"counts move again, {refusing.__name__}")
    report = judged(lane)
    figure(f"{len(seconds)} refusals (read-only, out of memory, a key of another type), scripts flushed after each: "
           f"an error line {span(seconds)} later, nothing applied by halves; {report}", alarm=max(seconds), **report)


def alarms(engine):
    return [line for event in ("flush_failed", "flush_refused") for line in engine.logged("error", event)]

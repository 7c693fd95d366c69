"""Row 18: the wall clock jumps by an hour, ahead and back, under a running engine: tests/support/clock.cpp moves the
one that it sees."""

import os
import pathlib
import struct
from datetime import datetime, timedelta, timezone

import pytest

from support import page_views
from support.effects import now
from support.waiting import eventually, pause, stays
from support.working import QUICK_SESSION, pool, told

HOUR = 3600
RETRY, DEADLINE, OPEN, FLUSH = 2.0, 0.5, 1.0, 1.0  # seconds
KEEP = timedelta(hours=3)


class Clock:
    """The wall clock of processes that have its environment."""

    def __init__(self, folder):
        self.file = folder / "clock"
        library = pathlib.Path(os.environ["TROUPE_EFFECTS_BINARY"]).parent / "libtroupe_clock.so"
        self.environment = {"LD_PRELOAD": str(library), "TROUPE_CLOCK": str(self.file)}
        self.file.write_bytes(bytes(8))
        self.ahead = 0

    def set(self, ahead):
        """Seconds."""
        self.ahead = ahead
        with open(self.file, "r+b") as file:
            file.write(struct.pack("=q", ahead * 10**9))

    def now(self):
        return datetime.now(timezone.utc) + timedelta(seconds=self.ahead)


class Shop:
    """An engine under that clock, its topics, and the times that things took, in seconds."""

    def __init__(self, kafka, engines, effects, redis_server, name, folder):
        self.kafka, self.effects, self.redis, self.folder = kafka, effects, redis_server.client, folder
        self.clock = Clock(folder)
        self.work, self.care, self.views = (kafka.create_topic(f"{name}-{what}") for what in ("work", "care", "views"))
        self.took = {"retry": [], "deadline": [], "breaker": [], "flush": []}
        spread = {"order_by": "key", "workers": 4, "max_workers": 16}
        self.engine = engines({
            "working": pool(self.work, f"{name}-work", deadline=f"{DEADLINE}s", pool=spread,
                            retry={"attempts": 2, "backoff": "constant", "initial": f"{RETRY}s", "jitter": 0}),
            "careful": pool(self.care, f"{name}-care",
                            breaker={"failure_ratio": 1, "over": 1000, "open_for": f"{OPEN}s"}),
            "views": page_views.actor(self.views, f"{name}-views", flush={"every": f"{FLUSH}s", "max_keys": 10_000},
                                      per_minute={"into": "page-views:{minute}", "keep": f"{KEEP.seconds}s"})},
            redis_server)
        self.engine.environment.update(self.clock.environment)
        self.engine.start_and_join()

    def jump(self, ahead):
        """The clock jumps while a key is parked, a call runs and the breaker is open."""
        gate, turn = self.folder / f"free{ahead}", f"{ahead}".encode()
        [late, dead, hanging] = self.kafka.produce(self.work, [
            told(b"late" + turn, fail="transient", fail_times=1), told(b"dead" + turn, fail="transient"),
            told(b"hanging" + turn, hang_until_file=str(gate))])
        away = self.folder / f"back{ahead}"
        probed = self.kafka.produce(self.care, [
            told(b"probed%d" % n + turn, fail="unavailable", fail_until_file=str(away)) for n in range(2)])
        eventually(lambda: all(self.effects.of(event) for event in (late, dead, hanging, probed[0])), 20,
                   "all is under way")
        self.clock.set(ahead)

        self.hears_of(hanging)
        gate.touch()
        self.probes(probed)
        away.touch()
        self.flushes()
        self.effects.wait_done([late, *probed])
        first, second = self.effects.of(late)
        self.took["retry"].append((second.start - first.end) / 1e9)
        [letter] = eventually(lambda: [record for record in self.kafka.read(f"{self.work}.working.dlq")
                                       if record.key == dead.key], 20, "the dead letter")
        failed = datetime.fromisoformat(letter.header("failed-at"))
        assert abs(failed - self.clock.now()) < timedelta(seconds=60), "the wall clock as the engine sees it"

    def hears_of(self, hanging):
        eventually(lambda: self.engine.logged("error", "/".join(map(str, hanging.id))), 20, "the hanging call is named")
        self.took["deadline"].append((now() - self.effects.of(hanging)[0].start) / 1e9)

    def probes(self, events):
        """Until the breaker probed three times since the jump."""
        def calls():
            return sorted((c for event in events for c in self.effects.of(event)), key=lambda call: call.start)
        there = len(calls())
        seen = eventually(lambda: calls() if len(calls()) >= there + 3 else None, 30, "three probes")
        self.took["breaker"] += [(b.start - a.end) / 1e9 for a, b in zip(seen[there - 1:], seen[there:])]

    def flushes(self):
        """Fresh events by the true clock, and one that is long past."""
        path = f"/{self.clock.ahead}"
        old = datetime.now(timezone.utc) - KEEP - timedelta(hours=2)
        self.kafka.produce(self.views, [page_views.event(page_views.view(path)) for _ in range(9)]
                           + [page_views.event(page_views.view(path, old))])
        began = now()
        eventually(lambda: self.redis.get(f"views:{path}") == "10", 20, "the counts are flushed")
        self.took["flush"].append((now() - began) / 1e9)


@pytest.mark.row(18)
@pytest.mark.limit(180)
def test_a_wall_clock_that_jumps_moves_no_timer_and_no_count(
        kafka, engines, effects, redis_server, name, tmp_path, figure, whole):
    shop = Shop(kafka, engines, effects, redis_server, name, tmp_path)
    for ahead in (HOUR, -HOUR):
        shop.jump(ahead)
        if whole:
            # Longer than a session: whoever sent no heartbeat would be thrown out of its group.
            stays(lambda: shop.engine.metric("troupe_rebalances_total") == 3, 10, "all stay in their groups", 0.5)
    took, engine = shop.took, shop.engine
    for what, due in (("retry", RETRY), ("deadline", DEADLINE), ("breaker", OPEN), ("flush", FLUSH)):
        assert max(took[what]) < 3 * due + 1, (what, took[what])
    assert min(took["retry"]) >= RETRY * 0.99 and min(took["breaker"]) >= OPEN * 0.95
    # To a clock that is an hour slow, what is fresh is an hour ahead.
    assert engine.metric("troupe_skewed_events_total", direction="ahead") == 9
    assert engine.metric("troupe_skewed_events_total", direction="late") == 2
    totals, minutes = page_views.expected(kafka.read(shop.views))
    got, got_minutes = page_views.stored(redis_server.client)
    assert got == dict(totals)
    # What is long past is gone from Redis at once.
    assert {minute: counts for minute, counts in minutes.items() if minute in got_minutes} == got_minutes
    assert len(minutes) - len(got_minutes) in (1, 2)
    assert engine.stop() == 0
    figure("clock +1 h, then -1 h: " + ", ".join(f"{what} {min(all_of):.2f} to {max(all_of):.2f} s"
                                                 for what, all_of in took.items()), **took)


@pytest.mark.row(18)
@pytest.mark.short
@pytest.mark.limit(120)
def test_a_wall_clock_that_is_set_back_throws_nobody_out_of_an_idle_group(
        kafka, engines, effects, name, tmp_path, figure):
    # librdkafka waits until a time of the wall clock: an hour back, and its next heartbeat is an hour away.
    clock, topic = Clock(tmp_path), kafka.create_topic(name)
    engine = engines({"working": pool(topic, name)}, kafka={"brokers": kafka.address, "consumer": QUICK_SESSION})
    engine.environment.update(clock.environment)
    engine.start_and_join()
    took = []
    for ahead in (-HOUR, HOUR, 0):
        clock.set(ahead)
        # Longer than a session: whoever sends no heartbeat is thrown out, and hears of it with the next commit.
        pause(5)
        [event] = kafka.produce(topic, [told(f"now{ahead}".encode())])
        began = now()
        effects.wait_done([event])
        took.append((now() - began) / 1e9)
        kafka.wait_all_committed(topic, name, 20)
        assert engine.metric("troupe_rebalances_total") == 1, "it stayed in its group"
    assert engine.stop() == 0
    figure(f"idle, the clock set by an hour or two, back and ahead: the next event is handled after {max(took):.2f} s at most", took=took)

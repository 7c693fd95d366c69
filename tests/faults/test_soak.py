"""Row 28: all of it for a long time, with whatever comes up broken. TROUPE_SOAK_SECONDS says how long."""

import os
import signal
import time
from collections import Counter
from statistics import linear_regression

import pytest

from matrix.lane import PARTITIONS
from support.background import Background
from support.waiting import eventually, pause

SECONDS = int(os.environ.get("TROUPE_SOAK_SECONDS", "600"))
ALL = 2 * PARTITIONS  # of orders and of views
WITHIN = 36
SLOPE_MB_PER_HOUR = 3  # three times what the matrix says, where the run is long enough to tell


class Scales(Background):
    """The memory of one engine that is never killed, every ten seconds."""

    every = 10

    def __init__(self, engine):
        super().__init__()
        self.engine, self.samples = engine, []

    def step(self):
        self.samples.append((time.monotonic() / 3600, self.engine.memory_mb()))

    def slope(self):
        """MiB an hour, over what follows the first third: until then caches and pools still fill."""
        late = self.samples[len(self.samples) // 3:]
        return linear_regression(*zip(*late)).slope if len(late) > 2 else 0.0


def killed(lane):
    lane.engine.kill()
    lane.engine.start_and_join(within=60)


def restarted(lane):
    assert lane.engine.stop(30) == 0
    lane.engine.start_and_join(within=60)


def frozen(lane):
    lane.engine.signal(signal.SIGSTOP)
    pause(lane.rng.uniform(0.5, 6))
    lane.engine.signal(signal.SIGCONT)


def redis_killed(lane):
    lane.redis.stop()
    pause(lane.rng.uniform(0, 3))
    lane.redis.start()


def redis_emptied(lane):
    lane.redis.stop()
    lane.redis.forget()
    lane.redis.start()


def redis_frozen(lane):
    lane.redis.hold()
    pause(lane.rng.uniform(0.5, 6))
    lane.redis.go_on()


def redis_full(lane):
    lane.redis.client.config_set("maxmemory", 1)
    pause(lane.rng.uniform(0.5, 3))
    lane.redis.client.config_set("maxmemory", 0)


FAULTS = [killed, killed, killed, restarted, frozen, redis_killed, redis_frozen, redis_full]


def killing(broker, again):
    def broker_killed(lane):
        broker.kill()
        pause(lane.rng.uniform(0, 5))
        again["broker's coordinator"] += broker.bring_back()
    return broker_killed


@pytest.mark.row(28)
@pytest.mark.limit(SECONDS + 1800)  # the judge takes its time after two hours
def test_whatever_breaks_nothing_is_lost_or_counted_twice_and_memory_stays(own_broker, lanes, figure):
    broker, kafka = own_broker
    lane, done, again = lanes(of=kafka), Counter(), Counter()
    steady = lane.another().start_and_join()
    lane.engine.start_and_join()
    end = time.monotonic() + SECONDS
    with Scales(steady) as scales, lane.load():
        while time.monotonic() < end:
            # Rebuilding counts reads the topic from its start, and a broker is away for long: both are rare.
            fault = lane.rng.choices([*FAULTS, redis_emptied, killing(broker, again)], [*[3] * len(FAULTS), 1, 1])[0]
            done[fault.__name__] += 1
            fault(lane)
            lane.effects_go_on(WITHIN)
            lane.counts_move(90)
            pause(lane.rng.uniform(0, 8))
    report = lane.judge(180, sum(done.values()))
    eventually(lambda: lane.engine.metric("troupe_assigned_partitions")
               + steady.metric("troupe_assigned_partitions") == ALL, WITHIN, "both are members")
    assert lane.engine.stop() == 0 and steady.stop() == 0
    slope = scales.slope()
    if SECONDS >= 7200:
        assert slope < SLOPE_MB_PER_HOUR, f"M: it grows by {slope:.1f} MiB an hour"
    figure(f"{SECONDS} s with {dict(done)}, started again {dict(again)}: 0 drift; the engine that nobody killed grew by {slope:.1f} MiB an hour; "
           f"{report}", slope=slope, **report)

"""Rows 1 to 3: engine processes that are killed at any moment, at the worst moments, and frozen."""

import signal
import time

import pytest

from matrix import oracle
from matrix.lane import PARTITIONS
from matrix.side_by_side import all_of, side_by_side, span
from support.waiting import eventually, pause

# Three times what the matrix says.
PROGRESS = 36
ALL = 2 * PARTITIONS  # of orders and of views


def killed_at_random(lane, times):
    """Most lives end up to 2.5 s after their first effect, every sixth while it still starts."""
    seconds = []
    with lane.load():
        for n in range(times):
            lane.engine.start()
            if lane.rng.random() < 1 / 6:
                pause(lane.rng.uniform(0, lane.session_ms / 1000))
            else:
                seconds.append(lane.progress(within=PROGRESS))
                pause(lane.rng.uniform(0, 2.5))
            lane.engine.kill()
        lane.engine.start()
        seconds.append(lane.progress(within=PROGRESS))
    report = lane.judge()
    assert lane.engine.stop() == 0
    return {**report, "kills": times}, seconds


@pytest.mark.row(1)
@pytest.mark.short
@pytest.mark.limit(3600)
def test_engines_killed_at_random_lose_nothing_and_count_nothing_twice(lanes, whole, figure):
    sessions = [2000, 3000, 4000, 6000] if whole else [2000]
    times = 75 if whole else 5
    reports, seconds = zip(*side_by_side(lambda lane: killed_at_random(lane, times),
                                         [lanes(session_ms=session) for session in sessions]))
    total = all_of(reports)
    waits = [one for of_lane in seconds for one in of_lane]
    figure(f"{total['kills']} kills at random, sessions of {[s // 1000 for s in sessions]} s: {total}; from a start "
           f"to its first effect {span(waits)}", progress=max(waits), **total)


# Each with how often it is passed before it strikes, at most.
FAILPOINTS = {"before_commit": 15, "before_release": 1, "published": 300, "letter_acknowledged": 3,
              "flush_answered": 15}


def killed_at(lane, failpoint):
    """A life that ends by itself at this place."""
    engine = lane.engine
    engine.environment["TROUPE_FAILPOINT"] = f"{failpoint}:{lane.rng.randint(1, FAILPOINTS[failpoint])}"
    other = None
    engine.start()
    if failpoint == "before_release":  # passed when another member joins
        lane.progress(within=PROGRESS)
        other = lane.another().start()
    assert engine.wait(60) == -signal.SIGKILL, "it ends at the failpoint"
    del engine.environment["TROUPE_FAILPOINT"]
    if other:
        lane.progress(other, within=PROGRESS)
        other.kill()


def killed_at_each(lane, rounds):
    with lane.load():
        for _ in range(rounds):
            for failpoint in lane.rng.sample(sorted(FAILPOINTS), len(FAILPOINTS)):
                killed_at(lane, failpoint)
        lane.engine.start()
        lane.progress(within=PROGRESS)
    report = lane.judge()
    assert lane.engine.stop() == 0
    return {**report, "kills": rounds * len(FAILPOINTS)}


@pytest.mark.row(2)
@pytest.mark.short
@pytest.mark.limit(2400)
def test_engines_killed_at_each_failpoint_lose_nothing_and_count_nothing_twice(lanes, whole, figure):
    rounds, at_once = (5, 4) if whole else (1, 1)
    total = all_of(side_by_side(lambda lane: killed_at_each(lane, rounds), [lanes() for _ in range(at_once)]))
    figure(f"{rounds * at_once} kills at each of {', '.join(FAILPOINTS)}: {total}", **total)


def frozen(lane, times, seconds):
    """Two members of which one is frozen until the other has its work, then wakes up. How long that one took to work
    on events that came later."""
    first, second = lane.engine, lane.another()
    rejoined = []
    with lane.load():
        for engine in (first, second):
            engine.start_and_join(within=60)
            lane.progress(engine)
        for n in range(times):
            sleeper, other = (first, second) if n % 2 == 0 else (second, first)
            sleeper.signal(signal.SIGSTOP)
            began = time.monotonic()
            eventually(lambda: other.metric("troupe_assigned_partitions") == ALL, 60, "the other has all of it", 0.1)
            pause(max(lane.rng.uniform(0, 1), seconds - (time.monotonic() - began)))
            ends, woke = lane.kafka.ends(lane.orders), time.monotonic()
            sleeper.signal(signal.SIGCONT)
            eventually(lambda: other.metric("troupe_assigned_partitions") < ALL, PROGRESS, "it is a member again", 0.02)
            eventually(lambda: any(call.pid == sleeper.pid and call.offset >= ends[call.partition]
                                   for call in lane.effects.read()[-500:]), PROGRESS, "it works again", 0.02)
            rejoined.append(time.monotonic() - woke)
    lane.settle()
    seen = lane.evidence()
    oracle.assert_commits_never_go_back(seen)
    refused = first.metric("troupe_offset_commits_total", result="failed") + second.metric(
        "troupe_offset_commits_total", result="failed")
    report = lane.judge(interruptions=times)
    assert second.stop() == 0 and first.stop() == 0
    return {**report, "refused_commits": int(refused), "freezes": times}, rejoined


def dozing(lane, times):
    """Two members of which one is frozen for about as long as its group waits for it: it wakes up before, during or
    after the rebalance."""
    engines = [lane.engine, lane.another()]
    with lane.load():
        for engine in engines:
            engine.start_and_join(within=60)
        for _ in range(times):
            sleeper = lane.rng.choice(engines)
            sleeper.signal(signal.SIGSTOP)
            pause(lane.session_ms / 1000 * lane.rng.uniform(0.8, 1.6))
            sleeper.signal(signal.SIGCONT)
            pause(lane.rng.uniform(0.2, 2))
    lane.settle()
    oracle.assert_commits_never_go_back(lane.evidence())
    report = lane.judge(interruptions=times)
    assert [engine.stop() for engine in engines] == [0, 0]
    return {**report, "freezes": times}


@pytest.mark.row(3)
@pytest.mark.limit(1800)
def test_a_process_that_wakes_up_in_the_middle_of_the_rebalance_goes_on(lanes, figure):
    total = all_of(side_by_side(lambda lane: dozing(lane, 40), [lanes() for _ in range(3)]))
    figure(f"{total['freezes']} times frozen for about a session: no commit went back, all goes on; {total}", **total)


@pytest.mark.row(3)
@pytest.mark.short
@pytest.mark.limit(2400)
def test_a_process_that_was_frozen_commits_nothing_over_its_successor(lanes, whole, figure):
    times, at_once, seconds = (17, 3, 15) if whole else (1, 1, 3)
    reports, rejoined = zip(*side_by_side(lambda lane: frozen(lane, times, seconds),
                                          [lanes() for _ in range(at_once)]))
    total, waits = all_of(reports), [one for of_lane in rejoined for one in of_lane]
    figure(f"{total['freezes']} times frozen for {seconds} s: no commit went back; {total}; works again {span(waits)} "
           f"after it woke", rejoin=max(waits), **total)

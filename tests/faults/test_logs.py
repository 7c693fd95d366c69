"""Row 19: nobody takes the log's lines: a full disk, and a pipe that nobody reads."""

import os

import pytest

from support.waiting import eventually
from support.working import pool, told

SINKS = ("a file", "a full disk", "a pipe nobody reads")


def with_standard_error(engine, sink):
    """The engine's standard error goes there, whatever its log file is."""
    target = {"a file": f"{engine.folder}/lines", "a full disk": "/dev/full",
              "a pipe nobody reads": f"{engine.folder}/pipe"}[sink]
    if sink == "a pipe nobody reads":
        os.mkfifo(target)
    script = engine.folder / "redirected"
    # Both ends of the pipe stay open, or its first writer would wait for a reader.
    script.write_text(f'#!/bin/sh\nexec "{engine.binary}" "$@" 2<>"{target}"\n')
    script.chmod(0o755)
    engine.binary = script
    return engine


def events(count):
    """Every second one has a line of the log; if all failed, the breaker would open."""
    return [told(f"k{n}".encode(), **({"fail": "transient", "fail_times": 1} if n % 2 else {})) for n in range(count)]


def retrying(topic, group):
    return pool(topic, group, retry={"attempts": 3, "backoff": "constant", "initial": "1ms"})


@pytest.fixture
def topic(kafka, name):
    return kafka.create_topic(name, 4)


@pytest.mark.row(19)
@pytest.mark.parametrize("sink", [SINKS[1], pytest.param(SINKS[2], marks=pytest.mark.short)])
def test_lines_that_nobody_takes_are_counted_and_stop_nothing(kafka, engines, effects, topic, figure, sink):
    count, lines = 40_000, 20_000
    sent = kafka.produce(topic, events(count))
    engine = with_standard_error(engines({"failing": retrying(topic, topic)}, log={"level": "debug"}), sink)
    engine.start_and_join()
    effects.wait_done(sent)
    kafka.wait_all_committed(topic, topic)
    # Of what was written, the pipe and the queue before it hold some.
    least = lines if sink == "a full disk" else lines - 8192 - 1000
    eventually(lambda: engine.metric("troupe_log_lines_dropped_total") >= least, 10, "the lost lines are counted")
    dropped = engine.metric("troupe_log_lines_dropped_total")
    assert dropped <= lines + 100
    assert engine.stop() == 0
    figure(f"{sink}: {count} events done, {dropped:.0f} lines dropped and counted", sink=sink, dropped=dropped)


@pytest.mark.row(19)
@pytest.mark.limit(400)
def test_lines_that_nobody_takes_cost_no_throughput(kafka, engines, effects, topic, figure):
    count, rounds = 30_000, 5
    kafka.produce(topic, events(count))
    rates = {sink: [] for sink in SINKS}
    for turn in range(rounds):
        for sink in SINKS:
            group = f"{topic}-{turn}-{SINKS.index(sink)}"
            engine = with_standard_error(engines({"failing": retrying(topic, group)}, log={"level": "debug"}), sink)
            before = len(effects.read())
            engine.start()
            eventually(lambda: len(effects.read()) >= before + 3 * count // 2 and engine.metric(
                "troupe_attempts_total", result="ok") >= count, 60, lambda: f"all is done again with {sink}", 0.2)
            calls = effects.calls[before:]
            rates[sink].append(count / ((max(call.end for call in calls) - min(call.start for call in calls)) / 1e9))
            assert engine.stop() == 0
    # The best of each: what else the machine does makes a run slower, never faster.
    best = {sink: max(of_sink) for sink, of_sink in rates.items()}
    for sink in SINKS[1:]:
        assert best[sink] > best["a file"] * (1 - 3 * 0.05), rates
    figure("events/s: " + ", ".join(f"{sink} {rate:.0f}" for sink, rate in best.items()), rates=rates)

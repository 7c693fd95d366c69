"""`troupe demo`: the examples on a broker and a Redis of its own, seen from its terminal."""

import os
import pathlib
import re
import signal

import pytest

from support import processes
from support.demo import Demo
from support.waiting import eventually

SUM = re.compile(r"(Page views|Orders) acknowledged by the broker: (\d+)(?: and (\d+) without an answer)?, .*: (\d+) \(every one, once\)")


@pytest.fixture
def demo(tmp_path):
    one = Demo(tmp_path)
    try:
        yield one
    finally:
        processes.end(one.process)
        print(one.text())


@pytest.mark.limit(150)
def test_all_four_examples_run_and_what_was_accepted_is_there_once_though_engines_are_killed(demo):
    demo.start("--rate", "100")
    for words in ("charged", "counted", "ready", "online"):
        eventually(lambda words=words: demo.figure(words) > 0, 60, f"something is {words}")
    for name in ("ecommerce", "analytics"):
        os.kill(demo.pid_of(name), signal.SIGKILL)
    for name in ("ecommerce", "analytics"):
        eventually(lambda name=name: f"{name} was killed by signal 9" in demo.text(), 20, f"{name} comes back")
    before = demo.figure("counted"), demo.figure("reserved")
    eventually(lambda: demo.figure("counted") > before[0] and demo.figure("reserved") > before[1], 40, "they go on")
    demo.end()
    sums = SUM.findall(demo.text())
    assert [what for what, *_ in sums] == ["Page views", "Orders"], demo.text()
    for what, accepted, unknown, found in sums:
        assert 0 < int(accepted) <= int(found) <= int(accepted) + int(unknown or 0), what
    assert not list(demo.temporary.iterdir())


def test_one_example_ends_by_itself_after_its_time(demo):
    demo.start("analytics", "--seconds", "10", "--rate", "50")
    assert demo.process.wait(50) == 0
    assert "Page views acknowledged by the broker" in demo.text() and "ecommerce" not in demo.text()


def test_a_demo_that_is_killed_leaves_no_process_behind(demo):
    demo.start("telemetry")
    eventually(lambda: demo.figure("online") > 0, 40, "devices are online")
    children = demo.children()
    assert len(children) >= 2  # Redis and an engine
    demo.process.kill()
    eventually(lambda: not any(pathlib.Path(f"/proc/{pid}/cmdline").exists() for pid in children), 10, "they are gone")


def test_an_example_that_there_is_not_is_named(demo):
    demo.start("checkout")
    assert demo.process.wait(20) == 64
    assert "checkout" in demo.text() and "ecommerce" in demo.text()

"""Static members: a process that is started again takes its seat back."""

import signal
import time

import pytest

from support.effects import assert_keys_in_order, redelivered
from support.waiting import eventually, stays
from support.working import pool, told

PARTITIONS = 4
WINDOW = 300
# Longer than a start takes on a machine that is busy, and than the bound: who is back before had not to wait for it.
SESSION = {"session.timeout.ms": 40_000}


@pytest.fixture
def topic(kafka, name):
    return kafka.create_topic(name, PARTITIONS)


@pytest.fixture
def seated(kafka, engines, topic):
    """An engine of this instance, a static member of the topic's group."""
    def make(instance, consumer=SESSION):
        actor = pool(topic, topic, consume={"topic": topic, "group": topic, "window": WINDOW, "static": True},
                     pool={"workers": 8})
        return engines({"working": actor}, kafka={"brokers": kafka.address, "consumer": consumer}, instance=instance)
    return make


def rebalances(engine):
    return engine.metric("troupe_rebalances_total")


def load(kafka, topic, count, **instructions):
    return kafka.produce(topic, [told(f"k{n % 60}".encode(), n % PARTITIONS, **instructions) for n in range(count)])


def works(effects, pid, since=0):
    """Whether this process handled something in each of its two partitions."""
    return len({call.partition for call in effects.read()[since:] if call.pid == pid and call.succeeded}) >= 2


@pytest.mark.row(1)
@pytest.mark.short
@pytest.mark.limit(300)
def test_a_killed_static_member_works_on_without_waiting_for_its_session(kafka, seated, effects, topic, whole, figure):
    first, second = seated("one").start_and_join(), seated("two").start_and_join()
    eventually(lambda: [e.metric("troupe_assigned_partitions") for e in (first, second)] == [2, 2], 40, "two each")
    before, sent, gaps = rebalances(second), [], []
    for _ in range(10 if whole else 1):
        sent += load(kafka, topic, 4000, sleep_ms=10)
        seen = len(effects.read())
        eventually(lambda: works(effects, first.pid, seen), 30, "it is at work")
        killed = first.pid
        first.signal(signal.SIGKILL)
        first.wait()
        since = time.monotonic()
        seen = len(effects.read())
        first.start()
        eventually(lambda: works(effects, first.pid, seen), 30, "it is at work again", 0.02)
        gaps.append(time.monotonic() - since)
        effects.wait_done(sent, 60)
        assert len(redelivered(effects.calls, killed)) <= WINDOW * PARTITIONS
    assert rebalances(second) == before, "its neighbour noticed nothing"
    effects.wait_done(sent)
    assert max(gaps) < 3 * 5
    figure(f"static member: {len(gaps)} kills, progress again after at most {max(gaps):.1f} s, 0 lost, 0 rebalances of "
           "the others", kills=len(gaps), seconds=round(max(gaps), 2))


@pytest.mark.row(1)
@pytest.mark.limit(120)
def test_a_clean_restart_of_a_static_member_is_no_rebalance_for_the_others(kafka, seated, effects, topic):
    first, second = seated("one").start_and_join(), seated("two").start_and_join()
    eventually(lambda: [e.metric("troupe_assigned_partitions") for e in (first, second)] == [2, 2], 40, "two each")
    before, sent = rebalances(second), []
    for _ in range(3):
        sent += load(kafka, topic, 1000, sleep_ms=5)
        assert first.stop() == 0
        first.start_and_join()
        effects.wait_done(sent)
    assert rebalances(second) == before
    calls = effects.wait_done(sent)
    assert_keys_in_order(calls)
    assert len(calls) == len(sent), "each event once"
    assert first.stop() == 0 and second.stop() == 0


@pytest.mark.row(1)
@pytest.mark.limit(120)
def test_two_processes_of_one_static_name_do_not_fight(kafka, seated, effects, topic):
    first, second = seated("same").start_and_join(), seated("same")
    second.start()
    assert first.wait(40) == 78, "the one that was thrown out does not come back"
    [why] = first.logged("error", "gave_up")
    assert f"{first.config['app']}.working.same" in str(why) and "instance" in str(why)
    second.wait_ready()
    effects.wait_done(load(kafka, topic, 200))
    stays(second.running, 3)
    before = rebalances(second)
    stays(lambda: rebalances(second) == before, 3, "nobody disturbs it")
    assert second.stop() == 0

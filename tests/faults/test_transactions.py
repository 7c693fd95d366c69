"""Exactly-once chains through kills at every step of a transaction: downstream nothing twice, nothing lost."""

import signal
import time

import pytest

from support.chain import Chain, assert_once_in_order
from support.waiting import eventually, pause

POINTS = ["txn_begun", "txn_published", "txn_offsets_sent", "txn_committed"]


@pytest.fixture
def chain(kafka, engines, name):
    return Chain(kafka, engines, name)


def run_on(chain, kafka, engine, sent):
    """Without failpoints to the end, then the judgement; how many written events were aborted."""
    engine.environment.pop("TROUPE_FAILPOINT", None)
    engine.start_and_join(within=60)
    chain.assert_exact(sent, within=120)
    assert engine.stop() == 0
    written = [len(kafka.read(topic, "read_uncommitted")) for topic in (chain.between, chain.sink)]
    return sum(written) - 2 * len(sent)


@pytest.mark.row(2)
@pytest.mark.limit(900)
@pytest.mark.parametrize("point", [pytest.param(p, marks=pytest.mark.short) if p == "txn_offsets_sent" else p
                                   for p in POINTS])
def test_killed_at_a_step_of_a_transaction(chain, kafka, rng, whole, figure, point):
    engine = chain.engine()
    kills = 20 if whole else 3
    with chain.load(per_second=300) as load:
        for _ in range(kills):
            engine.environment["TROUPE_FAILPOINT"] = f"{point}:{rng.randint(1, 12)}"
            engine.start()
            assert engine.wait(90) == -signal.SIGKILL
    aborted = run_on(chain, kafka, engine, load.sent)
    assert aborted > 0 or point in ("txn_begun", "txn_committed"), "there was something to abort"
    figure(f"{kills} kills at {point}: 0 of {len(load.sent)} events lost or twice downstream, {aborted} written and "
           "aborted", kills=kills, events=len(load.sent), aborted=aborted)


@pytest.mark.row(2)
@pytest.mark.limit(600)
def test_killed_at_random_in_a_chain(chain, kafka, effects, rng, figure):
    engine = chain.engine()
    kills = 20
    with chain.load(per_second=300) as load:
        for _ in range(kills):
            seen = len(effects.read())
            engine.start()
            eventually(lambda: len(effects.read()) >= seen + 100, 60, "work is in flight")
            pause(rng.uniform(0, 1))
            engine.kill()
    aborted = run_on(chain, kafka, engine, load.sent)
    figure(f"{kills} kills at random: 0 of {len(load.sent)} events lost or twice downstream, {aborted} written and "
           "aborted", kills=kills, events=len(load.sent), aborted=aborted)


@pytest.mark.row(2)
@pytest.mark.limit(180)
def test_an_answer_to_a_commit_that_comes_too_late(behind_proxy, engines, name, figure):
    """The broker has committed, and the process gave up waiting for its answer: whether to publish again is known only
    from the group's offsets. Stopped before its commit, from where on nothing comes back from the broker."""
    kafka, proxy = behind_proxy
    chain = Chain(kafka, engines, name)
    # The broker hears its heartbeats all the time; it has to forgive that they are not answered.
    patient = {"brokers": f"localhost:{proxy.port}",
               "consumer": {"session.timeout.ms": 60000, "heartbeat.interval.ms": 1000}}
    engine = chain.engine({"first": chain.actors()["first"]}, kafka=patient)
    engine.environment["TROUPE_FAILPOINT"] = f"txn_offsets_sent:3:{signal.SIGSTOP.value}"
    with chain.load(per_second=100) as load:
        engine.start()
        eventually(lambda: engine.state() == "T", 60, "it stopped before its third commit", 0.01)
        proxy.lose("down")
        began = time.monotonic()
        engine.signal(signal.SIGCONT)
        # Its next client has to take over the id before anything is told of the last one's transaction.
        eventually(lambda: engine.logged("warn", "taking over the transactional.id"), 90, "it gave up waiting", 0.5)
        waited = time.monotonic() - began
        written = len(kafka.read(chain.between, "read_uncommitted"))
        assert len(kafka.read(chain.between)) == written > 0, "the broker took the commit"
        proxy.heal()
        eventually(lambda: engine.logged("error", "transaction_unknown"), 30, "it does not know what became of it")
        eventually(lambda: len(kafka.read(chain.between)) > written + 100, 60, "work goes on", 0.5)
    eventually(lambda: len(kafka.read(chain.between)) >= len(load.sent), 60, "all are there", 0.5)
    kafka.wait_all_committed(chain.source, chain.source)
    assert_once_in_order(kafka.read(chain.between), load.sent)
    assert len(engine.logged("error", "transaction_unknown")) == 1
    figure(f"the answer to a commit lost for {waited:.0f} s: 0 of {len(load.sent)} events lost or twice downstream")
    assert engine.stop() == 0

"""Exactly-once chains through kills at every step of a transaction: downstream nothing twice, nothing lost."""

import signal

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
@pytest.mark.limit(300)
def test_an_answer_to_a_commit_that_comes_too_late(chain, kafka, figure):
    """The broker has committed, and the process gave up waiting for its answer: whether to publish again is known only
    from the group's offsets. Frozen between the two, without losing its membership; it takes luck to hit that."""
    patient = {"brokers": kafka.address, "consumer": {"session.timeout.ms": 60000, "heartbeat.interval.ms": 1000}}
    engine = chain.engine({"first": chain.actors()["first"]}, kafka=patient)
    hit = False
    with chain.load(per_second=100) as load:
        for moment in (0.002, 0.001, 0.003, 0.002, 0.004):
            hit = freeze_in_a_commit(chain, kafka, engine, moment)
            assert engine.stop() == 0
            if hit:
                break
    del engine.environment["TROUPE_FAILPOINT"]
    engine.start_and_join()
    eventually(lambda: len(kafka.read(chain.between)) >= len(load.sent), 60, "all are there", 0.5)
    kafka.wait_all_committed(chain.source, chain.source)
    assert_once_in_order(kafka.read(chain.between), load.sent)
    assert hit, "in no round did the broker commit what the process gave up"
    figure(f"frozen for 21 s in a commit that the broker took: 0 of {len(load.sent)} events lost or twice")
    assert engine.stop() == 0


def freeze_in_a_commit(chain, kafka, engine, moment):
    """True where the broker committed, and the process does not know it."""
    engine.environment["TROUPE_FAILPOINT"] = f"txn_offsets_sent:3:{signal.SIGSTOP.value}"
    engine.start()
    eventually(lambda: engine.state() == "T", 60, "it froze before its commit", 0.01)
    unknown = len(engine.logged("error", "transaction_unknown"))
    before = len(kafka.read(chain.between))
    engine.signal(signal.SIGCONT)
    pause(moment)
    engine.signal(signal.SIGSTOP)
    pause(21)
    taken = len(kafka.read(chain.between))
    engine.signal(signal.SIGCONT)
    eventually(lambda: len(kafka.read(chain.between)) > taken + 100, 60, "work goes on", 0.5)
    return taken > before and len(engine.logged("error", "transaction_unknown")) > unknown

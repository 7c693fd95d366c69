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
def test_killed_at_random_in_a_chain(chain, kafka, effects, rng, whole, figure):
    engine = chain.engine()
    kills = 20 if whole else 5
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
@pytest.mark.limit(240)
def test_an_answer_to_a_commit_that_comes_too_late(chain, kafka, engines, figure):
    """The broker has committed, and the process gave up waiting for its answer: what it would publish again is known
    only from the group's offsets. Frozen between the two, without losing its membership."""
    patient = {"brokers": kafka.address, "consumer": {"session.timeout.ms": 60000, "heartbeat.interval.ms": 1000}}
    engine = chain.engine({"first": chain.actors()["first"]}, kafka=patient)
    engine.environment["TROUPE_FAILPOINT"] = f"txn_offsets_sent:3:{signal.SIGSTOP.value}"
    with chain.load(per_second=200) as load:
        engine.start()
        eventually(lambda: state(engine) == "T", 60, "it froze before its commit", 0.01)
        before = len(kafka.read(chain.between))
        engine.signal(signal.SIGCONT)
        pause(0.002)
        engine.signal(signal.SIGSTOP)
        pause(21)
        committed = len(kafka.read(chain.between)) > before
        engine.signal(signal.SIGCONT)
        eventually(lambda: len(kafka.read(chain.between)) >= before + 1000, 60, "work goes on", 0.5)
    eventually(lambda: len(kafka.read(chain.between)) >= len(load.sent), 60, "all are there", 0.5)
    kafka.wait_all_committed(chain.source, chain.source)
    assert_once_in_order(kafka.read(chain.between), load.sent)
    unknown = len(engine.logged("error", "transaction_unknown"))
    figure(f"frozen for 21 s in a commit ({'taken' if committed else 'not taken'} by the broker, "
           f"{unknown} outcomes unknown): 0 of {len(load.sent)} events lost or twice", unknown=unknown)
    assert engine.stop() == 0


def state(engine):
    with open(f"/proc/{engine.pid}/stat") as file:
        return file.read().rpartition(") ")[2].split()[0]

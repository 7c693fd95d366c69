"""What a commit says of the events beyond it: a crash redelivers what had no acknowledged commit and nothing else, and
metadata that is not ours is ignored."""

import random

import pytest

from support.broker import Broker
from support.effects import redelivered
from support.kafka import Kafka
from support.offsets import commit, fetch, metadata_of, recorded
from support.waiting import eventually, stays
from support.working import QUICK_SESSION, pool, told

LIMIT = 4096
ONCE = "1h"  # until a failed event is tried again: not in this life

pytestmark = pytest.mark.row(2)


def one_partition(kafka, engines, name, window=4096, initial="500ms", **options):
    retry = {"attempts": 1000, "backoff": "constant", "initial": initial, "max": initial}
    actor = pool(name, name, consume={"topic": name, "group": name, "window": window}, pool={"workers": 16},
                 retry=retry)
    return engines({"working": actor}, kafka={"brokers": kafka.address, "consumer": QUICK_SESSION}, **options)


def failing_until(gate, key):
    return told(key, 0, fail="transient", fail_until_file=str(gate))


def fine(key):
    return told(key.encode(), 0)


def without_a_record(kafka, group, sent):
    """The offsets that the group's commit says nothing of; and the commit's metadata."""
    offset, metadata = fetch(kafka, group, group)
    done = recorded(metadata, max(offset, 0))
    return {event.offset for event in sent if event.offset >= offset and event.offset not in done}, metadata


def called_by(effects, pid):
    return {call.offset for call in effects.read() if call.pid == pid}


@pytest.mark.short
@pytest.mark.limit(180)
def test_what_is_finished_beyond_a_parked_key_comes_again_only_where_no_commit_says_so(
        kafka, engines, effects, name, tmp_path, figure):
    kafka.create_topic(name, 1)
    gate = tmp_path / "mended"
    [parked] = kafka.produce(name, [failing_until(gate, b"parked")])
    sent = kafka.produce(name, [fine(f"k{n % 10_000}") for n in range(100_000)])
    engine = one_partition(kafka, engines, name).start_and_join()
    effects.wait_done(sent, 120)
    sent += kafka.produce(name, [told(f"k{n}".encode(), 0, sleep_ms=5) for n in range(20_000)])
    eventually(lambda: len(effects.done()) >= 101_000, 60, "and work is in flight", every=0.01)
    pid = engine.pid
    engine.kill()
    finished = {offset for _, _, offset in effects.done()}
    wanted, metadata = without_a_record(kafka, name, [parked, *sent])
    assert parked.offset in wanted and fetch(kafka, name, name)[0] == parked.offset
    assert 0 < len(metadata) <= LIMIT

    engine.start_and_join(within=60)
    gate.touch()
    effects.wait_done([parked, *sent])
    assert called_by(effects, engine.pid) == wanted
    again = redelivered(effects.calls, pid)
    assert len(again) <= 4096
    kafka.wait_all_committed(name, name)
    assert fetch(kafka, name, name)[1] == ""
    figure(f"{len(finished)} finished beyond a parked key, {len(again)} of 4096 came again, by {len(metadata)} bytes",
           finished=len(finished), again=len(again), bytes=len(metadata))


NONSENSE = random.Random(4096)
FOREIGN = {
    "nothing": "",
    "words": "someone else's note",
    "json": '{"offsets":[[51,60]]}',
    "torn at the end": metadata_of([50, 1, 10])[:-1],
    "torn at the start": metadata_of([50, 1, 10])[1:],
    "torn in the middle": metadata_of([50, 1, 10])[:8],
    "one changed byte": metadata_of([50, 1, 10])[:6] + "U" + metadata_of([50, 1, 10])[7:],
    "the next version": metadata_of([50, 1, 10], "t2:"),
    "another base": metadata_of([49, 2, 10]),
    "an empty run": metadata_of([50, 1, 0]),
    "half a run": metadata_of([50, 1, 10, 7]),
    "runs past every offset": metadata_of([50, 1, (1 << 63) - 1]),
    "a NUL": "t1:\0" + metadata_of([50, 1, 10])[3:],
    "base64 of noise": "t1:" + "".join(NONSENSE.choices("ABCDEFGHabcdefgh0123456789-_", k=LIMIT - 3)),
    "4,096 bytes of something": "x" * LIMIT,
}


@pytest.mark.short
def test_metadata_that_is_not_ours_is_ignored_and_skips_nothing(kafka, engines, effects, name):
    texts = [*FOREIGN.values(), metadata_of([50, 1, 10])]
    kafka.create_topic(name, len(texts))
    for partition, text in enumerate(texts):
        commit(kafka, name, name, partition, 50, text)
        assert fetch(kafka, name, name, partition) == (50, text), "the broker has it as it was written"
    sent = kafka.produce(name, [told(f"k{n % 7}".encode(), p) for p in range(len(texts)) for n in range(80)])
    engine = one_partition(kafka, engines, name).start_and_join()
    skipped = {(name, len(texts) - 1, offset) for offset in range(51, 61)}
    wanted = {event.id for event in sent if event.offset >= 50} - skipped
    effects.wait_done([event for event in sent if event.id in wanted], 40)
    kafka.wait_all_committed(name, name)
    assert {call.id for call in effects.read()} == wanted
    assert len(effects.calls) == len(wanted)
    assert engine.stop() == 0


@pytest.mark.short
@pytest.mark.limit(180)
def test_runs_that_do_not_fit_count_against_the_window(kafka, engines, effects, name, tmp_path, figure):
    window, gate = 5000, tmp_path / "mended"
    kafka.create_topic(name, 1)
    sent = kafka.produce(name, [failing_until(gate, f"p{n}".encode()) if n % 2 else fine(f"k{n}")
                                for n in range(12_000)])
    engine = one_partition(kafka, engines, name, window=window, initial=ONCE).start_and_join()

    def shut():
        wanted, metadata = without_a_record(kafka, name, sent)
        return len(called_by(effects, engine.pid) & wanted) == window and len(metadata) > LIMIT - 16
    eventually(shut, 60, "the window is full, and so is the metadata")
    stays(lambda: len(called_by(effects, engine.pid)) < len(sent), 2, "the rest is left unread")
    pid = engine.pid
    engine.kill()
    wanted, metadata = without_a_record(kafka, name, sent)
    beyond = len(sent) - len(wanted)
    assert len(metadata) <= LIMIT and 1000 < beyond < len(effects.done())

    gate.touch()
    engine.start_and_join(within=60)
    effects.wait_done([event for event in sent if event.offset in wanted])
    assert called_by(effects, engine.pid) == wanted
    again = redelivered(effects.calls, pid)
    assert len(again) <= window
    kafka.wait_all_committed(name, name)
    figure(f"{beyond} single events recorded in {len(metadata)} bytes, {len(again)} of {window} came again",
           recorded=beyond, bytes=len(metadata), again=len(again))


@pytest.fixture
def stingy(tmp_path):
    """A broker that takes less metadata than others."""
    broker = Broker(tmp_path / "kafka")
    try:
        yield lambda most: Kafka(broker.start(f"offset.metadata.max.bytes={most}"))
    finally:
        broker.stop()


@pytest.mark.short
@pytest.mark.limit(180)
@pytest.mark.parametrize("most", [100, 0])
def test_a_broker_that_takes_less_metadata_gets_less_and_commits_go_on(
        stingy, engines, effects, name, tmp_path, most):
    kafka, gate = stingy(most), tmp_path / "mended"
    kafka.create_topic(name, 1)
    sent = kafka.produce(name, [failing_until(gate, f"p{n}".encode()) if n >= 100 and n % 2 == 0 else fine(f"k{n}")
                                for n in range(500)])
    engine = one_partition(kafka, engines, name, initial=ONCE).start_and_join()
    eventually(lambda: fetch(kafka, name, name)[0] == 100, 30, "what is finished below the parked ones is committed")
    offset, metadata = fetch(kafka, name, name)
    assert len(metadata) <= most
    assert (len(recorded(metadata, offset)) > 0) == (most > 0), "what fits is recorded"
    refused = engine.logged("warn", "commit_failed", "offset.metadata.max.bytes")
    assert 0 < len(refused) < 12, "it learns what the broker takes"
    stays(lambda: len(engine.logged("warn", "commit_failed")) == len(refused), 2, "and keeps to it")
    pid = engine.pid
    assert engine.stop() == 0

    wanted, _ = without_a_record(kafka, name, sent)
    gate.touch()
    engine.start_and_join()
    effects.wait_done(sent)
    assert called_by(effects, engine.pid) == wanted and len(redelivered(effects.calls, pid)) <= 4096
    kafka.wait_all_committed(name, name)
    assert engine.stop() == 0


@pytest.mark.short
@pytest.mark.limit(180)
def test_a_stop_while_a_broker_refuses_the_metadata_still_commits(stingy, engines, effects, name, tmp_path):
    kafka = stingy(0)
    kafka.create_topic(name, 1)
    never = tmp_path / "never"
    kafka.produce(name, [failing_until(never, f"p{n}".encode()) if n >= 100 and n % 2 == 0 else fine(f"k{n}")
                         for n in range(4000)])
    engine = one_partition(kafka, engines, name, initial=ONCE).start()
    eventually(lambda: engine.logged("warn", "commit_failed"), 40, "a commit is refused", every=0.01)
    assert engine.stop() == 0
    finished = {offset for _, _, offset in effects.done()}
    assert fetch(kafka, name, name)[0] == next(offset for offset in range(4001) if offset not in finished)

"""guarantee: exactly_once. What is published, dead letters and the input's offsets come in one transaction; what is
finished beyond the first unfinished event is held back."""

import json
import signal

import pytest

from support import rights
from support.broker import Broker
from support.chain import Chain, assert_once_in_order, numbered
from support.kafka import Kafka
from support.waiting import eventually, stays
from support.working import PATIENT_BREAKER, told


@pytest.fixture
def chain(kafka, engines, name):
    return Chain(kafka, engines, name)


def single(chain, **changes):
    """The first actor of the chain alone."""
    return {"first": {**chain.actors(**changes)["first"], "consume": {
        "topic": chain.source, "group": chain.source, **changes.get("consume", {})}}}


@pytest.mark.limit(120)
def test_every_event_comes_out_of_a_chain_once_and_in_the_order_of_its_key(chain, kafka):
    engine = chain.engine().start_and_join()
    with chain.load(per_second=1000) as load:
        eventually(lambda: len(load.sent) >= 5000, 30, "5,000 events")
    chain.assert_exact(load.sent)
    assert engine.metric("troupe_transactions_total", result="committed", actor="second") > 0
    assert engine.metric("troupe_transaction_duration_seconds_count", actor="first") > 0
    assert engine.metric("messaging_client_sent_messages_total") == 2 * len(load.sent)
    assert engine.stop() == 0


def test_what_finished_out_of_order_waits_unwritten_for_what_is_before_it(chain, kafka, effects, tmp_path):
    gate = tmp_path / "gate"
    engine = chain.engine(single(chain)).start_and_join()
    # The first commit of partition 0 comes when all but the second of its events are done.
    sent = kafka.produce(chain.source, [numbered(0, 0, sleep_ms=1000), numbered(3, 3, hang_until_file=str(gate))])
    sent += kafka.produce(chain.source, [numbered(n, n) for n in range(1, 301) if n != 3])
    effects.wait_done([s for s in sent if s is not sent[1]])
    free = [s for s in sent if s.partition != 0] + sent[:1]
    eventually(lambda: len(kafka.read(chain.between)) == len(free), 20, "what is before it, and the other partitions")
    stays(lambda: len(kafka.read(chain.between, "read_uncommitted")) == len(free), 2, "the others are held back")
    assert kafka.committed(chain.source, chain.source)[0] == 1
    gate.touch()
    eventually(lambda: len(kafka.read(chain.between)) == len(sent), 20, "all are there")
    records = kafka.read(chain.between)
    assert_once_in_order(records, sent)
    of_first = [json.loads(r.value)["n"] for r in records if r.header("source").startswith(f"{chain.source}/0/")]
    by_partition = {p: [json.loads(r.value)["n"] for r in records if r.partition == p
                        and r.header("source").startswith(f"{chain.source}/0/")] for p in range(3)}
    assert sorted(of_first) == [s for s in range(0, 301, 3)]
    assert all(numbers == sorted(numbers) for numbers in by_partition.values()), "in the order of the source"
    assert engine.stop() == 0


def test_a_failing_key_holds_back_its_partition_within_the_window_and_loses_nothing(chain, kafka, effects, tmp_path):
    gate = tmp_path / "mended"
    sent = kafka.produce(chain.source, [numbered(0, 0, fail="transient", fail_until_file=str(gate))])
    sent += kafka.produce(chain.source, [numbered(n, 3 * n) for n in range(1, 201)])
    engine = chain.engine(single(chain, consume={"window": 50})).start_and_join()
    eventually(lambda: len(effects.done()) == 49, 20, "the window is used up")
    stays(lambda: len(effects.done()) == 49 and not kafka.read(chain.between), 2, "and nothing comes out")
    pid = engine.pid
    engine.kill()
    engine.start_and_join()
    gate.touch()
    eventually(lambda: len(kafka.read(chain.between)) >= len(sent), 40, "all are there")
    assert_once_in_order(kafka.read(chain.between), sent)
    assert len({call.id for call in effects.read() if call.pid == pid}) <= 50
    assert engine.stop() == 0


def test_outputs_held_back_count_in_window_bytes(chain, kafka, effects, tmp_path):
    gate = tmp_path / "gate"
    sent = kafka.produce(chain.source, [numbered(0, 0, hang_until_file=str(gate))])
    sent += kafka.produce(chain.source, [numbered(n, 3 * n, publish_bytes=20_000) for n in range(1, 601)])
    # The events themselves are small; what is read at once, 256 of them, is admitted before the first output is held.
    engine = chain.engine(single(chain, consume={"window_bytes": "1MiB"}, pool={"workers": 4, "mailbox": 8}))
    engine.start_and_join()
    eventually(lambda: len(effects.done()) >= 200, 20, "the first batch")
    stays(lambda: len(effects.done()) <= 300, 3, "nothing more is read")
    gate.touch()
    eventually(lambda: len(kafka.read(chain.between)) == len(sent), 40, "all are there")
    assert engine.stop() == 0


@pytest.mark.limit(90)
def test_a_dead_letter_is_written_once_with_the_offset_though_the_process_is_killed(chain, kafka, effects):
    events = [numbered(n, n % 90, **({"fail": "permanent"} if n % 50 == 7 else {})) for n in range(1, 1001)]
    sent = kafka.produce(chain.source, events)
    dead = {s.value for s, e in zip(sent, events) if b"permanent" in e.value}
    engine = chain.engine(single(chain, dlq={"flood": {"ratio": 1.0, "run": 100000}}))
    engine.environment["TROUPE_FAILPOINT"] = "txn_committed"
    engine.start()
    assert engine.wait(40) == -signal.SIGKILL
    del engine.environment["TROUPE_FAILPOINT"]
    engine.start_and_join(within=40)
    kafka.wait_all_committed(chain.source, chain.source)
    assert_once_in_order(kafka.read(chain.between), [s for s in sent if s.value not in dead])
    letters = kafka.read(f"{chain.source}.first.dlq")
    assert sorted(r.value for r in letters) == sorted(dead)
    assert {r.header("error-class") for r in letters} == {"told"}
    assert engine.stop() == 0


@pytest.mark.parametrize("limit", ["of the client", "of the broker"])
def test_an_output_that_is_too_large_becomes_a_dead_letter_and_takes_no_other_with_it(chain, kafka, limit):
    actors = single(chain)
    if limit == "of the broker":
        small = kafka.create_topic(f"{chain.between}-small", 3, max_message_bytes=2000)
        actors["first"]["publish"] = {"topic": small}
    else:
        small = chain.between
    size = 5000 if limit == "of the broker" else 2_000_000
    events = [numbered(n, n, **({"publish_bytes": size} if n == 50 else {})) for n in range(1, 101)]
    sent = kafka.produce(chain.source, events)
    engine = chain.engine(actors).start_and_join()
    eventually(lambda: len(kafka.read(small)) == 99, 40, "the others")
    assert_once_in_order(kafka.read(small), [s for s in sent if b"publish_bytes" not in s.value])
    [letter] = kafka.read_when(f"{chain.source}.first.dlq", 1)
    assert letter.header("error-class") == "too_large" and letter.header("attempts") == "1"
    assert letter.value == sent[49].value and letter.header("original-offset") == str(sent[49].offset)
    kafka.wait_all_committed(chain.source, chain.source)
    assert engine.metric("troupe_dlq_messages_total", error_type="too_large") == 1
    assert engine.metric("troupe_attempts_total", actor="first", result="dlq") == 1
    assert engine.stop() == 0


def test_a_backlog_whose_batches_the_broker_finds_too_large_goes_through_in_smaller_ones(chain, kafka):
    """More than is handed over before the broker's first refusal, none of it too large by itself."""
    actors, small = single(chain), kafka.create_topic(f"{chain.between}-small", 3, max_message_bytes=50_000)
    actors["first"] |= {"publish": {"topic": small}, "pool": {"workers": 32}}
    sent = kafka.produce(chain.source, [numbered(n, n, publish_bytes=2000) for n in range(1, 3001)])
    engine = chain.engine(actors).start_and_join()
    eventually(lambda: len(kafka.read(small)) == len(sent), 50, "all of them", 0.5)
    kafka.wait_all_committed(chain.source, chain.source)
    assert engine.metric("troupe_transactions_total", result="unknown") == 0
    assert sum(kafka.ends(f"{chain.source}.first.dlq").values()) == 0
    assert engine.stop() == 0


def test_a_dead_letter_that_is_too_large_becomes_an_envelope(chain, kafka):
    dlq = kafka.create_topic(f"{chain.source}.first.dlq", 3, max_message_bytes=3000)
    sent = kafka.produce(chain.source, [told(b"k", 0, n=1, fail="permanent", padding="x" * 20_000), numbered(2, 0)])
    engine = chain.engine(single(chain)).start_and_join()
    kafka.wait_all_committed(chain.source, chain.source)
    [letter] = kafka.read(dlq)
    assert letter.header("payload-envelope") == "1"
    assert json.loads(letter.value)["size"] == len(sent[0].value)
    assert_once_in_order(kafka.read(chain.between), sent[1:])
    assert engine.stop() == 0


@pytest.mark.limit(60)
def test_where_the_topic_is_missing_everything_waits_and_nothing_is_lost(chain, kafka):
    actors = single(chain)
    actors["first"]["publish"] = {"topic": f"{chain.between}-late", "timeout": "2s"}
    sent = kafka.produce(chain.source, [numbered(n, n) for n in range(100)])
    engine = chain.engine(actors).start_and_join()
    eventually(lambda: engine.metric("troupe_transactions_total", result="aborted") >= 2, 30, "it tries")
    assert not any(kafka.committed(chain.source, chain.source).values())
    late = kafka.create_topic(f"{chain.between}-late", 3)
    eventually(lambda: len(kafka.read(late)) == len(sent), 30, "all are there")
    assert_once_in_order(kafka.read(late), sent)
    assert engine.stop() == 0


@pytest.mark.limit(120)
def test_where_the_topic_of_one_partition_is_missing_the_others_go_on(chain, kafka):
    missing = f"{chain.between}-late"

    def events(begin, partitions):
        return [numbered(n, n, **({"publish_to": missing} if n % 3 == 0 and n % 2 == 0 else {}))
                for n in range(begin, begin + 150) if n % 3 in partitions]
    sent = kafka.produce(chain.source, events(0, {0, 1, 2}))
    engine = chain.engine(single(chain)).start_and_join()
    for begin in (300, 600, 900):
        sent += kafka.produce(chain.source, events(begin, {1, 2}))
        ends = kafka.ends(chain.source)
        eventually(lambda: all(kafka.committed(chain.source, chain.source)[p] == ends[p] for p in (1, 2)), 20,
                   "the other partitions commit all they have")
    sent += kafka.produce(chain.source, events(1200, {0}))
    eventually(lambda: engine.metric("troupe_transactions_total", result="aborted") >= 5, 30, "it is tried again")
    assert not kafka.committed(chain.source, chain.source)[0]
    assert_once_in_order(kafka.read(chain.between), [s for s in sent if s.partition != 0])
    assert len(kafka.read(chain.between, "read_uncommitted")) == len(kafka.read(chain.between)), "for nobody's work"
    [told_once] = engine.logged("error", "output_refused")
    assert told_once["topic"] == chain.source and told_once["partition"] == 0 and missing in json.dumps(told_once)
    assert not engine.logged("warn", "transaction_aborted") and not engine.logged("warn", "commit_failed")

    kafka.create_topic(missing, 3)
    kafka.wait_all_committed(chain.source, chain.source)
    late = [s for s in sent if b"publish_to" in s.value]
    assert_once_in_order(kafka.read(missing), late)
    assert_once_in_order(kafka.read(chain.between), [s for s in sent if s not in late])
    assert len(engine.logged("info", "output_taken")) == 1
    assert engine.stop() == 0


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A broker that checks rights."""
    broker = Broker(tmp_path_factory.mktemp("guarded"))
    try:
        yield Kafka(broker.start(*rights.CHECKED))
    finally:
        broker.stop()


@pytest.mark.limit(120)
@pytest.mark.parametrize("hidden", [True, False], ids=["hidden", "only to be read"])
def test_where_a_topic_may_not_be_written_to_only_the_partitions_that_would_wait(guarded, engines, name, hidden):
    kafka, chain = guarded, Chain(guarded, engines, name)
    closed = kafka.create_topic(f"{chain.between}-closed", 3)
    rights.allow(kafka, closed, rights.READ, "User:somebody-else" if hidden else rights.EVERYBODY_HERE)
    sent = kafka.produce(chain.source, [numbered(n, n, **({"publish_to": closed} if n % 3 == 0 else {}))
                                        for n in range(90)])
    engine = chain.engine(single(chain)).start_and_join()
    eventually(lambda: len(kafka.read(chain.between)) == 60, 30, "the others go on")
    eventually(lambda: engine.metric("troupe_transactions_total", result="aborted") >= 4, 60, "it is tried again")
    [told_once] = engine.logged("error", "output_refused")
    assert told_once["partition"] == 0 and closed in told_once["msg"]
    assert not engine.logged("warn", "transaction_aborted") and not engine.logged("error", "ADDPARTS")
    rights.allow(kafka, closed, rights.ANYTHING)
    kafka.wait_all_committed(chain.source, chain.source)
    assert_once_in_order(kafka.read(closed), [s for s in sent if s.partition == 0])
    assert_once_in_order(kafka.read(chain.between), [s for s in sent if s.partition != 0])
    assert engine.stop() == 0


@pytest.mark.limit(90)
def test_a_stop_gives_a_partition_that_waits_one_more_chance_and_loses_none_of_its_events(chain, kafka):
    missing = f"{chain.between}-late"
    sent = kafka.produce(chain.source, [numbered(n, n, **({"publish_to": missing} if n % 3 == 0 else {}))
                                        for n in range(60)])
    engine = chain.engine(single(chain)).start_and_join()
    eventually(lambda: engine.logged("error", "output_refused"), 20, "one partition waits")
    assert engine.stop() == 0
    assert not kafka.committed(chain.source, chain.source)[0]
    engine.start_and_join()
    eventually(lambda: engine.metric("troupe_transactions_total", result="aborted") >= 5, 30, "its backoff is long")
    kafka.create_topic(missing, 3)
    kafka.produce(missing, [numbered(99, 2)])  # its leaders are up: the last chance has two seconds
    assert engine.stop() == 0
    assert engine.logged("info", "output_taken")
    kafka.wait_all_committed(chain.source, chain.source)
    arrived = [r for r in kafka.read(missing) if r.key != b"key-2"]
    assert_once_in_order(arrived, [s for s in sent if s.partition == 0])
    assert_once_in_order(kafka.read(chain.between), [s for s in sent if s.partition != 0])


def test_outputs_that_are_too_large_pull_the_flood_brake(chain, kafka, effects):
    patient = {**PATIENT_BREAKER, "open_for": "60s"}
    engine = chain.engine(single(chain, dlq={"flood": {"ratio": 1.0, "run": 5}}, breaker=patient))
    kafka.produce(chain.source, [numbered(n, 3 * n, publish_bytes=2_000_000) for n in range(10)])
    engine.start_and_join()
    eventually(lambda: engine.logged("error", "dlq_flood", "too_large"), 20, "the brake is pulled")
    assert len(kafka.read_when(f"{chain.source}.first.dlq", 10)) == 10, "what was done before"
    assert engine.metric("troupe_attempts_total", actor="first", result="dlq") == 10
    assert engine.metric("troupe_breaker_open", actor="first") == 1
    kafka.produce(chain.source, [numbered(n, n) for n in range(10, 30)])
    stays(lambda: len(effects.done()) <= 11, 3, "the pool pauses, but for a probe")
    assert engine.stop() == 0


@pytest.mark.limit(150)
def test_a_second_process_joins_and_leaves_under_load(chain, kafka, effects):
    first, second = chain.engine(), chain.engine()
    first.start_and_join()
    with chain.load() as load:
        for _ in range(2):
            second.start_and_join()
            pid = second.pid
            eventually(lambda: sum(c.pid == pid for c in effects.read()) >= 200, 30, "the second works too")
            assert second.stop() == 0
            seen = len(effects.read())
            eventually(lambda: len(effects.read()) >= seen + 300, 30, "the first goes on alone")
    chain.assert_exact(load.sent)
    assert first.stop() == 0


@pytest.mark.limit(150)
@pytest.mark.parametrize("point", ["txn_published", "txn_offsets_sent"])
def test_a_process_that_froze_in_a_transaction_writes_nothing_over_its_successor(chain, kafka, effects, point):
    frozen, second = chain.engine(single(chain)), chain.engine(single(chain))
    frozen.environment["TROUPE_FAILPOINT"] = f"{point}:4:{signal.SIGSTOP.value}"
    with chain.load() as load:
        frozen.start()
        eventually(lambda: frozen.state() == "T", 40, "it froze in a transaction", 0.01)
        second.start_and_join(within=40)
        # What its offsets say is told only when the frozen one's transaction has timed out.
        eventually(lambda: sum(call.pid == second.pid for call in effects.read()) >= 300, 60, "the second took over")
        frozen.signal(signal.SIGCONT)
        seen = len(kafka.read(chain.between))
        eventually(lambda: len(kafka.read(chain.between)) >= seen + 500, 30, "work goes on", 0.5)
    eventually(lambda: len(kafka.read(chain.between)) >= len(load.sent), 60, "all are there", 0.5)
    kafka.wait_all_committed(chain.source, chain.source)
    assert_once_in_order(kafka.read(chain.between), load.sent)
    assert frozen.stop() == 0 and second.stop() == 0


@pytest.mark.limit(120)
def test_a_stop_under_load_commits_what_is_done_and_leaves_no_transaction_open(chain, kafka, effects):
    engine = chain.engine()
    with chain.load() as load:
        for _ in range(3):
            seen = len(effects.read())
            engine.start()
            eventually(lambda: len(effects.read()) >= seen + 400, 40, "work is in flight")
            assert engine.stop(10) == 0
    assert len(kafka.read(chain.sink)) == len(kafka.read(chain.sink, "read_uncommitted")), "nothing was aborted"
    engine.start_and_join()
    chain.assert_exact(load.sent)
    assert engine.stop() == 0


@pytest.mark.limit(120)
def test_two_processes_of_one_instance_are_told_so_and_still_write_each_event_once(chain, kafka, effects):
    first, second = chain.engine(instance="twin"), chain.engine(instance="twin")
    first.start_and_join()
    with chain.load() as load:
        eventually(lambda: len(effects.read()) >= 300, 30, "the first works")
        second.start_and_join()
        transactional_id = f"{first.config['app']}.first.twin"
        eventually(lambda: first.logged("error", transactional_id, "`instance`") or
                   second.logged("error", transactional_id, "`instance`"), 30, "one of them says what is wrong")
        eventually(lambda: len(effects.read()) >= 2000, 60, "work goes on")
    assert sum(len(e.logged("error", "transaction_unknown")) for e in (first, second)) < 60, "they do not fight"
    assert second.stop() == 0
    chain.assert_exact(load.sent, within=90)
    assert first.stop() == 0


def test_the_transactional_id_is_made_of_app_actor_and_instance(chain, kafka):
    from confluent_kafka import Producer
    engine = chain.engine(single(chain), instance="one").start_and_join()
    sent = kafka.produce(chain.source, [numbered(1, 1)])
    eventually(lambda: len(kafka.read(chain.between)) == 1, 20, "it works")
    twin = Producer({"bootstrap.servers": kafka.address, "transactional.id": f"{engine.config['app']}.first.one"})
    twin.init_transactions(20)
    sent += kafka.produce(chain.source, [numbered(2, 1)])
    eventually(lambda: engine.logged("error", "instance"), 20, "it was fenced")
    eventually(lambda: len(kafka.read(chain.between)) == 2, 30, "it takes the id back")
    assert_once_in_order(kafka.read(chain.between), sent)
    assert engine.stop() == 0


def test_a_successor_of_the_same_instance_ends_the_dead_ones_transaction_at_once(chain, kafka, effects):
    engine = chain.engine(single(chain), instance="one")
    engine.environment["TROUPE_FAILPOINT"] = "txn_offsets_sent:1"
    sent = kafka.produce(chain.source, [numbered(n, n) for n in range(100)])
    engine.start()
    assert engine.wait(30) == -signal.SIGKILL
    written = kafka.read(chain.between, "read_uncommitted")
    assert written and not kafka.read(chain.between), "it left a transaction open"
    del engine.environment["TROUPE_FAILPOINT"]
    engine.start_and_join()
    # Far sooner than the 15 s and more that an open transaction may last.
    eventually(lambda: len(kafka.read(chain.between)) == len(sent), 12, "all are there")
    assert_once_in_order(kafka.read(chain.between), sent)
    assert len(kafka.read(chain.between, "read_uncommitted")) == len(sent) + len(written), "what it left was aborted"
    assert engine.stop() == 0

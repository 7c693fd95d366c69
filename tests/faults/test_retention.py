"""Row 27: the log no longer has, or never had, what a group would read next. A topic that was recreated and has grown
past the position looks like the old one: that can't be seen by anybody who knows offsets alone."""

import signal

import pytest

from delete_records import delete_records
from support import page_views
from support.offsets import commit
from support.waiting import eventually, pause
from support.working import pool, told


@pytest.fixture
def topic(kafka, name):
    return kafka.create_topic(name)


def fill(kafka, topic, count):
    return kafka.produce(topic, [told(f"k{n}".encode(), 0) for n in range(count)])


def reported(engine, topic, lost, times=1):
    """The log names the gap, and the metric counts as many."""
    lines = eventually(lambda: [line for line in engine.log_lines() if line.get("event") == "offsets_lost"], 20,
                       "the gap is reported")
    assert len(lines) == times and [line["topic"] for line in lines] == [topic] * times
    assert lines[-1]["lost"] == lost
    assert engine.metric("troupe_lost_offsets_total", topic=topic, partition="0") == lost
    return lines[-1]


@pytest.mark.row(27)
@pytest.mark.short
def test_a_pool_reports_exactly_what_retention_took_while_it_was_away(kafka, engines, effects, topic, figure):
    first = fill(kafka, topic, 100)
    engine = engines({"working": pool(topic, topic)}).start_and_join()
    effects.wait_done(first)
    kafka.wait_all_committed(topic, topic)
    assert engine.stop() == 0
    more = fill(kafka, topic, 300)
    delete_records(kafka, topic, {0: 250})
    engine.start_and_join()
    effects.wait_done(more[150:])
    line = reported(engine, topic, lost=150)
    assert (line["position"], line["log_start"]) == (100, 250)
    assert not effects.done() & {event.id for event in more[:150]}
    kafka.wait_all_committed(topic, topic)
    assert engine.stop() == 0
    figure("pool, away: a gap of 150 reported as 150")


@pytest.mark.row(27)
def test_a_pool_reports_exactly_what_retention_took_behind_its_back(kafka, engines, effects, topic, tmp_path, figure):
    # Its window is full of what waits behind one key, and retention passes it by.
    window, gate = 100, tmp_path / "free"
    stuck = kafka.produce(topic, [told(b"stuck", 0, fail="transient", fail_until_file=str(gate))])
    behind = kafka.produce(topic, [told(b"stuck", 0, pad="x" * 2000) for _ in range(5000)])
    engine = engines({"working": {**pool(topic, topic), "consume": {"topic": topic, "group": topic, "window": window},
                                  "retry": {"attempts": 1000, "backoff": "constant", "initial": "100ms"}}},
                     kafka={"brokers": kafka.address,
                            "consumer": {"queued.max.messages.kbytes": 64, "fetch.message.max.bytes": 20_000}})
    engine.start_and_join()
    eventually(lambda: effects.of(stuck[0]), 20, "the window fills")
    delete_records(kafka, topic, {0: 4500})
    gate.touch()
    effects.wait_done(behind[4500:])
    kafka.wait_all_committed(topic, topic)
    missing = {event.id for event in stuck + behind} - effects.done()
    line = reported(engine, topic, lost=len(missing))
    assert len(missing) > 1000
    assert line["log_start"] == 4500
    assert engine.stop() == 0
    figure(f"pool, running: {len(missing)} events never seen, reported as {line['lost']}")


@pytest.mark.row(27)
@pytest.mark.short
def test_a_pool_that_never_committed_sees_what_retention_took_since_it_began(
        kafka, engines, effects, topic, tmp_path, figure):
    waits = 0.1
    engine = engines({"working": pool(topic, topic)},
                     kafka={"brokers": kafka.address, "consumer": {"fetch.wait.max.ms": int(waits * 1000)}})
    engine.start_and_join()
    # All it has read is parked, so that there is nothing to commit; stopped, it asks for no more.
    sent = kafka.produce(topic, [told(b"stuck", 0, fail="transient", fail_until_file=str(tmp_path / "never"))])
    eventually(lambda: effects.of(sent[0]), 20, "it reads")
    engine.signal(signal.SIGSTOP)
    pause(10 * waits)  # the broker's answer to the question under way
    assert kafka.committed(topic, topic) == {0: None}
    sent += fill(kafka, topic, 300)
    delete_records(kafka, topic, {0: 250})
    engine.signal(signal.SIGCONT)
    effects.wait_done(sent[250:], 30)
    missing = {event.id for event in sent} - effects.done()
    reported(engine, topic, lost=len(missing))
    kafka.wait_all_committed(topic, topic)
    assert engine.stop() == 0
    figure(f"pool without a commit: {len(missing)} events never seen, reported")


@pytest.mark.row(27)
@pytest.mark.short
def test_what_was_done_beyond_the_commit_is_not_reported_as_lost(kafka, engines, effects, topic, tmp_path, figure):
    never = str(tmp_path / "never")
    parked = kafka.produce(topic, [told(b"stuck", 0, fail="transient", fail_until_file=never) for _ in range(2)])
    others = fill(kafka, topic, 200)
    engine = engines({"working": pool(topic, topic, retry={"attempts": 1000, "backoff": "constant", "initial": "1s"})})
    engine.start_and_join()
    effects.wait_done(others)
    assert engine.stop() == 0
    assert kafka.committed(topic, topic) == {0: 0}
    delete_records(kafka, topic, {0: 150})
    engine.start_and_join()
    effects.wait_done(fill(kafka, topic, 10))
    reported(engine, topic, lost=len(parked))
    assert max(len(effects.of(event)) for event in others) == 1, "what is left of them is not done again"
    assert engine.stop() == 0
    figure("pool, 148 of 150 done beyond the commit: 2 reported as lost")


@pytest.mark.row(27)
@pytest.mark.parametrize("position, start", [(100, 0), (50, 0), (30, 70)], ids=[
    "the end is below", "the end is just there", "the start is above"])
def test_a_pool_sees_a_recreated_topic_as_far_as_it_can_be_seen(
        kafka, engines, effects, topic, figure, position, start):
    # The broker forgets a group's commits with the topic: what is left to see is a commit that came by other means.
    sent = fill(kafka, topic, start + 50 if start else 50)
    if start:
        delete_records(kafka, topic, {0: start})
    commit(kafka, topic, topic, 0, position, "")
    engine = engines({"working": pool(topic, topic)}).start_and_join()
    end = len(sent)
    if start <= position <= end:
        more = fill(kafka, topic, 10)
        effects.wait_done(more)
        assert not engine.logged("error", "offsets_lost")
    else:
        effects.wait_done(sent[start:])
        line = reported(engine, topic, lost=max(0, start - position))
        assert (line["position"], line["log_start"], line["log_end"]) == (position, start, end)
    assert engine.stop() == 0
    figure(f"pool at {position}, the log from {start} to {end}: "
           + ("in it, goes on" if position <= end and position >= start else "seen"))


def views(count):
    return [page_views.event(page_views.view(f"/{n % 7}"), partition=0) for n in range(count)]


@pytest.mark.row(27)
@pytest.mark.short
def test_an_aggregate_reports_exactly_what_retention_took(kafka, engines, redis_server, topic, figure):
    def counted():
        return page_views.positions(redis_server.client, engines.app, topic).get(f"{topic}/0")
    kafka.produce(topic, views(100))
    engine = engines({"views": page_views.actor(topic, topic)}, redis_server).start_and_join()
    eventually(lambda: counted() == 100, 20, "all is counted")
    seen = kafka.read(topic)
    assert engine.stop() == 0
    kafka.produce(topic, views(300))
    delete_records(kafka, topic, {0: 250})
    engine.start_and_join()
    eventually(lambda: counted() == 400, 20, "the rest is counted")
    line = reported(engine, topic, lost=150)
    assert (line["position"], line["log_start"]) == (100, 250)
    page_views.assert_exact(redis_server.client, seen + kafka.read(topic))
    assert engine.stop() == 0
    figure("aggregate, away: a gap of 150 reported as 150, the others counted exactly")


@pytest.mark.row(27)
@pytest.mark.limit(120)
@pytest.mark.parametrize("decision", ["--adopt", "--rebuild"])
def test_an_aggregate_whose_log_ends_before_its_position_counts_nothing_until_told(
        kafka, engines, redis_server, topic, figure, decision):
    def counted():
        return page_views.positions(redis_server.client, engines.app, topic).get(f"{topic}/0")
    kafka.produce(topic, views(100))
    engine = engines({"views": page_views.actor(topic, topic)}, redis_server).start_and_join()
    eventually(lambda: counted() == 100, 20, "all is counted")
    before = kafka.read(topic)
    assert engine.stop() == 0
    kafka.delete_topic(topic)
    kafka.create_topic(topic)
    kafka.produce(topic, views(60))
    assert engine.start().wait(30) == 78
    assert all(word in engine.log_tail() for word in ("ends at 60", "position 100", "--adopt", "--rebuild"))
    page_views.assert_exact(redis_server.client, before)

    engine.start_and_join(decision, "views")
    eventually(lambda: counted() == 60, 30, lambda: f"the new log is counted from its start, not {counted()}")
    after = kafka.read(topic)
    page_views.assert_exact(redis_server.client, before + after if decision == "--adopt" else after)
    assert engine.stop() == 0
    # Once told, it stays told.
    engine.start_and_join()
    assert engine.stop() == 0
    figure(f"aggregate at 100, a new log that ends at 60: refused with 78; {decision} counts it exactly")

"""The judge itself: it must find what it is there to find."""

import json
import struct

import pytest

from matrix import oracle
from matrix.commits import Commit, _key
from support.effects import Call
from support.kafka import Record, Sent

pytestmark = pytest.mark.short


def sent(offset, **told):
    return Sent("t", 0, offset, b"k", json.dumps({"producer": "p", "seq": offset, **told}).encode())


def call(offset, start, end, pid=1, outcome="success", attempt=1):
    return Call("t", 0, offset, b"k", attempt, pid, start, b"", end, outcome)


def letter(of, **changed):
    headers = {"original-topic": "t", "original-partition": "0", "original-offset": str(of.offset)}
    record = Record("dlq", 0, 0, 0, of.key, of.value, [(key, value.encode()) for key, value in headers.items()])
    return record._replace(**changed)


def evidence(acked, calls, letters=(), commits=()):
    written = [Record(one.topic, one.partition, one.offset, 0, one.key, one.value, []) for one in acked]
    return oracle.Evidence(list(acked), written, list(calls), list(letters), list(commits))


def assert_all(seen):
    oracle.assert_nothing_lost(seen)
    oracle.assert_letters_are_due(seen)
    oracle.assert_order(seen)
    oracle.assert_commits_are_behind(seen, 0)
    oracle.assert_commits_never_go_back(seen)


DOOMED = sent(2, fail="permanent")
ALL = [sent(0), sent(1), DOOMED]
MS = 1_000_000
CALLS = [call(0, 0, 1 * MS), call(1, 1 * MS, None, outcome=None), call(0, 20 * MS, 21 * MS, 2),
         call(1, 22 * MS, 30 * MS, 2, "transient"), call(1, 40 * MS, 50 * MS, 2, attempt=2),
         call(2, 50 * MS, 60 * MS, 2, "permanent")]
COMMITS = [Commit("t", 0, 1, 10), Commit("t", 0, 2, 51), Commit("t", 0, 3, 62)]


def test_a_run_with_a_crash_a_retry_and_a_dead_letter_passes():
    assert_all(evidence(ALL, CALLS, [letter(DOOMED)], COMMITS))


@pytest.mark.parametrize("broken", [
    evidence(ALL, CALLS, []),
    evidence(ALL, CALLS[:3] + CALLS[5:], [letter(DOOMED)]),
    evidence(ALL, CALLS, [letter(DOOMED, value=b"{}")]),
    evidence(ALL, CALLS, [letter(DOOMED), letter(ALL[0])]),
    evidence(ALL, [*CALLS[:4], call(2, 35 * MS, 36 * MS, 2, "permanent"), *CALLS[4:]], [letter(DOOMED)]),
    evidence(ALL, CALLS, [letter(DOOMED)], [COMMITS[0], Commit("t", 0, 2, 30)]),
    evidence(ALL, CALLS, [letter(DOOMED)], [*COMMITS, Commit("t", 0, 2, 70)]),
], ids=["no dead letter", "one never handled", "a changed dead letter", "a healthy one is dead", "overtaken in a retry",
        "committed before it was finished", "a commit of the past"])
def test_what_is_broken_is_found(broken):
    with pytest.raises(AssertionError):
        assert_all(broken)


def test_an_acknowledged_event_that_is_not_in_the_log_is_found():
    seen = evidence(ALL, CALLS, [letter(DOOMED)])
    seen.written.pop(0)
    with pytest.raises(AssertionError, match="not in the topic"):
        oracle.assert_nothing_lost(seen)


def test_what_a_life_cost_is_counted_once_for_each_event():
    again = oracle.redelivered_by_life(CALLS)
    assert again == {1: 2}
    assert oracle.assert_redelivery(evidence(ALL, CALLS), 2) == 2
    with pytest.raises(AssertionError):
        oracle.assert_redelivery(evidence(ALL, CALLS), 1)
    assert oracle.done_again(CALLS, {1}) == {("t", 0, 0)} and not oracle.done_again(CALLS, {2})


def test_commits_are_read_as_the_broker_writes_them():
    key = struct.pack(">hh1sh2si", 1, 1, b"g", 2, b"to", 7)
    assert _key(key) == ("g", "to", 7)
    assert _key(struct.pack(">hh1s", 2, 1, b"g")) is None, "the group's members"

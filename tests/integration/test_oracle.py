"""The judges themselves: they must find what they are there to find."""

import json
from datetime import datetime, timezone

import pytest

from support import page_views
from support.broker import offsets_loads
from support.effects import (Call, EffectLog, assert_keys_in_order, most_at_once, redelivered,
                             repeated_successes)
from support.kafka import Record
from support.page_views import view


def call(offset, start, end, key=b"k", attempt=1, pid=1, outcome="success"):
    return Call("t", 0, offset, key, attempt, pid, start, b"", end, outcome)


def test_calls_in_order_pass_retries_and_crashes_included():
    assert_keys_in_order([call(1, 1, 2, outcome="transient"), call(1, 3, 4, attempt=2), call(2, 4, 5),
                          call(9, 1, 9, key=b"other"), call(1, 10, 11, pid=2), call(2, 11, 12, pid=2)])
    assert_keys_in_order([call(2, 1, 5, key=None), call(1, 2, 3, key=None)])


@pytest.mark.parametrize("calls", [
    [call(1, 1, 5), call(2, 4, 6)],
    [call(2, 1, 2), call(1, 3, 4)],
    [call(1, 1, 2, outcome="transient"), call(2, 3, 4), call(1, 5, 6, attempt=2)],
    [call(1, 1, None, outcome=None), call(2, 4, 6)],
    [call(2, 1, 2), call(1, 3, 4, pid=2)],
], ids=["two at once", "out of order", "overtaken by a retry", "one that never ended", "out of order over processes"])
def test_calls_out_of_order_are_found(calls):
    with pytest.raises(AssertionError):
        assert_keys_in_order(calls)


def test_repetitions_are_found():
    calls = [call(1, 1, 2, pid=1), call(2, 2, 3, pid=1, outcome="transient"), call(1, 5, 6, pid=2),
             call(2, 6, 7, pid=2), call(3, 8, 9, pid=2)]
    assert redelivered(calls, 1) == {("t", 0, 1), ("t", 0, 2)}
    assert repeated_successes(calls) == {("t", 0, 1)}
    assert most_at_once([call(1, 1, 4), call(2, 2, 3), call(3, 3, 5)]) == 2


def test_the_effect_log_is_read_as_it_grows(tmp_path):
    log = EffectLog(tmp_path / "log")
    with open(log.path, "a") as file:
        file.write("t 0 7 %00k 1 42 start - 100 {%22a%22:1}\nt 0 8 - 1 42 start - 1")
    [first] = log.read()
    assert first.id == ("t", 0, 7) and first.key == b"\0k" and first.value == b'{"a":1}' and first.end is None
    with open(log.path, "a") as file:
        file.write("01 -\nt 0 7 %00k 1 42 end success 200 -\n")
    first, second = log.read()
    assert first.end == 200 and first.succeeded and second.key is None
    assert log.done() == {("t", 0, 7)}


def test_what_a_kill_left_of_a_line_of_the_effect_log_is_no_call(tmp_path):
    log = EffectLog(tmp_path / "log")
    log.path.write_text("\nt 0 7 - 1 42 start - 100 -\n\nt 0 8 - 1 4\nt 0 9 - 1 43 start - 101 -\n")
    assert [call.id for call in log.read()] == [("t", 0, 7), ("t", 0, 9)]


def test_a_load_of_offsets_that_ended_another_one_is_found():
    log = """[GroupCoordinator id=1] Scheduling loading of metadata from __consumer_offsets-0 with epoch 30
[GroupCoordinator id=1] Scheduling loading of metadata from __consumer_offsets-1 with epoch 30
[GroupCoordinator id=1] Scheduling loading of metadata from __consumer_offsets-0 with epoch 32
[GroupCoordinator id=1] Finished loading of metadata from __consumer_offsets-0 with epoch 30 in 870ms where 15ms
[GroupCoordinator id=1] Ignored load completion from __consumer_offsets-0 because context is in ACTIVE state.
"""
    began, ended = offsets_loads(log)
    assert began == {"__consumer_offsets-0": 32, "__consumer_offsets-1": 30}
    assert ended == {"__consumer_offsets-0": 30}


def test_what_counts_as_a_page_view():
    at = datetime(2026, 1, 31, 23, 59, 59, 999999, timezone.utc)
    late = view("/a", at)
    late["timestamp"] = "2026-02-01T01:59:59.123456789+02:00"
    bodies = [view("/a", at), late, view("/b", at, kind="click"), view(7, at), {"type": "page_view"}, [1], None]
    values = [json.dumps(body).encode() for body in bodies] + [b"{", b"", b"\xff", None]
    totals, minutes = page_views.expected([Record("t", 0, n, 0, b"", value, []) for n, value in enumerate(values)])
    assert totals == {"views:/a": 2}
    assert minutes == {"page-views:2026-01-31T23:59": {"/a": 2}}

"""What must be true of a run, judged from outside: from what the producer was told, what lies in the topics, what the
handlers did and what the group committed. Plain functions over plain values; nothing here knows the engine."""

import json
from bisect import bisect_right
from collections import Counter, defaultdict
from dataclasses import dataclass, field

FINAL = {"success", "permanent"}


@dataclass
class Evidence:
    """All that is known of one topic and its group."""
    acked: list                                  # Sent: what the producer was told
    written: list                                # Record: the topic, read anew
    calls: list                                  # Call: the effect log
    letters: list = field(default_factory=list)  # Record: the DLQ
    commits: list = field(default_factory=list)  # Commit: of the group, oldest first


def numbered(value):
    """Who an event says it is."""
    body = json.loads(value)
    return body["producer"], body["seq"]


def origin(letter):
    return letter.header("original-topic"), int(letter.header("original-partition")), int(
        letter.header("original-offset"))


# ---- L: nothing acknowledged is lost ----

def assert_nothing_lost(seen):
    log = {record.id: record for record in seen.written}
    gone = [sent.id for sent in seen.acked if sent.id not in log or log[sent.id].value != sent.value]
    assert not gone, f"L: {len(gone)} acknowledged events are not in the topic: {gone[:5]}"
    ended = {call.id for call in seen.calls if call.succeeded} | {origin(letter) for letter in seen.letters}
    lost = [record.id for record in seen.written if record.id not in ended]
    assert not lost, f"L: {len(lost)} of {len(log)} events were neither handled nor dead-lettered: {sorted(lost)[:5]}"


def assert_letters_are_due(seen):
    """A dead letter is of an event that was told to fail for good, and is that event."""
    log = {record.id: record for record in seen.written}
    for letter in seen.letters:
        source = log[origin(letter)]
        assert (letter.key, letter.value) == (source.key, source.value), f"{source.id}: its dead letter differs"
        assert json.loads(source.value).get("fail") == "permanent", f"{source.id} was dead-lettered, and was healthy"


# ---- O: order of each key ----

def assert_order(seen):
    """The first call of an event comes after the one before it of its key was finished for the first time, whichever
    processes did it."""
    first_start, first_end, lanes = {}, {}, defaultdict(set)
    for call in seen.calls:
        lanes[call.topic, call.partition, call.key].add(call.offset)
        first_start[call.id] = min(call.start, first_start.get(call.id, call.start))
        if call.outcome in FINAL:
            first_end[call.id] = min(call.end, first_end.get(call.id, call.end))
    for (topic, partition, key), offsets in lanes.items():
        ids = [(topic, partition, offset) for offset in sorted(offsets)]
        for before, after in zip(ids, ids[1:]):
            assert first_end.get(before, first_start[after] + 1) <= first_start[after], (
                f"O: {after} of {key} began before {before} was finished")


# ---- R: what is done again ----

def redelivered_by_life(calls):
    """By process: how many of the events it started were started again by another one, or anew by itself."""
    owner, again = {}, Counter()
    for call in sorted(calls, key=lambda call: call.start):
        # A process that lost its partitions and has them again calls as for the first time.
        if call.id in owner and (owner[call.id] != call.pid or call.attempt == 1):
            again[owner[call.id]] += 1
        owner[call.id] = call.pid
    return again


def assert_redelivery(seen, most):
    """No life costs more than the window of its partitions. The most that one did cost."""
    again = redelivered_by_life(seen.calls)
    worst = max(again.values(), default=0)
    assert worst <= most, f"R: a life cost {worst} redelivered events, {most} are allowed"
    return worst


def done_again(calls, ended_cleanly):
    """The events that one of these processes had handled, and another handled after it."""
    done, again = {}, set()
    for call in sorted(calls, key=lambda call: call.start):
        if call.id in done and done[call.id] != call.pid:
            again.add(call.id)
        if call.succeeded and call.pid in ended_cleanly:
            done[call.id] = call.pid
    return again


# ---- commits ----

def assert_commits_never_go_back(seen):
    """What a process that was frozen says of partitions that another one has by now is not taken."""
    highest = {}
    for commit in seen.commits:
        where = commit.topic, commit.partition
        assert commit.offset >= highest.get(where, 0), f"{where}: {commit.offset} was committed after {highest[where]}"
        highest[where] = commit.offset


def assert_commits_are_behind(seen, wall_minus_steady_ns, slack_ms=5):
    """Whatever lies below a commit had been finished when it was written. Clocks that round cost the slack."""
    finished = {}
    for call in seen.calls:
        if call.outcome in FINAL:
            finished[call.id] = min(call.end, finished.get(call.id, call.end))
    below = {}  # by partition: offsets, and the latest end of all events below each
    for record in sorted(seen.written, key=lambda record: (record.partition, record.offset)):
        offsets, ends = below.setdefault((record.topic, record.partition), ([0], [0]))
        offsets.append(record.offset + 1)
        ends.append(max(ends[-1], finished.get(record.id, 1 << 63)))
    for commit in seen.commits:
        offsets, ends = below.get((commit.topic, commit.partition), ([0], [0]))
        latest = ends[bisect_right(offsets, commit.offset) - 1]
        late_ms = (latest + wall_minus_steady_ns) / 1e6 - commit.at_ms
        assert late_ms <= slack_ms, (f"L: {commit.offset} of {commit.topic}/{commit.partition} was committed "
                                     f"before what lies below it was finished")

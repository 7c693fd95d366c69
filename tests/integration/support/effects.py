"""What the handlers did: the effect log of tests/support/effects_app.cpp, and the judgement of it."""

import time
from collections import defaultdict
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from support.waiting import eventually

FIELDS = 10


@dataclass
class Call:
    topic: str
    partition: int
    offset: int
    key: bytes | None
    attempt: int
    pid: int
    start: int
    value: bytes | None
    end: int | None = None
    outcome: str | None = None

    @property
    def id(self):
        return self.topic, self.partition, self.offset

    @property
    def succeeded(self):
        return self.outcome == "success"


class EffectLog:
    """Reads on from where it stopped; `calls` holds every call in the order of their starts."""

    def __init__(self, path):
        self.path = path
        self.calls = []
        self._open = defaultdict(list)
        self._done = set()
        self._position = 0
        path.touch()

    def read(self):
        with open(self.path, "rb") as file:
            file.seek(self._position)
            text = file.read()
        complete = text[:text.rfind(b"\n") + 1]
        self._position += len(complete)
        for line in complete.splitlines():
            fields = line.decode().split(" ")
            if len(fields) == FIELDS:  # or it is what a kill left of a line, or an empty one between two
                self._add(fields)
        return self.calls

    def _add(self, fields):
        topic, partition, offset, key, attempt, pid, phase, outcome, nanoseconds, value = fields
        where = (topic, int(partition), int(offset), int(attempt), int(pid))
        if phase == "start":
            call = Call(*where[:3], _decoded(key), *where[3:], int(nanoseconds), _decoded(value))
            self.calls.append(call)
            self._open[where].append(call)
        else:
            call = self._open[where].pop(0)
            call.end, call.outcome = int(nanoseconds), outcome
            if call.succeeded:
                self._done.add(call.id)

    def of(self, sent):
        """The calls for one event."""
        return [call for call in self.read() if call.id == sent.id]

    def done(self):
        """The events that succeeded."""
        self.read()
        return self._done

    def wait_done(self, sent, within=60):
        """Until each of these events succeeded once."""
        wanted = {event.id for event in sent}

        def missing():
            return wanted - self.done()
        eventually(lambda: not missing(), within, lambda: f"not done: {len(missing())} of {len(sent)} events, "
                   f"{sorted(missing())[:5]}", 0.1)
        return self.calls


def _decoded(text):
    return None if text == "-" else unquote_to_bytes(text)


def now():
    """The clock of the effect log, in nanoseconds."""
    return time.monotonic_ns()


# ---- judgements ----

def assert_keys_in_order(calls):
    """The calls of a key never overlap and come in offset order, within each process; over all of them the
    first calls of its events come in offset order too."""
    by_key = defaultdict(list)
    for call in calls:
        if call.key is not None:
            by_key[call.topic, call.partition, call.key].append(call)
    for lane, of_lane in by_key.items():
        assert_in_order(lane, of_lane)


def assert_partitions_in_order(calls):
    by_partition = defaultdict(list)
    for call in calls:
        by_partition[call.topic, call.partition].append(call)
    for lane, of_lane in by_partition.items():
        assert_in_order(lane, of_lane)


def assert_in_order(lane, calls):
    calls = sorted(calls, key=lambda call: call.start)
    first_offsets = list(dict.fromkeys(call.offset for call in calls))
    assert first_offsets == sorted(first_offsets), f"{lane}: first calls out of order: {first_offsets}"
    by_process = defaultdict(list)
    for call in calls:
        by_process[call.pid].append(call)
    for of_process in by_process.values():
        for before, after in zip(of_process, of_process[1:]):
            assert before.end is not None and before.end <= after.start, f"{lane}: {before} overlaps {after}"
            assert before.offset <= after.offset, f"{lane}: {after} came after {before}"


def most_at_once(calls):
    """How many calls ran at the same time, at most."""
    edges = sorted([(call.start, 1) for call in calls] + [(call.end, -1) for call in calls if call.end is not None])
    running = most = 0
    for _, step in edges:
        running += step
        most = max(most, running)
    return most


def redelivered(calls, pid):
    """The events that this process started and a later one started again."""
    first = {call.id for call in calls if call.pid == pid}
    last_start = max((call.start for call in calls if call.pid == pid), default=0)
    return {call.id for call in calls if call.pid != pid and call.id in first and call.start > last_start}


def repeated_successes(calls):
    """The events that were handled again after they had succeeded."""
    seen, again = set(), set()
    for call in sorted((call for call in calls if call.end is not None), key=lambda call: call.end):
        if call.id in seen:
            again.add(call.id)
        if call.succeeded:
            seen.add(call.id)
    return again

"""One process of a contestant from its start to its end, watched from outside, and what its logbook tells."""

import collections
import contextlib
import itertools
import mmap
import os
import re
import signal
import struct
import sys
import time
import urllib.request

from common import end, free_port, peak_memory, process_seconds, start

HEAD, ENTRY = 8, 24
LONGEST_RUN = 240


class Wrong(RuntimeError):
    """A contestant's result is not what was produced: its run does not count."""


def check(found, wanted, what):
    if found != wanted:
        raise Wrong(f"{what}: {found:,} and not {wanted:,}")


Entry = collections.namedtuple("Entry", "key sequence begun ended")


class Logbook:
    """bench/logbook.hpp"""

    def __init__(self, file, entries):
        self.file = file
        with open(file, "wb") as made:
            made.truncate(HEAD + entries * ENTRY)
        with open(file, "rb") as made:
            self.bytes = mmap.mmap(made.fileno(), 0, access=mmap.ACCESS_READ)

    def done(self):
        return int.from_bytes(self.bytes[:HEAD], sys.byteorder)

    def size(self):
        """Of what was written to: it counts as resident memory of whoever keeps it."""
        return min(self.done() * ENTRY, len(self.bytes) - HEAD)

    def entries(self):
        return list(map(Entry._make, struct.iter_unpack("=iiqq", self.bytes[HEAD:HEAD + self.size()])))


def check_orders(entries, events, work_ns=0):
    """Every order once, those of a key in their order, one after the other, and each for as long as it takes."""
    check(len(entries), events, "orders done")
    last = {}
    for key, sequence, begun, ended in entries:
        before, free_from = last.get(key, (-1, 0))
        check(sequence, before + 1, f"order of key {key}")
        if work_ns and begun < free_from:
            raise Wrong(f"two orders of key {key} at once")
        if ended - begun < work_ns:
            raise Wrong(f"an order took only {(ended - begun) / 1e6:.2f} ms")
        last[key] = sequence, ended


def percentile(ordered, share):
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


class Run:
    numbers = itertools.count(1)

    def __init__(self, bench, name, program, topic="", entries=0, group=None):
        number = next(self.numbers)
        self.bench, self.name, self.program, self.topic = bench, name, program, topic
        self.folder = bench.folder / f"{number}-{name.replace(' ', '-').replace('/', '-')}"
        self.folder.mkdir()
        self.group = group or f"run-{number}"
        self.logbook = Logbook(self.folder / "logbook", entries)
        self.admin, self.listen = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
        command, environment = program.prepare(bench, self)
        self.began = time.monotonic()
        self.process = start(command, self.folder / "log", **environment)
        self.pid = self.process.pid
        self.first = self.memory = self.cpu_before = self.done_before = 0
        self.asked = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.process)

    # -- while it runs --

    def metrics(self, path="/metrics"):
        with contextlib.suppress(OSError):
            with urllib.request.urlopen(f"http://{self.admin}{path}", timeout=10) as answer:
                return answer.read().decode()
        return ""

    def counted(self, pattern):
        return sum(int(float(n)) for n in re.findall(rf"^{pattern} (\S+)$", self.metrics(), re.M))

    def done(self):
        return self.counted(self.program.counter) if self.program.counter else self.logbook.done()

    def look(self):
        """Fails where the process has ended or takes too long."""
        if self.process.poll() is not None:
            raise RuntimeError(f"ended with {self.process.returncode}: {self.last_words()}")
        if time.monotonic() - self.began > LONGEST_RUN:
            raise RuntimeError(f"not done after {LONGEST_RUN} s, {self.done():,} events")
        self.memory = max(self.memory, peak_memory(self.pid))

    def last_words(self):
        lines = (self.folder / "log").read_text(errors="replace").strip().splitlines()
        return f"{lines[-1][:300] if lines else 'it said nothing'} ({self.folder.name}/log)"

    def wait_for(self, events):
        """Until so many are done. From the first one on it is measured."""
        done, wait = 0, 0.01
        while True:
            self.look()
            done, before, now = self.done(), done, time.monotonic()
            if done > 0 and not self.first:
                self.begin(done, now)
            elif done > before:
                # A look costs the engine a scrape: few of them, until the end is near.
                wait = min(0.25, max(0.01, (events - done) * (now - self.first) / done / 3))
            if done >= events:
                return now
            time.sleep(wait)

    def begin(self, done, now):
        self.first, self.done_before, self.cpu_before = now, done, process_seconds(self.pid)

    # -- its end --

    def ask_to_stop(self):
        self.look()
        self.process.send_signal(signal.SIGTERM)
        self.asked = True

    def stop(self):
        """Asks where that was not done yet; the CPU time since the first event."""
        if not self.asked:
            self.ask_to_stop()
        deadline = time.monotonic() + 60
        while (ended := os.wait4(self.pid, os.WNOHANG))[0] == 0:
            self.memory = max(self.memory, peak_memory(self.pid))
            if time.monotonic() > deadline:
                raise RuntimeError("did not end within a minute of SIGTERM")
            time.sleep(0.002)
        self.process.returncode = os.waitstatus_to_exitcode(ended[1])
        if self.process.returncode != 0:
            raise RuntimeError(f"ended with {self.process.returncode}: {self.last_words()}")
        return ended[2].ru_utime + ended[2].ru_stime - self.cpu_before

    def peak_mib(self):
        return max(0, self.memory - self.logbook.size()) / 2**20


# ---- what most jobs measure ----

def figures(runs, events, ended, cpu, begun=None):
    """Rate, CPU and memory. What was done when a run was first looked at counts in neither; with `begun`, the rate is of
    all events since then."""
    first = min((r for r in runs if r.first), key=lambda r: r.first)
    seen = events - sum(r.done_before for r in runs)
    if seen < events / 2:
        raise RuntimeError(f"{events - seen:,} of {events:,} events were done before the first look: too few to measure")
    rate = events / (ended - begun) if begun else (events - first.done_before) / (ended - first.first)
    return {"rate": rate, "cpu": cpu / seen * 1e6, "memory": sum(r.peak_mib() for r in runs)}


def latencies(entries):
    """ms"""
    waits = sorted((e.ended - e.begun) / 1e6 for e in entries)
    return {"p50": percentile(waits, 0.5), "p99": percentile(waits, 0.99), "longest": waits[-1]}


def work_off(bench, name, program, topic, partitions, events, work_ns=0):
    """All events of a topic are handled, each once."""
    with Run(bench, name, program, topic, 0 if program.counter else events) as run:
        ended = run.wait_for(events)
        done = run.done()
        cpu = run.stop()
        check(done, events, "events done")
        if program.actors:
            check(bench.broker.committed(run.group, topic, partitions), events, "events committed")
        book = run.logbook.entries()
        if program.counter:
            return figures([run], events, ended, cpu), book
        check_orders(book, events, work_ns)
        return figures([run], events, max(e.ended for e in book) / 1e9, cpu, book[0].begun / 1e9), book


def wait_for_all(runs, events):
    """As Run.wait_for, of all together."""
    while True:
        done = 0
        for run in runs:
            run.look()
            mine = run.done()
            if mine > 0 and not run.first:
                run.begin(mine, time.monotonic())
            done += mine
        if done >= events:
            return time.monotonic()
        time.sleep(0.02)

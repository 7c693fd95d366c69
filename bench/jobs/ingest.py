"""E: events come in over HTTP, and are answered when the broker has them."""

import json
import re
import shutil
import socket
import subprocess
import time

import contestants as c
from common import HERE, thread_seconds
from measuring import Run, Wrong, check

LETTER, TITLE = "E", "POSTs answered when the broker has the event"
COLUMNS = (("rate", "POSTs/s", 0), ("p50", "p50 ms", 1), ("p99", "p99 ms", 1), ("longest", "longest ms", 0),
           ("cpu", "CPU-s per M", 1), ("memory", "peak MiB", 0))
BASELINES, RATIOS, ROUNDS = {"": "troupe"}, ("rate", "cpu"), None
NOTE = ("wrk over 64 kept connections, one event a request; it shares the cores. The topic must hold exactly what was answered. "
        "The Go programs are a handler of net/http that decodes, stamps and encodes an event and waits for its producer.")
TOPIC, PARTITIONS, CLIENTS = "bench.events", 8, 64
ANSWERED = re.compile(r'^troupe_ingest_requests_total\{[^}]*status="(\d+)"[^}]*\} (\S+)$', re.M)


def ingest(run):
    return {"events": {"ingest": {
        "route": "POST /events", "listen": run.listen, "topic": run.topic, "key": "/session_id",
        "require": {"/type": "string"}, "stamp": "/timestamp", "batch": True, "cors": "*", "respond": 204, "acks": "all",
        "limits": {"idle": "10m"}}}}  # that those who are held are not closed while others still come


def contestants():
    return {"troupe": c.troupe(ingest, c.SENT), "kafka-go": c.kafka_go("ingest"), "franz-go": c.franz_go("ingest")}


def prepare(bench):
    if not shutil.which("wrk"):
        raise RuntimeError("there is no wrk: apt-get install wrk")
    open_topic(bench)


def open_topic(bench):
    if TOPIC not in bench.broker.created:
        bench.broker.create(TOPIC, PARTITIONS, **{"segment.bytes": str(64 * 2**20), "retention.bytes": str(64 * 2**20)})


def until_listening(run):
    deadline = time.monotonic() + 30
    port = int(run.listen.rpartition(":")[2])
    while True:
        run.look()
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def wrk(run, seconds):
    shown = subprocess.run(["wrk", "-t1", f"-c{CLIENTS}", f"-d{seconds}s", "--timeout", "10s", "-s", HERE / "ingest.lua",
                            f"http://{run.listen}/events"], stdout=subprocess.PIPE, text=True, check=True).stdout
    found = json.loads(re.search(r"^figures (.*)$", shown, re.M)[1])
    check(found["errors"] + found["refused"], 0, "errors of wrk")
    return found


def answered(run):
    """How often each status was answered by the engine, when nothing is under way any more."""
    seen = None
    while True:
        now = {int(status): int(float(n)) for status, n in ANSWERED.findall(run.metrics())}
        if now == seen:
            return now
        seen = now
        time.sleep(0.2)


def measure(bench, _, name, program):
    before = bench.broker.written(TOPIC, PARTITIONS)
    with Run(bench, name, program, TOPIC) as run:
        until_listening(run)
        warm_up = wrk(run, 2)
        used = thread_seconds(run.pid)
        found = wrk(run, bench.options.seconds)
        used = thread_seconds(run.pid) - used
        run.look()
        statuses = answered(run) if program.actors else None
        run.stop()
    written = bench.broker.written(TOPIC, PARTITIONS) - before
    # What is under way when wrk ends is answered without being heard.
    heard = warm_up["requests"] + found["requests"]
    if statuses is not None:
        check(written, statuses.get(204, 0), "events in the topic")
        check(len(statuses), 1, "different statuses")
    if not heard <= written <= heard + 2 * CLIENTS:
        raise Wrong(f"wrk heard {heard:,} answers, and the topic has {written:,} events")
    return {"rate": found["requests"] / found["microseconds"] * 1e6, "p50": found["p50"] / 1000,
            "p99": found["p99"] / 1000, "longest": found["most"] / 1000, "cpu": used / found["requests"] * 1e6,
            "memory": run.peak_mib()}

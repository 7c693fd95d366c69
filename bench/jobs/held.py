"""H: HTTP connections that are held and say nothing."""

import contextlib
import resource
import socket
import time

import contestants as c
from common import memory
from jobs import ingest
from measuring import Run, Wrong, check

LETTER, TITLE = "H", "10,000 idle HTTP connections: resident memory"
COLUMNS = (("none", "before them, MiB", 0), ("last", "at the last answer, MiB", 0), ("later", "20 s later, MiB", 0),
           ("memory", "peak MiB", 0))
BASELINES, RATIOS, ROUNDS = {}, (), 1
NOTE = "Each connection has had one request answered, of the size in the first column, and then is silent."
AT_ONCE, SETTLE = 64, 20
SIZES = {"troupe, small": 200, "troupe, 256 KiB": 256 * 1024}


def contestants():
    return {name: c.troupe(ingest.ingest, c.SENT) for name in SIZES}


def prepare(bench):
    connections = max(100, bench.scaled(10_000))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < connections + 200:
        raise RuntimeError(f"{connections} connections need {connections + 200} open files; {hard} are allowed (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(connections + 200, soft), hard))
    ingest.open_topic(bench)
    return connections


def event(number, size):
    start_of = f'{{"type":"page_view","session_id":"session-{number:06}","payload":{{"path":"/","note":"'
    body = (start_of + "x" * (size - len(start_of) - 3) + '"}}').encode()
    return b"POST /events HTTP/1.1\r\nHost: bench\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def take_answer(connection):
    said = b""
    while b"\r\n\r\n" not in said:
        piece = connection.recv(4096)
        if not piece:
            raise Wrong("a connection was closed before it was answered")
        said += piece
    if said.split(b" ", 2)[1] != b"204":
        raise Wrong(f"answered {said[:20]!r}")


def connect_all(connections, port, size):
    held = []
    while len(held) < connections:
        group = [socket.create_connection(("127.0.0.1", port), timeout=60)
                 for _ in range(min(AT_ONCE, connections - len(held)))]
        for number, connection in enumerate(group, len(held)):
            connection.sendall(event(number, size))
        for connection in group:
            take_answer(connection)
        held += group
    return held


def still_open(connection):
    connection.setblocking(False)
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def measure(bench, connections, name, program):
    before = bench.broker.written(ingest.TOPIC, ingest.PARTITIONS)
    with Run(bench, name, program, ingest.TOPIC) as run, contextlib.ExitStack() as stack:
        ingest.until_listening(run)
        none = memory(run.pid, "VmRSS")
        held = [stack.enter_context(one)
                for one in connect_all(connections, int(run.listen.rpartition(":")[2]), SIZES[name])]
        last = memory(run.pid, "VmRSS")
        time.sleep(SETTLE)
        run.look()
        check(sum(map(still_open, held)), connections, "connections still open")
        check(ingest.answered(run).get(204, 0), connections, "answers")
        check(bench.broker.written(ingest.TOPIC, ingest.PARTITIONS) - before, connections, "events in the topic")
        return {"none": none / 2**20, "last": last / 2**20, "later": memory(run.pid, "VmRSS") / 2**20,
                "memory": run.peak_mib()}

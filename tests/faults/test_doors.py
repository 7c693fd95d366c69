"""Rows 20 to 22: clients of an ingest that keep connections, send slowly, send too much, or send what is no HTTP."""

import json
import resource
import selectors
import socket
import time

import pytest

from support.background import Background
from support.door import Door
from support.waiting import eventually

BODY = json.dumps({"type": "page_view", "session_id": "s-1"}).encode()
ANSWER, READ = 0.05, 10  # seconds: a fresh client's p99, and limits.read


@pytest.fixture
def topic(kafka, name):
    return kafka.create_topic(name, 3)


@pytest.fixture
def door():
    return Door()


def ingest(door, topic, **limits):
    return {"ingest": {"route": "POST /events", "listen": door.listen, "topic": topic, "key": "/session_id",
                       "require": {"/type": "string"}, "respond": 204, "limits": {"read": f"{READ}s", **limits}}}


def accepted(kafka, topic):
    return sum(kafka.ends(topic).values())


# ---- row 20 ----

def allowed(wanted):
    """How many connections this process may hold, its soft limit raised as far as may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard - 1000)


def connected(door, number):
    # Several addresses of one's own, or the ports of one would run out.
    return socket.create_connection(("127.0.0.1", door.port), timeout=30,
                                    source_address=(f"127.0.0.{2 + number % 8}", 0))


def is_open(connection):
    connection.setblocking(False)
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


class Slow(Background):
    """Clients that send a byte of a request a second, and how long each was let."""

    every = 1.0

    def __init__(self, door, count):
        super().__init__()
        self.text = b"POST /events HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
        self.clients = [connected(door, n) for n in range(count)]
        self.selector, self.lived, self.said = selectors.DefaultSelector(), [], []
        self.began, self.at = time.monotonic(), 0
        for n, client in enumerate(self.clients):
            # Half of them are slow with their body.
            client.sendall(self.text[:-len(BODY)] if n % 2 else self.text[:1])
            client.setblocking(False)
            self.selector.register(client, selectors.EVENT_READ)

    def step(self):
        self.at += 1
        for key, _ in self.selector.select(0):
            self.end(key.fileobj)
        for n, client in enumerate(self.clients):
            if client.fileno() < 0:
                continue
            try:
                rest = self.text[-len(BODY):] if n % 2 else self.text[1:]
                client.send(rest[self.at:self.at + 1])
            except OSError:
                self.end(client)

    def end(self, client):
        try:
            self.said.append(client.recv(4096))
        except OSError:
            self.said.append(b"")
        self.lived.append(time.monotonic() - self.began)
        self.selector.unregister(client)
        client.close()


@pytest.mark.row(20)
@pytest.mark.limit(180)
def test_idle_and_slow_clients_keep_no_fresh_one_waiting(kafka, engines, topic, door, figure):
    count, slow_ones = allowed(10_000), 200
    engine = engines({"events": ingest(door, topic, connections=count + 1000)}).start_and_join()

    def p99(asked=500):
        waited = []
        for _ in range(asked):
            began = time.monotonic()
            assert door.ask("POST", "/events", BODY)[0].status == 204
            waited.append(time.monotonic() - began)
        return sorted(waited)[asked * 99 // 100]
    alone = p99()
    idle = [connected(door, n) for n in range(count)]
    try:
        before = engine.memory_mb()
        with Slow(door, slow_ones) as slow:
            crowded = p99()
            eventually(lambda: len(slow.lived) == slow_ones, 3 * READ, lambda: f"{len(slow.lived)} are cut", 0.2)
        assert min(slow.lived) > 0.8 * READ and max(slow.lived) < 3 * READ
        assert all(said == b"" or said.startswith(b"HTTP/1.1 408 ") for said in slow.said), set(slow.said)
        assert crowded < 3 * ANSWER
        assert all(map(is_open, idle)), "who is only idle is let be"
        assert accepted(kafka, topic) == 1000
        figure(f"{count} idle, {slow_ones} slow: a fresh client's p99 {crowded * 1000:.1f} ms ({alone * 1000:.1f} ms "
               f"without them); slow ones cut after {min(slow.lived):.1f} to {max(slow.lived):.1f} s; "
               f"{before:.0f} MB", idle=count, p99_ms=crowded * 1000, alone_ms=alone * 1000)
    finally:
        for connection in idle:
            connection.close()


# ---- row 21 ----

def told_while_sending(door, head, piece, pieces):
    """Sends until it is answered: the answer, and how many pieces went out."""
    with socket.create_connection(("127.0.0.1", door.port), timeout=30) as connection:
        connection.sendall(head)
        sent = 0
        selector = selectors.DefaultSelector()
        selector.register(connection, selectors.EVENT_READ)
        while sent < pieces and not selector.select(0):
            try:
                connection.sendall(piece)
            except OSError:
                break
            sent += 1
        connection.settimeout(10)
        return b"".join(iter(lambda: received(connection), b"")), sent


def received(connection):
    try:
        return connection.recv(65536)
    except ConnectionResetError:
        return b""


@pytest.mark.row(21)
@pytest.mark.short
def test_what_is_too_large_is_refused_without_taking_memory(kafka, engines, topic, door, figure):
    engine = engines({"events": ingest(door, topic)}).start_and_join()
    assert door.ask("POST", "/events", BODY)[0].status == 204
    before, most, sent = engine.memory_mb(), 0.0, {}
    start, end = b"POST /events HTTP/1.1\r\nHost: a\r\n", b"Content-Length: 2\r\n\r\n{}"
    gib, piece = 1 << 30, b"x" * (1 << 16)
    for what, head, pieces, status in (
            ("announced", start + b"Content-Length: %d\r\n\r\n" % gib, (piece, gib // len(piece)), 413),
            ("streamed", start + b"Transfer-Encoding: chunked\r\n\r\n",
             (b"%x\r\n%b\r\n" % (len(piece), piece), gib // len(piece)), 413),
            ("a header of 64 KiB", start + b"X: " + piece + b"\r\n" + end, (b"", 0), 431),
            ("10,000 headers", start + b"X: y\r\n" * 10_000 + end, (b"", 0), 431)):
        for _ in range(20):
            answer, sent[what] = told_while_sending(door, head, *pieces)
            assert answer.startswith(b"HTTP/1.1 %d " % status), (what, answer[:200])
            most = max(most, engine.memory_mb())
    assert sent["announced"] * len(piece) < gib / 16 and sent["streamed"] * len(piece) < gib / 16
    assert most - before < 16
    assert door.ask("POST", "/events", BODY)[0].status == 204
    assert accepted(kafka, topic) == 2
    figure(f"413 and 431; of 1 GiB streamed {sent['streamed'] * 64} KiB were taken; memory +{most - before:.1f} MB",
           grown_mb=most - before, pieces=sent)


# ---- row 22 ----

def post(*headers, body=BODY):
    return b"\r\n".join((b"POST /events HTTP/1.1", b"Host: a", *headers, b"", body))


LENGTH, CHUNKED = b"Content-Length: %d" % len(BODY), b"Transfer-Encoding: chunked"
CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)

NO_HTTP = {
    "two lengths": post(LENGTH, LENGTH),
    "two lengths that differ": post(LENGTH, b"Content-Length: 2"),
    "two lengths in one": post(b"Content-Length: %d, %d" % (len(BODY), len(BODY))),
    "a length with a sign": post(b"Content-Length: +%d" % len(BODY)),
    "length and chunks": post(LENGTH, CHUNKED, body=CHUNKS),
    "chunks and length": post(CHUNKED, LENGTH, body=CHUNKS),
    "chunked twice": post(CHUNKED, CHUNKED, body=CHUNKS),
    "another coding": post(b"Transfer-Encoding: chunked, identity", body=CHUNKS),
    "bare line feeds": b"POST /events HTTP/1.1\nHost: a\n%b\n\n%b" % (LENGTH, BODY),
    "one bare line feed": post(LENGTH).replace(b"a\r\n", b"a\n", 1),
    "bare carriage return": post(b"X: a\rb", LENGTH),
    "folded header": post(b"X: folded", b" line", LENGTH),
    "folded length": post(b"Content-Length:", b" %d" % len(BODY)),
    "blank before the colon": post(b"Content-Length : %d" % len(BODY)),
    "NUL in a header": post(b"X: a\0b", LENGTH),
    "NUL in a name": post(b"X\0: a", LENGTH),
    "NUL in the target": post(LENGTH).replace(b"/events", b"/events\0", 1),
    "no number of a chunk": post(CHUNKED, body=b"zz\r\n%b\r\n0\r\n\r\n" % BODY),
    "a huge number of a chunk": post(CHUNKED, body=b"1" * 17 + b"\r\n" + BODY),
    "bare line feed in a chunk": post(CHUNKED, body=b"%x\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)),
    "longer chunk than said": post(CHUNKED, body=b"%x\r\n%bxx\r\n0\r\n\r\n" % (len(BODY), BODY)),
}


@pytest.mark.row(22)
@pytest.mark.short
def test_what_is_no_strict_http_is_refused_once_and_never_an_event(kafka, engines, topic, door, figure):
    engines({"events": ingest(door, topic, read="2s")}).start_and_join()
    hidden = post(LENGTH)
    for what, request in NO_HTTP.items():
        # The second request is what a smuggler would hide behind the first.
        answers = door.raw(request + hidden)
        assert answers.startswith(b"HTTP/1.1 400 "), (what, answers)
        assert answers.count(b"Content-Length: ") == 1 and b"application/problem+json" in answers, (what, answers)
    assert accepted(kafka, topic) == 0
    assert door.ask("POST", "/events", BODY)[0].status == 204
    figure(f"{len(NO_HTTP)} kinds: each 400 and closed, 0 events")

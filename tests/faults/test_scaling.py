"""Rows 23 to 26: members that come and go, deploys, pools that change their size."""

import contextlib
import http.client
import json
import select
import signal
import time
from collections import Counter

import pytest

from matrix import oracle
from matrix.lane import PARTITIONS
from matrix.side_by_side import span
from support.background import Background
from support.kafka import Sent
from support.processes import free_port
from support.waiting import eventually, pause

# Three times what the matrix says.
CAUGHT_UP, MOVED, STOPPED = 90, 36, 30
ALL = 2 * PARTITIONS  # of orders and of views


@pytest.mark.row(23)
@pytest.mark.short
@pytest.mark.limit(1200)
def test_members_that_come_and_go_every_two_seconds_lose_nothing_and_the_lag_falls(lane, whole, figure):
    """Some calls outlast a revocation's bound: what they answer later, under another assignment, counts for nothing."""
    hasty, steps = {"revoke": "300ms"}, 300 if whole else 10
    lane.engine = lane.another(shutdown=hasty).start_and_join()
    others = [lane.another(shutdown=hasty) for _ in range(2)]
    with lane.load(slow_ms=1500):
        for n in range(steps):
            other = others[n % 2]
            if other.running():
                assert other.stop(STOPPED) in (0, 75)
            else:
                other.start()
            pause(lane.rng.uniform(1.5, 2.5))
    ended = time.monotonic()
    lane.settle(CAUGHT_UP)
    fell = time.monotonic() - ended
    report = lane.judge(interruptions=steps)  # calls that a revocation abandons come again
    for engine in (*others, lane.engine):
        assert not engine.running() or engine.stop() == 0
    figure(f"{steps} joins and leaves, one every 2 s: the lag was gone {fell:.1f} s after the end; {report}",
           lag_gone=fell, **report)


@pytest.mark.row(24)
@pytest.mark.short
@pytest.mark.limit(900)
def test_one_process_becomes_four_and_one_again_and_nothing_is_done_twice(lane, whole, figure):
    moved = []
    lane.engine.start_and_join()
    others = [lane.another() for _ in range(3)]
    pids = {lane.engine.pid}
    with lane.load():
        lane.progress()
        for _ in range(10 if whole else 1):
            for other in others:
                since = time.monotonic()
                other.start()
                moved.append(lane.progress(other, MOVED, since))
                pids.add(other.pid)
            for other in others:
                assert other.stop(STOPPED) == 0
            begun = time.monotonic()
            eventually(lambda: lane.engine.metric("troupe_assigned_partitions") == ALL, MOVED, "the first has all", 0.1)
            moved.append(time.monotonic() - begun)
            lane.effects_go_on(MOVED)
    report = lane.judge()
    assert lane.engine.stop() == 0
    assert not oracle.done_again(lane.effects.read(), pids), "R: a clean stop has work done twice"
    figure(f"1 to 4 to 1 processes: nothing was done twice; partitions moved {span(moved)} after a start or stop; "
           f"{report}", moved=max(moved), **report)


class Client(Background):
    """Posts orders one after the other, each to one of two doors; to the other one where that is closed or says 503.
    On a connection for each, or as most clients do on kept ones, which it looks at before it uses them."""

    every = 0.01

    def __init__(self, name, ports, keeps):
        super().__init__()
        self.name, self.ports, self.kept = name, ports, {} if keeps else None
        self.made, self.second_tries, self.accepted, self.unanswered, self.resets = 0, 0, [], [], []

    def step(self):
        self.made += 1
        first = self.made % 2
        if not self._taken(self.ports[first]):
            self.second_tries += 1
            assert self._taken(self.ports[1 - first]), f"{self._order()} was taken at neither door"
        self.accepted.append(self._order())

    def finish(self):
        for connection in (self.kept or {}).values():
            connection.close()

    def _order(self):
        return self.name, self.made

    def _taken(self, port):
        looked, kept = time.monotonic(), self._kept(port)
        connection = kept or http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            body = dict(zip(("producer", "seq"), self._order()))
            connection.request("POST", "/orders", json.dumps(body), {"X-Customer": f"c-{self.made % 50}"})
            answer = connection.getresponse()
            answer.read()
        except ConnectionRefusedError:
            return False
        except (http.client.RemoteDisconnected, BrokenPipeError) as problem:
            # The door's goodbye and the request have crossed.
            (self.unanswered if kept else self.resets).append((self._order(), repr(problem)))
            return False
        except ConnectionResetError as problem:
            # Stalled after its look for longer than a door that closes listens, it only now sends.
            late = kept and time.monotonic() - looked > 0.2
            (self.unanswered if late else self.resets).append((self._order(), repr(problem)))
            return False
        finally:
            if self.kept is None:
                connection.close()
        if self.kept is not None and not answer.will_close:
            self.kept[port] = connection
        assert answer.status in (202, 503), answer.status
        return answer.status == 202

    def _kept(self, port):
        """One to this door that it has not closed."""
        connection = self.kept.pop(port, None) if self.kept else None
        if connection and select.select([connection.sock], [], [], 0)[0]:
            connection.close()
            return None
        return connection


@pytest.mark.row(25)
@pytest.mark.short
@pytest.mark.limit(600)
def test_a_deploy_under_load_fails_no_request_and_loses_nothing(lane, whole, figure):
    ports, stops = [free_port(), free_port()], []

    def deployed(port):
        door = {"route": "POST /orders", "listen": f"127.0.0.1:{port}", "topic": lane.orders,
                "key": "header:X-Customer", "respond": 202}
        return lane.another({"door": {"ingest": door}})
    engines = [deployed(port).start_and_join() for port in ports]
    pids = {engine.pid for engine in engines}
    clients = [Client(f"client-{n}", ports, keeps=n % 2 == 0) for n in range(6)]
    with contextlib.ExitStack() as meanwhile:
        for busy in (*clients, lane.load()):
            meanwhile.enter_context(busy)
        for n in range(20 if whole else 2):
            old = engines[n % 2]
            lane.progress(old, MOVED)
            begun = time.monotonic()
            old.signal(signal.SIGTERM)
            assert old.wait(STOPPED) == 0
            stops.append(time.monotonic() - begun)
            engines[n % 2] = deployed(ports[n % 2]).start_and_join(within=60)
            pids.add(engines[n % 2].pid)
    lane.engine = engines[0]
    resets = [one for client in clients for one in client.resets]
    assert not resets, f"{len(resets)} requests were reset: {resets[:5]}"
    records = lane.kafka.read(lane.orders)
    written = {oracle.numbered(record.value): record for record in records}
    accepted = [one for client in clients for one in client.accepted]
    missing = [one for one in accepted if one not in written]
    assert not missing, f"L: {len(missing)} accepted orders are not in the topic: {missing[:5]}"
    unanswered = [order for client in clients for order, _ in client.unanswered]
    times = Counter(oracle.numbered(record.value) for record in records)
    doubled = [order for order in unanswered if times[order] != 1]
    assert not doubled, f"a request that ended without an answer was taken: {doubled}"
    lane.acked += [Sent(*written[one].id, written[one].key, written[one].value) for one in accepted]
    report = lane.judge()
    for engine in engines:
        assert engine.stop() == 0
    assert not oracle.done_again(lane.effects.read(), pids), "R: a clean stop has work done twice"
    figure(f"{len(stops)} deploys under load: exit 0 after {span(stops)}; {len(accepted)} requests, half of them on kept "
           f"connections: none reset, {len(unanswered)} met the end of theirs and were not taken, "
           f"{sum(client.second_tries for client in clients)} went to the other door; {report}",
           stop=max(stops), unanswered=len(unanswered), **report)


@pytest.mark.row(26)
@pytest.mark.short
@pytest.mark.limit(300)
def test_a_pool_resized_every_second_keeps_the_order_and_its_partitions(lane, whole, figure):
    steps, engine = 60 if whole else 6, lane.engine.start_and_join()
    rebalances = engine.metric("troupe_rebalances_total")
    with lane.load(orders_per_second=400):
        for n in range(steps):
            workers = (4, 32, 1)[n % 3]
            engine.reload(lambda config: config["actors"]["orders"]["pool"].update(workers=workers, max_workers=64))
            eventually(lambda: engine.metric("troupe_pool_workers", actor="orders") == workers, 15,
                       f"the pool has {workers} workers")
            pause(1)
    report = lane.judge()
    assert engine.metric("troupe_rebalances_total") == rebalances
    assert engine.stop() == 0
    figure(f"{steps} sizes (4, 32, 1), a second each: order kept, no rebalance; {report}", **report)

"""A pool and an aggregate under load, with topics, groups, a Redis and an effect log of their own: what a row breaks,
and what it is judged by. Lanes are independent, so that several run side by side."""

import contextlib
import time

from matrix import oracle
from matrix.commits import commits_of
from matrix.workload import Orders, Views
from support import page_views
from support.effects import EffectLog
from support.waiting import eventually
from support.working import pool

PARTITIONS = 4
WINDOW = 60
MEMORY_MB = 200


class Lane:
    def __init__(self, kafka, engines, redis_server, name, folder, rng, session_ms=2000, window=WINDOW):
        self.kafka, self.redis, self.name, self.rng, self.session_ms = kafka, redis_server, name, rng, session_ms
        folder.mkdir(parents=True, exist_ok=True)
        self.make_engine, self.folder, self.window = engines, folder, window
        self.orders, self.views = (kafka.create_topic(f"{name}-{what}", PARTITIONS) for what in ("orders", "views"))
        self.out = kafka.create_topic(f"{name}-out", PARTITIONS)
        self.effects = EffectLog(folder / "effects.log")
        self.acked, self.viewed, self.loads, self.engines = [], [], 0, []
        self.engine = self.another()

    # ---- engines ----

    def another(self, actors=None, **top):
        """One more engine of this lane, with more actors or settings if given; not started yet."""
        session = {"session.timeout.ms": self.session_ms, "heartbeat.interval.ms": min(2000, self.session_ms // 6)}
        engine = self.make_engine({**self._actors(), **(actors or {})}, self.redis, app=self.name,
                                  kafka={"brokers": self.kafka.address, "consumer": session}, **top)
        engine.environment["TROUPE_EFFECTS"] = str(self.effects.path)
        self.engines.append(engine)
        return engine

    def _actors(self):
        worker = pool(self.orders, self.orders, handler="effect.publish", publish={"topic": self.out},
                      consume={"topic": self.orders, "group": self.orders, "window": self.window},
                      pool={"workers": 16}, dlq={"flood": {"ratio": 1.0, "run": 100_000}},
                      retry={"attempts": 5, "backoff": "constant", "initial": "100ms"})
        return {"orders": worker, "page-views": page_views.actor(self.views, self.views)}

    def peak_mb(self):
        """The most that an engine of this lane has had in one of its lives."""
        for engine in self.engines:
            engine.weigh()
        return max(engine.peak_mb for engine in self.engines)

    # ---- load ----

    @contextlib.contextmanager
    def load(self, orders_per_second=150, views_per_second=300, slow_ms=0):
        """Orders and views until it is left; yields the orders. One in a hundred takes `slow_ms`, where given."""
        self.loads += 1
        orders = Orders(self.kafka, self.orders, PARTITIONS, self.rng, orders_per_second, slow_ms, f"p{self.loads}")
        views = Views(self.kafka, self.views, PARTITIONS, self.rng, views_per_second)
        try:
            with orders, views:
                yield orders
        finally:
            self.acked += orders.acked
            self.viewed += views.acked

    # ---- progress ----

    def progress(self, engine=None, within=36, since=None):
        """Waits for the first effect of this process; the seconds that took, since now where not given."""
        engine, since = engine or self.engine, since or time.monotonic()
        eventually(lambda: self._worked(engine), within, f"process {engine.pid} has its first effect", 0.02)
        return time.monotonic() - since

    def _worked(self, engine):
        assert engine.running(), f"ended with {engine.process.returncode}"
        return any(call.pid == engine.pid for call in self.effects.read()[-500:])

    def counted(self):
        """The sum of the positions in Redis."""
        return sum(page_views.positions(self.redis.client, self.name, self.views).values())

    def effects_go_on(self, within):
        """Waits for the next effect of any process; the seconds that took."""
        begun, seen = time.monotonic(), len(self.effects.read())
        eventually(lambda: len(self.effects.read()) > seen, within, "effects go on", 0.02)
        return time.monotonic() - begun

    def counts_move(self, within, what="counts move"):
        """Waits until more is counted than now; the seconds that took."""
        begun, before = time.monotonic(), self.counted()
        eventually(lambda: self.counted() > before, within, what, 0.02)
        return time.monotonic() - begun

    # ---- judgement ----

    def settle(self, within=90):
        """Until all that was produced is committed and counted."""
        self.kafka.wait_all_committed(self.orders, self.orders, within)
        ends = {f"{self.views}/{p}": end for p, end in self.kafka.ends(self.views).items()}

        def behind():
            held = page_views.positions(self.redis.client, self.name, self.views)
            return {where: (held.get(where, 0), end) for where, end in ends.items() if held.get(where, 0) != end}
        eventually(lambda: not behind(), within, lambda: f"all is counted, but for {behind()}", 0.1)

    def evidence(self):
        dlq = f"{self.orders}.orders.dlq"
        letters = self.kafka.read(dlq) if self.kafka.partitions(dlq) else []
        return oracle.Evidence(self.acked, self.kafka.read(self.orders), self.effects.read(), letters,
                               commits_of(self.kafka, self.orders))

    def judge(self, within=90, interruptions=1):
        """Holds L, C, O, R, M and the commits against what is there. What a row may say of it. `interruptions`: how
        often one process lost its partitions without a goodbye, at most; each may cost the window."""
        self.settle(within)
        seen = self.evidence()
        oracle.assert_nothing_lost(seen)
        oracle.assert_letters_are_due(seen)
        oracle.assert_order(seen)
        oracle.assert_commits_are_behind(seen, time.time_ns() - time.monotonic_ns())
        self._assert_published(seen)
        views = self.kafka.read(self.views)
        assert {sent.id for sent in self.viewed} <= {record.id for record in views}, "L: acknowledged views are gone"
        page_views.assert_exact(self.redis.client, views)
        worst = oracle.assert_redelivery(seen, self.window * PARTITIONS * interruptions)
        peak_mb = self.peak_mb()
        assert peak_mb < MEMORY_MB, f"M: {peak_mb:.0f} MB"
        return {"events": len(seen.written), "views": len(views), "letters": len(seen.letters),
                "commits": len(seen.commits), "redelivered_by_one_most": worst, "peak_mb": round(peak_mb)}

    def _assert_published(self, seen):
        """What a handler answered, its event's value, lies in the topic that it was for."""
        published = {record.value for record in self.kafka.read(self.out)}
        missing = {call.id for call in seen.calls if call.succeeded and call.value not in published}
        assert not missing, f"L: {len(missing)} events were handled and not published: {sorted(missing)[:5]}"

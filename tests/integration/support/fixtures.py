"""The fixtures of the tests on real servers. One broker for a whole run of pytest (TEST_KAFKA, or its own); a Redis
and engines for each test. A server that can't be had is a failure. All of it is ended by pid, and a failure shows the
engines' last lines."""

import os
import re
import signal
import uuid

import pytest

from support.broker import Broker, address_from_environment
from support.effects import EffectLog
from support.engine import Engine
from support.example import Examples
from support.http_service import HttpService
from support.kafka import Kafka
from support.redis_server import RedisServer

DEFAULT_LIMIT = 60


@pytest.fixture(scope="session")
def kafka(tmp_path_factory):
    address = address_from_environment()
    if address:
        yield Kafka(address)
        return
    broker = Broker(tmp_path_factory.mktemp("kafka"))
    try:
        yield Kafka(broker.start())
    finally:
        broker.stop()


@pytest.fixture
def name(request):
    """Unique, for topics, groups and apps."""
    return re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[:60].strip("-") + "-" + uuid.uuid4().hex[:8]


@pytest.fixture
def redis_server(tmp_path):
    server = RedisServer(tmp_path / "redis")
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def effects(tmp_path):
    return EffectLog(tmp_path / "effects.log")


@pytest.fixture
def http_service():
    with HttpService() as service:
        yield service


class Engines:
    def __init__(self, folder, app, kafka):
        self.folder, self.app, self.kafka = folder, app, kafka
        self.all = []

    def __call__(self, actors, redis=None, binary="TROUPE_EFFECTS_BINARY", **top):
        """An engine with these actors, not started yet."""
        config = {"version": 1, "app": self.app, "kafka": {"brokers": self.kafka.address}, **top, "actors": actors}
        if redis:
            config["redis"] = {"url": redis.url}
        engine = Engine(os.environ[binary], self.folder / f"engine-{len(self.all)}", config,
                        {"TROUPE_EFFECTS": str(self.folder / "effects.log")})
        self.all.append(engine)
        return engine


@pytest.fixture
def engines(tmp_path, name, request):
    factory = Engines(tmp_path, name, request.getfixturevalue("kafka"))
    try:
        yield factory
    finally:
        for engine in factory.all:
            engine.kill()


@pytest.fixture
def fresh_kafka(tmp_path):
    """A broker of the test's own, for what has fixed names of topics and groups."""
    broker = Broker(tmp_path / "kafka")
    try:
        yield Kafka(broker.start())
    finally:
        broker.stop()


@pytest.fixture
def examples(tmp_path, fresh_kafka, redis_server):
    factory = Examples(tmp_path, fresh_kafka, redis_server)
    try:
        yield factory
    finally:
        for engine in factory.all:
            engine.kill()


@pytest.fixture(autouse=True)
def limit(request):
    """A test that hangs fails by itself, so that its processes are ended and its log is shown."""
    marker = request.node.get_closest_marker("limit")
    seconds = marker.args[0] if marker else DEFAULT_LIMIT

    def too_long(number, frame):
        raise AssertionError(f"the test took more than {seconds} s")
    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(seconds)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.when == "call" and report.failed:
        for engine in (e for name in ("engines", "examples") if name in item.funcargs for e in item.funcargs[name].all):
            state = "runs" if engine.running() else f"ended with {engine.process.returncode if engine.process else '-'}"
            report.sections.append((f"{engine.folder.name} ({state})", engine.log_tail()))

"""The fault matrix of docs/guarantees.md: each test is marked with the row it shows. The short form runs those that are
marked `short`, `--full` all of them, `--row N` those of a row. Whatever is random comes from one seed, which a run
prints and `--seed` repeats."""

import json
import os
import pathlib
import random
import sys

import pytest

sys.path[:0] = [str(pathlib.Path(__file__).parents[1] / "integration"), str(pathlib.Path(__file__).parent)]

from support.fixtures import *  # noqa: F403: fixtures and hooks are found by their names
from proxy import Proxy
from support import processes
from support.fixtures import DEFAULT_LIMIT
from support.broker import Broker
from support.kafka import Kafka
from support.redis_server import RedisServer
from matrix.lane import Lane


def pytest_addoption(parser):
    parser.addoption("--seed", type=int, default=None, help="repeats a run")
    parser.addoption("--full", action="store_true", help="all rows, each as often as the matrix says, but for the length of the soak")
    parser.addoption("--row", type=int, action="append", help="a row of the matrix, whole")
    parser.addoption("--figures", help="a file that gets a line of JSON for each figure")


def pytest_configure(config):
    config.addinivalue_line("markers", f"limit(seconds): the most a test may take, {DEFAULT_LIMIT} where not given")
    config.addinivalue_line("markers", "row(number): of the matrix")
    config.addinivalue_line("markers", "short: also in the short form")
    config.seed = config.getoption("seed")
    if config.seed is None:
        config.seed = random.SystemRandom().randrange(1 << 31)
    config.figures = []


def pytest_report_header(config):
    return f"seed {config.seed}"


def pytest_collection_modifyitems(config, items):
    rows = config.getoption("row")

    def wanted(item):
        if rows:
            return any(mark.args[0] in rows for mark in item.iter_markers("row"))
        return config.getoption("full") or item.get_closest_marker("short")
    out = [item for item in items if not wanted(item)]
    items[:] = [item for item in items if wanted(item)]
    config.hook.pytest_deselected(items=out)


def pytest_terminal_summary(terminalreporter, config):
    for row, text in sorted(config.figures):
        terminalreporter.write_line(f"row {row}: {text}")
    terminalreporter.write_line(f"seed {config.seed}")


@pytest.fixture
def rng(request):
    """The same numbers for the same seed and test, whatever else runs."""
    return random.Random(f"{request.config.seed} {request.node.nodeid}")


@pytest.fixture
def whole(request):
    """True where a row is to be run as often as the matrix says, false in the short form."""
    return bool(request.config.getoption("full") or request.config.getoption("row"))


@pytest.fixture
def figure(request):
    """Notes a figure that was reached: printed at the end, and written to the file of --figures."""
    row = request.node.get_closest_marker("row").args[0]

    def note(text, **values):
        request.config.figures.append((row, text))
        path = request.config.getoption("figures")
        if path:
            with open(path, "a") as file:
                file.write(json.dumps({"row": row, "test": request.node.name, "seed": request.config.seed,
                                       "kafka": os.environ.get("KAFKA_VERSION", "pinned"), "figure": text, **values})
                           + "\n")
    return note


@pytest.fixture
def lanes(kafka, engines, name, tmp_path, rng):
    """Makes a lane, with a Redis of its own."""
    servers = []

    def make(of=kafka, **options):
        n = len(servers)
        servers.append(RedisServer(tmp_path / f"redis-{n}").start())
        return Lane(of, engines, servers[n], f"{name}-{n}", tmp_path / f"lane-{n}",
                    random.Random(rng.random()), **options)
    try:
        yield make
    finally:
        for server in servers:
            server.stop()


@pytest.fixture
def own_broker(tmp_path):
    """A broker that a test may kill, and the way to it."""
    broker = Broker(tmp_path / "kafka")
    try:
        yield broker, Kafka(broker.start())
    finally:
        broker.stop()


@pytest.fixture(scope="module")
def behind_proxy(tmp_path_factory):
    """A broker whose second listener is advertised at a proxy: the broker as the test sees it, and the proxy."""
    plain, second, controller = (processes.free_port() for _ in range(3))
    with Proxy(second) as proxy:
        broker = Broker(tmp_path_factory.mktemp("proxied"))
        at = "PLAINTEXT://127.0.0.1:{},PROXIED://127.0.0.1:{}"
        try:
            address = broker.start(
                f"listeners={at.format(plain, second)},CONTROLLER://127.0.0.1:{controller}",
                f"advertised.listeners={at.format(plain, proxy.port)}",
                "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT",
                f"controller.quorum.voters=1@127.0.0.1:{controller}", options=("--port", str(plain)))
            yield Kafka(address), proxy
        finally:
            broker.stop()


@pytest.fixture
def lane(lanes):
    return lanes()

"""The dashboard in a real Chromium, on a real Kafka, Redis and engine. A test fails when the console of its windows has
anything to say that it did not expect."""

import os
import pathlib
import sys

import pytest

sys.path[:0] = [str(pathlib.Path(__file__).parents[1] / "integration"), str(pathlib.Path(__file__).parent)]

from support.fixtures import *  # noqa: F403: fixtures and hooks are found by their names
from chromium import Chromium
from support.dashboard import Web
from support.fixtures import DEFAULT_LIMIT


def pytest_configure(config):
    config.addinivalue_line("markers", f"limit(seconds): the most a test may take, {DEFAULT_LIMIT} where not given")


@pytest.fixture
def chromium(request):
    """Makes a window; `expected` are pieces of what its console may say."""
    windows = []

    def make(expected=(), **options):
        windows.append((Chromium(**options), expected))
        return windows[-1][0]
    try:
        yield make
        for window, expected in windows:
            odd = [line for line in window.complaints() if not any(words in line for words in expected)]
            assert not odd, f"the console: {odd}"
    finally:
        for window, _ in windows:
            window.close()


@pytest.fixture
def dashboards():
    """Makes a dashboard of an engine's app, started."""
    made = []

    def make(engine, **dashboard):
        made.append(Web(engine, os.environ["TROUPE_EFFECTS_BINARY"], **{"interval": "500ms", **dashboard}))
        made[-1].start()
        return made[-1]
    try:
        yield make
    finally:
        for one in made:
            one.kill()

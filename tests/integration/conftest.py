import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from support.fixtures import *  # noqa: F403: fixtures and hooks are found by their names
from support.fixtures import DEFAULT_LIMIT


def pytest_configure(config):
    config.addinivalue_line("markers", f"limit(seconds): the most a test may take, {DEFAULT_LIMIT} where not given")

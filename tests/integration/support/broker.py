"""A Kafka broker of the tests' own, by scripts/kafka. As a program, for ctest's fixture: start|stop FOLDER."""

import os
import pathlib
import subprocess
import sys

SCRIPT = pathlib.Path(__file__).parents[3] / "scripts" / "kafka"


class Broker:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    def start(self, *settings, options=()):
        """The address of the broker. Settings are KEY=VALUE, options those of the script."""
        return self._run("start", *options, *(["--", *settings] if settings else []), check=True).stdout.strip()

    def stop(self):
        self._run("stop", check=False)

    def kill(self):
        self._run("kill", check=True)

    def _run(self, command, *options, check):
        # Messages on standard error are for whoever reads the test's output.
        return subprocess.run([SCRIPT, command, "--data", self.folder, *options], stdout=subprocess.PIPE, text=True,
                              timeout=150, check=check)


def main(command, folder):
    broker = Broker(pathlib.Path(folder) / "data")
    address = pathlib.Path(folder) / "address"
    if command == "start":
        address.parent.mkdir(parents=True, exist_ok=True)
        # Nobody kills this one: a machine that is busy for seconds must not take it for dead.
        address.write_text(broker.start("broker.session.timeout.ms=18000"))
    else:
        broker.stop()
        address.unlink(missing_ok=True)


def address_from_environment():
    """TEST_KAFKA, or what ctest's fixture left in the file named by TEST_KAFKA_FILE; None without either."""
    file = os.environ.get("TEST_KAFKA_FILE")
    return os.environ.get("TEST_KAFKA") or (pathlib.Path(file).read_text().strip() if file else None)


if __name__ == "__main__":
    main(*sys.argv[1:])

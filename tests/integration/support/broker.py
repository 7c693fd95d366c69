"""A Kafka broker of the tests' own, by scripts/kafka. As a program, for ctest's fixture: start|stop FOLDER."""

import os
import pathlib
import re
import subprocess
import sys

from support.waiting import eventually

LOAD = re.compile(r"(Scheduling|Finished) loading of metadata from (__consumer_offsets-\d+) with epoch (\d+)")
SCRIPT = pathlib.Path(__file__).parents[3] / "scripts" / "kafka"


class Broker:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    def start(self, *settings, options=()):
        """The address of the broker. Settings are KEY=VALUE, options those of the script."""
        return self._run("start", *options, *(["--", *settings] if settings else []), check=True).stdout.strip()

    def bring_back(self):
        """Starts it after a kill. What its group coordinator says is right only then: Kafka from 4.0, up to 4.4.0 at
        least, may take the end of a load that began before the broker had registered anew for the end of the one that
        began after it (CoordinatorRuntime.load compares states, not epochs). Such a coordinator serves its groups no
        more, whatever their members do, until the broker is started once more. How often that was necessary."""
        self.start()
        again = 0
        while self._loaded_by_halves():
            again += 1
            self._run("restart", check=True)
        return again

    def _loaded_by_halves(self):
        def loads():
            began, ended = offsets_loads((self.folder / "kafka.log").read_text(errors="replace"))
            return (began, ended) if began.keys() == ended.keys() else None
        began, ended = eventually(loads, 60, "the coordinator has loaded its offsets")
        return any(ended[where] < epoch for where, epoch in began.items())

    def stop(self):
        self._run("stop", check=False)

    def kill(self):
        self._run("kill", check=True)

    def _run(self, command, *options, check):
        # Messages on standard error are for whoever reads the test's output.
        return subprocess.run([SCRIPT, command, "--data", self.folder, *options], stdout=subprocess.PIPE, text=True,
                              timeout=150, check=check)


def offsets_loads(log):
    """By partition of __consumer_offsets, the epoch of the last load that a broker's log says began, and of the one that
    it took for its end. Nothing of Kafka 3, which has another coordinator and says other words."""
    began, ended = {}, {}
    for what, where, epoch in LOAD.findall(log):
        (began if what == "Scheduling" else ended)[where] = int(epoch)
    return began, ended


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

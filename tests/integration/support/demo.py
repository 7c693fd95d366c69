"""A `troupe demo` under test: the examples on a broker and a Redis of its own, seen from its terminal."""

import os
import re
import signal
import subprocess

from support import processes


class Demo:
    def __init__(self, folder):
        self.folder, self.process = folder, None
        self.out = folder / "demo.txt"
        self.temporary = folder / "tmp"
        self.temporary.mkdir()

    def start(self, *arguments):
        with open(self.out, "w") as out:
            self.process = processes.start([os.environ["TROUPE_BINARY"], "demo", *arguments], stdout=out,
                                           stderr=subprocess.STDOUT, env={**os.environ, "TMPDIR": str(self.temporary)})
        return self

    def text(self):
        return self.out.read_text()

    def figure(self, words):
        """The last figure that stands before these words."""
        found = re.findall(rf"(\d+) {words}", self.text())
        return int(found[-1]) if found else 0

    def pid_of(self, name):
        return int(re.findall(rf"^{name} .*process (\d+)$", self.text(), re.MULTILINE)[-1])

    def dashboard_of(self, name):
        """Its address; None until it was told."""
        found = re.findall(rf"^{name} .*dashboard (http://\S+)", self.text(), re.MULTILINE)
        return found[-1] if found else None

    def children(self):
        listed = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True)
        return [int(pid) for pid in listed.stdout.split()]

    def end(self):
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(40) == 0, self.text()

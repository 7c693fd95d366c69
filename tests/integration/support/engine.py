"""A `troupe run` process under test: its config, its log, its metrics, its end."""

import contextlib
import json
import os
import re
import signal
import subprocess
import urllib.error
import urllib.request

from support import processes
from support.waiting import eventually

SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Engine:
    def __init__(self, binary, folder, config, environment=None):
        self.binary = binary
        self.folder = folder
        self.config = dict(config)
        self.environment = {**os.environ, **(environment or {})}
        self.process = None
        self.peak_mb = 0  # of all its lives
        self.file = folder / "troupe.yaml"
        self.files = [self.file]
        self.log = folder / "troupe.log"
        folder.mkdir(parents=True, exist_ok=True)
        self.admin = self.config.setdefault("admin", {"listen": f"127.0.0.1:{processes.free_port()}"})["listen"]

    # ---- life ----

    def start(self, *options):
        self.write_config()
        with open(self.log, "a") as log:
            self.process = processes.start([self.binary, "run", *self.files, *options], env=self.environment,
                                           stdout=log, stderr=subprocess.STDOUT)
        return self

    def start_and_join(self, *options, within=30):
        return self.start(*options).wait_ready(within)

    def write_config(self):
        # JSON is YAML too.
        self.file.write_text(json.dumps(self.config, indent=2))

    def wait_ready(self, within=30):
        def ready():
            assert self.running(), f"ended with {self.process.returncode} before it was ready"
            return self.get("/readyz")[0] == 200
        eventually(ready, within, "/readyz answers 200")
        return self

    def running(self):
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self):
        return self.process.pid

    def signal(self, number):
        self.weigh()
        self.process.send_signal(number)

    def reload(self, change):
        """Applies `change` to the config, writes it and sends SIGHUP."""
        change(self.config)
        self.write_config()
        self.signal(signal.SIGHUP)

    def wait(self, within=30):
        """The exit code."""
        def ended():
            self.weigh()
            return not self.running()
        eventually(ended, within, "the process ends")
        return self.process.returncode

    def stop(self, within=20):
        self.signal(signal.SIGTERM)
        return self.wait(within)

    def kill(self):
        self.weigh()
        processes.end(self.process)

    # ---- what it shows ----

    def get(self, path):
        """Status and body; (None, '') where nobody answers."""
        try:
            with urllib.request.urlopen(f"http://{self.admin}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as answer:
            return answer.code, answer.read().decode()
        except OSError:
            return None, ""

    def metrics(self):
        """Every sample of /metrics: (name, labels, value)."""
        samples = []
        for line in self.get("/metrics")[1].splitlines():
            found = None if line.startswith("#") else SAMPLE.match(line)
            if found:
                samples.append((found[1], dict(LABEL.findall(found[2] or "")), float(found[3])))
        return samples

    def metric(self, name, **labels):
        """The sum over the series that have these labels."""
        return sum(value for got, has, value in self.metrics()
                   if got == name and all(has.get(key) == wanted for key, wanted in labels.items()))

    def log_lines(self):
        """The JSON lines of the log, all lives of this engine together."""
        lines = []
        for line in self.log.read_text(errors="replace").splitlines():
            try:
                lines.append(json.loads(line))
            except ValueError:
                continue
        return lines

    def logged(self, level, *words):
        """Lines of this level in which all these words stand."""
        return [line for line in self.log_lines()
                if line.get("level") == level and all(word in json.dumps(line) for word in words)]

    def log_tail(self, lines=40):
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def state(self):
        """Of its process, as /proc has it: T is stopped."""
        with open(f"/proc/{self.pid}/stat") as file:
            return file.read().rpartition(") ")[2].split()[0]

    def memory_mb(self):
        return self._status_mb("VmRSS:")

    def weigh(self):
        """Raises `peak_mb` to the most memory that this life has had at a time, as the kernel noted it."""
        with contextlib.suppress(OSError, StopIteration):  # it may be gone by itself
            if self.running():
                self.peak_mb = max(self.peak_mb, self._status_mb("VmHWM:"))

    def _status_mb(self, what):
        with open(f"/proc/{self.pid}/status") as status:
            return next(int(line.split()[1]) / 1024 for line in status if line.startswith(what))

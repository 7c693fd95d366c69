"""The simulated payment gateway, a process with a ledger of its own."""

import json
import os
import pathlib
import subprocess
import urllib.error
import urllib.request

from support import processes
from support.waiting import eventually


class Gateway:
    def __init__(self, folder):
        self.folder = folder
        self.port = processes.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.ledger = folder / "charges.jsonl"
        self.process = None

    def start(self):
        self.folder.mkdir(exist_ok=True)
        program = pathlib.Path(os.environ["TROUPE_BINARY"]).parent / "payment_gateway"
        with open(self.folder / "gateway.log", "a") as log:
            self.process = processes.start([program, "--listen", f"127.0.0.1:{self.port}", "--ledger", self.ledger],
                                           stdout=log, stderr=subprocess.STDOUT)
        eventually(self._answers, 20, f"the gateway answers on port {self.port}")
        return self

    def stop(self):
        processes.end(self.process)

    def behave(self, **how):
        assert self.ask("PUT", "/behaviour", how)[0] == 200

    def charges(self):
        """The lines of the ledger on the disk, whole ones."""
        return [json.loads(line) for line in self.ledger.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def sums(self):
        return self.ask("GET", "/ledger")[1]

    def ask(self, method, path, body=None):
        request = urllib.request.Request(self.url + path, json.dumps(body).encode() if body else None, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as answer:
            return answer.code, json.load(answer)

    def _answers(self):
        try:
            return self.ask("GET", "/ledger")[0] == 200
        except OSError:
            return False

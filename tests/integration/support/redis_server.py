"""A redis-server of the test's own, on a free port, with an append-only file."""

import shutil
import signal
import subprocess

import redis

from support import processes
from support.waiting import eventually


class RedisServer:
    def __init__(self, folder):
        self.folder = folder
        self.port = processes.free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.client = redis.Redis(port=self.port, decode_responses=True, socket_timeout=10)
        self.process = None

    def start(self):
        self.folder.mkdir(exist_ok=True)
        with open(self.folder / "redis.log", "a") as log:
            self.process = processes.start(
                ["redis-server", "--port", self.port, "--bind", "127.0.0.1", "--dir", self.folder, "--save", "",
                 "--appendonly", "yes", "--maxmemory-policy", "noeviction"],
                stdout=log, stderr=subprocess.STDOUT)
        eventually(self._answers, 20, f"redis-server answers on port {self.port}")
        return self

    def stop(self):
        processes.end(self.process)

    def forget(self):
        """Loses its data. This and the next two are for between stop and start."""
        shutil.rmtree(self.folder / "appendonlydir")

    def copy_to(self, folder):
        shutil.copytree(self.folder / "appendonlydir", folder)

    def go_back_to(self, folder):
        self.forget()
        shutil.copytree(folder, self.folder / "appendonlydir")

    def hold(self):
        """Neither answers nor refuses, as a server that swaps or a network that drops would."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def _answers(self):
        try:
            return self.client.ping()
        except redis.RedisError:
            return False

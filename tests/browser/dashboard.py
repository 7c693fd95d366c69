"""A `troupe web` process under test, of the app of an engine."""

import json
import subprocess
import urllib.error
import urllib.request

from support import processes
from support.waiting import eventually

PASSWORD = "open sesame"


class Dashboard:
    def __init__(self, binary, folder, files, settings, environment):
        """`settings` override the files: key → value."""
        self.process = None
        self.listen = f"127.0.0.1:{processes.free_port()}"
        self.url = f"http://{self.listen}"
        settings = {**settings, "dashboard.listen": self.listen}
        self.command = [binary, "web", *files, *(word for key, value in settings.items() for word in ("--set", f"{key}={value}"))]
        self.environment = environment
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / "dashboard.log"

    @classmethod
    def of_engine(cls, binary, folder, engine, **dashboard):
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "dashboard.yaml"
        file.write_text(json.dumps({**engine.config, "dashboard": {"interval": "500ms", **dashboard}}))
        return cls(binary, folder, [file], {}, engine.environment)

    @classmethod
    def of_example(cls, binary, folder, example):
        return cls(binary, folder, example.files, example.overrides, example.environment)

    def start(self):
        with open(self.log, "a") as log:
            self.process = processes.start(self.command, stdout=log, stderr=subprocess.STDOUT, env=self.environment)
        eventually(lambda: self.status("/api/v1/session") in (200, 401), 30, lambda: f"it answers: {self.log.read_text()}")
        return self

    def stop(self):
        processes.end(self.process)

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return json.load(answer)

    def status(self, path):
        """None where nobody answers."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as answer:
                return answer.status
        except urllib.error.HTTPError as answer:
            return answer.code
        except OSError:
            return None

    def document(self):
        return self.get("/api/v1/snapshot")


def hash_of(binary, password=PASSWORD):
    return subprocess.run([binary, "web", "--hash-password"], input=password + "\n", stdout=subprocess.PIPE, text=True,
                          check=True, timeout=30).stdout.strip()

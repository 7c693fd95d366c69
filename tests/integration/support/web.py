"""`troupe web` for an engine's app, and somebody in front of it who needs no login."""

import json
import os
import subprocess
import urllib.error
import urllib.parse
import urllib.request

from support import processes
from support.waiting import eventually


class Web:
    def __init__(self, engine, host="127.0.0.1"):
        self.address = f"127.0.0.1:{processes.free_port()}"
        self.file, self.log = engine.folder / "web.yaml", engine.folder / "web.log"
        engine.write_config()
        self.file.write_text(json.dumps({**engine.config, "dashboard": {"listen": self.address.replace("127.0.0.1", host)}}))
        self.process, self.session = None, {}

    def start(self):
        with open(self.log, "a") as log:
            self.process = processes.start([os.environ["TROUPE_EFFECTS_BINARY"], "web", self.file], stdout=log,
                                           stderr=subprocess.STDOUT)
        self.session = eventually(self._session, 20, lambda: self.log.read_text())
        return self

    def kill(self):
        processes.end(self.process)

    def get(self, path, **parameters):
        """Status and answer; parameters may be lists."""
        query = urllib.parse.urlencode(parameters, doseq=True)
        return self._ask(urllib.request.Request(f"http://{self.address}{path}{'?' + query if query else ''}"))

    def post(self, path, body=None):
        return self._ask(urllib.request.Request(f"http://{self.address}{path}", json.dumps(body or {}).encode(), {
            "Content-Type": "application/json", "Origin": f"http://{self.address}",
            "X-Troupe-CSRF": self.session.get("csrf", "")}))

    def _ask(self, request):
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                body = answer.read()
                return answer.status, json.loads(body) if body else None
        except urllib.error.HTTPError as answer:
            return answer.code, json.loads(answer.read())

    def _session(self):
        try:
            status, session = self.get("/api/v1/session")
        except OSError:
            return None
        return session if status == 200 else None

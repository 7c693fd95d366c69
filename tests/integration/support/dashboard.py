"""A browser's part of the dashboard: its session, its questions, its actions, the stream it follows."""

import json
import subprocess
import threading
import urllib.error
import urllib.request

from support import processes
from support.waiting import eventually


class Dashboard:
    """Somebody in front of it. Every answer is (status, body), the body parsed where it is JSON."""

    def __init__(self, address):
        self.address = address
        self.cookie = self.csrf = None

    def get(self, path, **headers):
        return self.ask("GET", path, None, headers)

    def post(self, path, body=None, **headers):
        given = {"Origin": f"http://{self.address}", "Content-Type": "application/json"}
        if self.csrf:
            given["X-Troupe-CSRF"] = self.csrf
        return self.ask("POST", path, {} if body is None else body, {**given, **headers})

    def ask(self, method, path, body, headers):
        """Headers given as None are left out; _ in their names stands for -."""
        given = {name.replace("_", "-"): value for name, value in headers.items() if value is not None}
        if self.cookie:
            given.setdefault("Cookie", self.cookie)
        request = urllib.request.Request(f"http://{self.address}{path}", method=method, headers=given,
                                         data=None if body is None else json.dumps(body).encode())
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return self._read(answer)
        except urllib.error.HTTPError as answer:
            return self._read(answer)
        except OSError:
            return None, ""

    def _read(self, answer):
        if cookie := answer.headers.get("Set-Cookie"):
            self.cookie = cookie.split(";")[0]
        text = answer.read().decode()
        is_json = "json" in (answer.headers.get("Content-Type") or "")
        return answer.status, json.loads(text) if is_json and text else text

    def open(self):
        """Takes the session that there is without a login."""
        status, session = self.get("/api/v1/session")
        assert status == 200, session
        self.csrf = session["csrf"]
        return session

    def log_in(self, user, password):
        status, session = self.post("/api/v1/login", {"user": user, "password": password})
        if status == 200:
            self.csrf = session["csrf"]
        return status

    def snapshot(self):
        status, document = self.get("/api/v1/snapshot")
        assert status == 200, document
        return document

    def endpoints(self):
        return self.get("/api/v1")[1]["endpoints"]

    def wait_open(self, within=20):
        eventually(lambda: self.get("/")[0] == 200, within, f"the dashboard answers at {self.address}")
        return self


class Stream:
    """Follows the live document on a thread and applies what comes."""

    def __init__(self, page, last=None):
        headers = {"Cookie": page.cookie or ""}
        if last is not None:
            headers["Last-Event-ID"] = str(last)
        self.document, self.kinds, self.last, self.ended = None, [], None, False
        self._answer = urllib.request.urlopen(
            urllib.request.Request(f"http://{page.address}/api/v1/stream", headers=headers), timeout=30)
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def _follow(self):
        event = {}
        try:
            for line in self._answer:
                text = line.decode().rstrip("\n")
                if text:
                    name, _, value = text.partition(": ")
                    event[name] = value
                    continue
                if "data" in event:
                    self._take(event)
                event = {}
        except OSError:
            pass
        self.ended = True

    def _take(self, event):
        data = json.loads(event["data"])
        self.document = data if event["event"] == "snapshot" else merged(self.document, data)
        self.kinds.append(event["event"])
        self.last = int(event["id"])


def merged(document, patch):
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    made = dict(document) if isinstance(document, dict) else {}
    for name, value in patch.items():
        if value is None:
            made.pop(name, None)
        else:
            made[name] = merged(made.get(name), value)
    return made


class Web:
    """`troupe web` for an engine's app, on an address of its own."""

    def __init__(self, engine, binary, **dashboard):
        self.address = f"127.0.0.1:{processes.free_port()}"
        self.file = engine.folder / "web.yaml"
        self.log = engine.folder / "web.log"
        engine.write_config()
        config = {**engine.config, "dashboard": {"listen": self.address, **dashboard}}
        self.file.write_text(json.dumps(config, indent=2))
        self.process = None
        self.binary = binary

    def start(self):
        with open(self.log, "a") as log:
            self.process = processes.start([self.binary, "web", self.file], stdout=log, stderr=subprocess.STDOUT)
        return self.page().wait_open()

    @property
    def url(self):
        return f"http://{self.address}"

    def page(self):
        return Dashboard(self.address)

    def document(self):
        return self.page().snapshot()

    def stop(self):
        """The exit code."""
        self.process.terminate()
        return self.process.wait(15)

    def kill(self):
        if self.process:
            processes.end(self.process)


def hashed(binary, password):
    made = subprocess.run([binary, "web", "--hash-password"], input=password + "\n", capture_output=True, text=True,
                          check=True, timeout=60)
    return made.stdout.strip()

"""A downstream for `{ http: … }` handlers. An event's JSON says how its calls are answered, one after the other
(the last one again and again):

    {"answers": [{"status": 503, "headers": {"Retry-After": "1"}}, {"status": 200, "body": "…", "delay_ms": 10}]}

`"reset": true` breaks the connection in place of an answer."""

import json
import socket
import struct
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from support.effects import now


@dataclass
class Request:
    path: str
    method: str
    headers: dict
    body: bytes
    start: int
    end: int | None = None

    @property
    def id(self):
        return self.headers.get("idempotency-key")


class HttpService:
    def __init__(self, port=0):
        self._port = port
        self.default = {"status": 200}

    def __enter__(self):
        service = self
        self.requests = []
        self._lock = threading.Lock()
        self._released = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                service._serve(self)
            do_GET = do_PUT = do_POST

            def log_message(self, *args):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request, address):
                # A client that hung up at its deadline is part of the tests.
                pass

        self._server = Server(("127.0.0.1", self._port), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/handle?x=1"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self._released.set()
        self._server.shutdown()
        self._server.server_close()

    def calls(self, sent):
        """The requests for one event, in order."""
        with self._lock:
            return [r for r in self.requests if r.id == "/".join(map(str, sent.id))]

    def _serve(self, http):
        body = http.rfile.read(int(http.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in http.headers.items()}
        request = Request(http.path, http.command, headers, body, now())
        with self._lock:
            earlier = sum(r.id == request.id for r in self.requests)
            self.requests.append(request)
        answer = self._answer(body, earlier)
        self._released.wait(answer.get("delay_ms", 0) / 1000)
        if answer.get("reset"):
            # Closing with a linger of nothing sends RST.
            http.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            http.connection.close()
            http.close_connection = True
            return
        text = b"x" * answer["body_bytes"] if "body_bytes" in answer else answer.get("body", "").encode()
        http.send_response(answer.get("status", 200))
        for name, value in {**answer.get("headers", {}), "Content-Length": str(len(text))}.items():
            http.send_header(name, value)
        http.end_headers()
        http.wfile.write(text)
        request.end = now()

    def _answer(self, body, earlier):
        try:
            answers = json.loads(body)["answers"]
        except (ValueError, KeyError, TypeError):
            return self.default
        return answers[min(earlier, len(answers) - 1)]

"""The client's side of an ingest."""

import http.client
import socket

from support import processes


class Door:
    """Asks an ingest, each time on a connection of its own."""

    def __init__(self):
        self.port = processes.free_port()
        self.listen = f"127.0.0.1:{self.port}"

    def ask(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
            answer = connection.getresponse()
            return answer, answer.read()
        finally:
            connection.close()

    def raw(self, *pieces):
        """What the server says to these bytes until it closes the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            for piece in pieces:
                connection.sendall(piece)
            return b"".join(iter(lambda: connection.recv(65536), b""))

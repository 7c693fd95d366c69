"""Rights to topics, on a broker that checks them. The client of the other tests can't set them: Kafka's CreateAcls."""

import socket
import struct

# For a broker on which everybody may do everything with a topic until rights to it are given to somebody.
CHECKED = ("authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
           "allow.everyone.if.no.acl.found=true")
ANYTHING, READ = 2, 3
EVERYBODY_HERE = "User:ANONYMOUS"


def allow(kafka, topic, operation, principal=EVERYBODY_HERE):
    """From then on nobody may do to the topic what is not allowed."""
    of_topic, literal, allowed = 2, 3, 3
    body = (struct.pack(">ib", 1, of_topic) + _text(topic) + struct.pack(">b", literal) + _text(principal) + _text("*")
            + struct.pack(">bb", operation, allowed))
    # API 30, version 1, correlation id 7, no client id.
    message = struct.pack(">hhih", 30, 1, 7, -1) + body
    host, port = kafka.address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(struct.pack(">i", len(message)) + message)
        answer = connection.makefile("rb")
        [size] = struct.unpack(">i", answer.read(4))
        rest = answer.read(size)
    # Correlation id, throttle time, one result: its error comes first.
    _, _, count, error = struct.unpack_from(">iiih", rest)
    assert (count, error) == (1, 0), rest


def _text(value):
    return struct.pack(">h", len(value)) + value.encode()

"""Kafka's DeleteRecords, which moves the start of a partition's log as retention does, but at once. The client of the
other tests does not have it."""

import socket
import struct


def delete_records(kafka, topic, before):
    """Deletes the events of each partition of `before` that lie below its offset."""
    host, port = kafka.address.rsplit(":", 1)
    partitions = b"".join(struct.pack(">iq", partition, offset) for partition, offset in before.items())
    body = (struct.pack(">ih", 1, len(topic)) + topic.encode() + struct.pack(">i", len(before)) + partitions
            + struct.pack(">i", 20_000))
    # API 21, version 1, correlation id 7, no client id.
    message = struct.pack(">hhih", 21, 1, 7, -1) + body
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(struct.pack(">i", len(message)) + message)
        answer = connection.makefile("rb")
        [size] = struct.unpack(">i", answer.read(4))
        rest = answer.read(size)
    # Correlation id, throttle time, one topic and its name; then partition, low watermark and error of each.
    at = 4 + 4 + 4 + 2 + len(topic) + 4
    found = {}
    for partition, low, error in struct.iter_unpack(">iqh", rest[at:]):
        assert error == 0, f"{topic}/{partition}: error {error}"
        found[partition] = low
    assert found == before, (found, before)

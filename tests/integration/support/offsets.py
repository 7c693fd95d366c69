"""A group's commits with their metadata, which Python's client does not show: two requests of Kafka's protocol, and
the metadata decoded without the engine."""

import base64
import socket
import struct

from support.waiting import eventually

OFFSET_COMMIT, OFFSET_FETCH = 8, 9
NOT_NOW = {14, 15, 16, 22, 25, 27}  # coordinator loading, absent or moved; the group has members, or is rebalancing


def fetch(kafka, group, topic, partition=0):
    """The group's commit, as (offset, metadata); offset -1 where there is none."""
    body = _text(group) + _array([_text(topic) + _array([struct.pack(">i", partition)])])
    answer = _ask(kafka, OFFSET_FETCH, 1, body)
    _, name_size = struct.unpack_from(">ih", answer)
    _, _, offset, size = struct.unpack_from(">iiqh", answer, 6 + name_size)
    at = 6 + name_size + 18
    metadata = answer[at:at + max(size, 0)].decode()
    [error] = struct.unpack_from(">h", answer, at + max(size, 0))
    assert error == 0, f"the broker answers {error}"
    return offset, metadata


def commit(kafka, group, topic, partition, offset, metadata, within=20):
    """Commits for a group without members; waits until those that were killed are gone from it."""
    one = struct.pack(">iq", partition, offset) + _text(metadata)
    body = _text(group) + struct.pack(">i", -1) + _text("") + struct.pack(">q", -1) + \
        _array([_text(topic) + _array([one])])

    def committed():
        [error] = struct.unpack(">h", _ask(kafka, OFFSET_COMMIT, 2, body)[-2:])
        assert error == 0 or error in NOT_NOW, f"the broker answers {error}"
        return error == 0
    eventually(committed, within, f"{group} takes a commit")


def _ask(kafka, key, version, body):
    host, port = kafka.address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        request = struct.pack(">hhi", key, version, 7) + _text("tests") + body
        connection.sendall(struct.pack(">i", len(request)) + request)
        stream = connection.makefile("rb")
        [size] = struct.unpack(">i", stream.read(4))
        return stream.read(size)[4:]


def _text(text):
    raw = text.encode()
    return struct.pack(">h", len(raw)) + raw


def _array(parts):
    return struct.pack(">i", len(parts)) + b"".join(parts)


# ---- the metadata, as docs/architecture.md says it ----

def recorded(metadata, base):
    """The offsets that are finished beyond `base`."""
    if not metadata:
        return set()
    assert metadata.startswith("t1:"), metadata
    text = metadata[3:]
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    payload, checksum = raw[:-4], int.from_bytes(raw[-4:], "little")
    assert checksum == fnv1a(payload)
    [stored, *numbers] = _leb128(payload)
    assert stored == base
    offsets, at = set(), base
    for gap, length in zip(numbers[::2], numbers[1::2], strict=True):
        offsets.update(range(at + gap, at + gap + length))
        at += gap + length
    return offsets


def metadata_of(numbers, version="t1:"):
    """The text for these numbers: base, then gap and length of each run."""
    payload = b"".join(map(_varint, numbers))
    return version + base64.urlsafe_b64encode(payload + fnv1a(payload).to_bytes(4, "little")).decode().rstrip("=")


def fnv1a(data):
    value = 2166136261
    for byte in data:
        value = (value ^ byte) * 16777619 % (1 << 32)
    return value


def _leb128(data):
    numbers, value, shift = [], 0, 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            numbers.append(value)
            value = shift = 0
    assert shift == 0
    return numbers


def _varint(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])

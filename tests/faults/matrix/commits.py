"""Every commit of a group, from the log in which the broker keeps them: no poll can miss one there."""

import struct
from typing import NamedTuple

LOG = "__consumer_offsets"


class Commit(NamedTuple):
    topic: str
    partition: int
    offset: int
    at_ms: int


def commits_of(kafka, group):
    """The commits of this group, each partition's in the order in which the broker took them."""
    found = []
    for record in kafka.read(LOG):
        whose = _key(record.key)
        if whose and whose[0] == group and record.value is not None:
            # Any version begins so; the rest differs.
            _, offset = struct.unpack_from(">hq", record.value)
            found.append(Commit(whose[1], whose[2], offset, record.timestamp))
    return found


def _key(key):
    """Group, topic and partition; None for what is not a commit (a group's members, say)."""
    version, size = struct.unpack_from(">hh", key)
    if version > 1:
        return None
    group, at = key[4:4 + size].decode(), 4 + size
    size, = struct.unpack_from(">h", key, at)
    topic, at = key[at + 2:at + 2 + size].decode(), at + 2 + size
    return group, topic, struct.unpack_from(">i", key, at)[0]

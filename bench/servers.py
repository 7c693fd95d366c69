"""The Redis of the benchmarks, and how they see into Kafka."""

import socket
import subprocess
import time

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from common import end, free_port, start


class Redis:
    """A server, and just enough of the protocol: one command, one answer."""

    def __init__(self, folder):
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.process = start(["redis-server", "--port", self.port, "--bind", "127.0.0.1", "--dir", folder,
                              "--save", "", "--appendonly", "no"], folder / "redis.log")
        deadline = time.monotonic() + 20
        while True:
            try:
                self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=30)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        self.input = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        end(self.process)

    def ask(self, *words):
        parts = [str(w).encode() for w in words]
        self.socket.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
        return self._answer()

    def _answer(self):
        line = self.input.readline()[:-2]
        kind, rest = line[:1], line[1:]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"+":
            return rest.decode()
        if int(rest) < 0:
            return None
        if kind == b"$":
            return self.input.read(int(rest) + 2)[:-2].decode()
        return [self._answer() for _ in range(int(rest))]


class Broker:
    # Silent when the broker goes away before them, at the end.
    QUIET = {"log_level": 2}

    def __init__(self, address):
        self.address = address
        self.admin = AdminClient({"bootstrap.servers": address, **self.QUIET})
        self.readers = {}
        self.created = set()

    def create(self, topic, partitions, **config):
        self.admin.create_topics([NewTopic(topic, partitions, 1, config=config)])[topic].result(60)
        self.created.add(topic)
        deadline = time.monotonic() + 60
        while True:
            found = self.admin.list_topics(topic, timeout=30).topics[topic].partitions
            if len(found) == partitions and all(one.leader >= 0 for one in found.values()):
                break
            if time.monotonic() > deadline:
                raise RuntimeError(f"the partitions of {topic} do not come up")
            time.sleep(0.05)
        # Being named the leader is not yet being one: an idempotent producer that comes before can lose its first events.
        self.written(topic, partitions)
        self.readers.pop(topic).close()

    def delete(self, topic):
        self.admin.delete_topics([topic])[topic].result(60)
        self.created.discard(topic)
        if topic in self.readers:
            self.readers.pop(topic).close()

    def clear(self):
        """So that the next job finds a broker like the first one did: clients keep what they learn of all topics."""
        for topic in sorted(self.created):
            try:
                self.delete(topic)
            except KafkaException as why:
                print(f"  {topic} stays: {why}", flush=True)

    def written(self, topic, partitions):
        """How many events there ever were."""
        deadline = time.monotonic() + 30
        while True:
            try:
                if topic not in self.readers:
                    self.readers[topic] = Consumer({"bootstrap.servers": self.address, "group.id": "bench", **self.QUIET})
                return sum(self.readers[topic].get_watermark_offsets(TopicPartition(topic, p), timeout=30)[1]
                           for p in range(partitions))
            except KafkaException:  # its leaders are only just coming up, and a client remembers that for long
                if time.monotonic() > deadline:
                    raise
                self.readers.pop(topic).close()
                time.sleep(0.1)

    def committed(self, group, topic, partitions):
        """How many events the group has committed."""
        with_group = Consumer({"bootstrap.servers": self.address, "group.id": group, **self.QUIET})
        try:
            found = with_group.committed([TopicPartition(topic, p) for p in range(partitions)], timeout=30)
            return sum(max(0, one.offset) for one in found)
        finally:
            with_group.close()


def load(bench, job, topic, **settings):
    """Runs bench_load; waits for its end."""
    environment = {"KAFKA_BROKERS": bench.broker.address, "TOPIC": topic,
                   **{name: str(value) for name, value in settings.items()}}
    process = start([bench.build / "bench/bench_load", job], bench.folder / "load.log", **environment)
    try:
        if process.wait(300) != 0:
            raise RuntimeError(f"bench_load {job} failed; see load.log")
    finally:
        end(process)

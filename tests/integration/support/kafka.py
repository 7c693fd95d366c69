"""The tests' own view of Kafka: produces, and reads topics and commits, with Python's client."""

import ctypes
import time
from dataclasses import dataclass, field
from typing import NamedTuple

import confluent_kafka
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic

from support.waiting import eventually, pause


@dataclass
class Event:
    """One event to produce; without a partition its key decides."""
    key: bytes | None
    value: bytes | None
    partition: int | None = None
    headers: list = field(default_factory=list)
    timestamp: int | None = None


class Sent(NamedTuple):
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None

    @property
    def id(self):
        return self.topic, self.partition, self.offset


class Record(NamedTuple):
    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: list

    @property
    def id(self):
        return self.topic, self.partition, self.offset

    def header(self, name):
        """The one value of a header, as text."""
        values = [value for key, value in self.headers if key == name]
        assert len(values) == 1, f"header {name} stands {len(values)} times in {self.headers}"
        return values[0].decode()


class Kafka:
    def __init__(self, address):
        self.address = address
        self._admin = AdminClient({"bootstrap.servers": address, "log_level": 2})  # a broker may go before it

    def create_topic(self, name, partitions=1, **config):
        config = {key.replace("_", "."): str(value) for key, value in config.items()}
        for future in self._admin.create_topics([NewTopic(name, partitions, 1, config=config)]).values():
            future.result(20)
        eventually(lambda: self.partitions(name) == partitions, 20, f"topic {name} is there")
        return name

    def config_of(self, topic, key):
        """What the broker holds of a topic's configuration."""
        resource = ConfigResource("topic", topic)
        return self._admin.describe_configs([resource])[resource].result(20)[key].value

    def delete_topic(self, name):
        self._admin.delete_topics([name])[name].result(20)
        eventually(lambda: name not in self.topics(), 20, f"topic {name} is gone")

    def topics(self):
        return self._admin.list_topics(timeout=20).topics

    def partitions(self, topic):
        """How many; 0 where there is no such topic."""
        about = self.topics().get(topic)
        return len(about.partitions) if about else 0

    def producer(self):
        return confluent_kafka.Producer({
            "bootstrap.servers": self.address, "acks": "all", "linger.ms": 5, "message.max.bytes": 20_000_000,
            "queue.buffering.max.messages": 1_000_000, "queue.buffering.max.kbytes": 500_000})

    def produce(self, topic, events):
        """Sends all and waits for every acknowledgement; answers where each went, in the order given."""
        sent, producer = [None] * len(events), self.producer()
        for at, event in enumerate(events):
            send(producer, topic, event, lambda where, at=at: sent.__setitem__(at, where))
            producer.poll(0)
        producer.flush(60)
        assert all(sent), f"{sent.count(None)} events were not acknowledged"
        return sent

    def ends(self, topic, isolation="read_committed"):
        """The end of the log of each partition; with `read_committed`, below the first open transaction."""
        reader = self._reader("oracle", isolation)
        try:
            return {p: _answered(lambda p=p: reader.get_watermark_offsets(
                confluent_kafka.TopicPartition(topic, p), timeout=20)[1]) for p in range(self.partitions(topic))}
        finally:
            reader.close()

    def read(self, topic, isolation="read_committed"):
        """All that is in a topic now, in the order of its partitions' offsets; with `read_uncommitted` also what
        transactions have not committed or have aborted."""
        ends = {p: end for p, end in self.ends(topic, isolation).items() if end > 0}
        reader = self._reader("oracle", isolation)
        try:
            reader.assign([confluent_kafka.TopicPartition(topic, p, confluent_kafka.OFFSET_BEGINNING) for p in ends])
            records, unread = [], set(ends)
            while unread:
                messages = reader.consume(10_000, timeout=1)
                for message in messages:
                    if message.error():
                        # The end of a partition; anything else the next poll tells again.
                        if message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF:
                            unread.discard(message.partition())
                    elif message.offset() < ends[message.partition()]:
                        records.append(Record(message.topic(), message.partition(), message.offset(),
                                              message.timestamp()[1], message.key(), message.value(),
                                              _headers(message)))
                        if message.offset() + 1 == ends[message.partition()]:
                            unread.discard(message.partition())
            return sorted(records, key=lambda r: (r.partition, r.offset))
        finally:
            reader.close()

    def read_when(self, topic, count, within=30):
        """The content of a topic once it holds at least so many records."""
        eventually(lambda: sum(self.ends(topic).values()) >= count, within,
                   lambda: f"{count} records in {topic}, there are {self.ends(topic)}")
        return self.read(topic)

    def committed(self, group, topic):
        """What the group committed for each partition; None where nothing."""
        reader = self._reader(group)
        try:
            asked = [confluent_kafka.TopicPartition(topic, p) for p in range(self.partitions(topic))]
            return {tp.partition: tp.offset if tp.offset >= 0 else None for tp in reader.committed(asked, timeout=20)}
        finally:
            reader.close()

    def wait_all_committed(self, group, topic, within=30):
        """Until the group's commits stand at the end of every partition that has events."""
        def lag():
            done = self.committed(group, topic)
            return {p: (done[p], end) for p, end in self.ends(topic).items() if end > (done[p] or 0)}
        eventually(lambda: not lag(), within, lambda: f"{group} committed all of {topic}, but for {lag()}", 0.2)

    def _reader(self, group, isolation="read_committed"):
        return confluent_kafka.Consumer({
            "bootstrap.servers": self.address, "group.id": group, "enable.auto.commit": False,
            "isolation.level": isolation,
            "enable.partition.eof": True, "auto.offset.reset": "earliest", "fetch.wait.max.ms": 50})


# What a broker says of a partition that was created a moment ago.
NOT_YET = {confluent_kafka.KafkaError.NOT_LEADER_FOR_PARTITION, confluent_kafka.KafkaError.LEADER_NOT_AVAILABLE,
           confluent_kafka.KafkaError.UNKNOWN_TOPIC_OR_PART, confluent_kafka.KafkaError._UNKNOWN_PARTITION}


def _headers(message):
    """confluent_kafka takes each null header's None without counting it; unpaid, the interpreter runs out of it."""
    headers = message.headers() or []
    for _, value in headers:
        if value is None:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(None))
    return headers


def _answered(question, within=20):
    """The answer to a question, asked again while the partition is only just coming up."""
    end = time.monotonic() + within
    while True:
        try:
            return question()
        except confluent_kafka.KafkaException as refusal:
            if refusal.args[0].code() not in NOT_YET or time.monotonic() >= end:
                raise
        pause(0.1)


def send(producer, topic, event, acknowledged):
    """Hands one event to a producer; `acknowledged` is told where it went."""
    def report(error, message):
        assert error is None, error
        acknowledged(Sent(topic, message.partition(), message.offset(), event.key, event.value))
    options = {"partition": event.partition, "headers": event.headers or None, "timestamp": event.timestamp}
    producer.produce(topic, value=event.value, key=event.key, on_delivery=report,
                     **{name: value for name, value in options.items() if value is not None})

"""Dead letters as the engine writes them, and what becomes of them."""

from support.kafka import Event
from support.waiting import eventually


def letter(topic, offset, key=b"k", error="deadline exceeded after 5000 ms", error_class="timeout", replays=0,
           partition=0, value=b"{}", actor="payment", headers=(), failed_at="2026-01-31T23:59:00.000Z"):
    """As the engine writes it; its number is its offset in the source."""
    return Event(key, value, partition, headers=[
        *headers, ("error", error.encode()), ("original-topic", topic.encode()), ("original-partition", b"1"),
        ("original-offset", str(offset).encode()), ("original-timestamp", b"1769900000123"),
        ("original-group", b"payment-service"), ("actor", actor.encode()), ("error-class", error_class.encode()),
        ("attempts", b"5"), ("first-failed-at", b"2026-01-31T23:58:00.000Z"), ("failed-at", failed_at.encode()),
        ("replay-count", str(replays).encode())], timestamp=1_769_900_000_123)


def bury(kafka, topic, letters, actor="payment"):
    graves = f"{topic}.{actor}.dlq"
    if not kafka.partitions(graves):
        # The letters' time is long past: by the usual retention the broker drops them when it looks next, every 5 minutes.
        kafka.create_topic(graves, 3, retention_ms=-1)
    kafka.produce(graves, letters)
    return graves


def read_decided(kafka, topic):
    """All of a topic, once the broker has written how its transactions ended: it does so after it answered."""
    eventually(lambda: kafka.ends(topic) == kafka.ends(topic, "read_uncommitted"), 20, "no transaction is open")
    return kafka.read(topic)


def replayed(kafka, topic, actor="payment"):
    replays = f"{topic}.{actor}.replay"
    return read_decided(kafka, replays) if kafka.partitions(replays) else []


def numbers(records):
    return [int(r.header("original-offset")) for r in records]

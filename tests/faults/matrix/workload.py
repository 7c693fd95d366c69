"""Load whose events say who they are: each carries its producer, its key and its number."""

import json

from support import page_views
from support.background import Background
from support.kafka import Event, send


class Orders(Background):
    """Events of many keys at a steady rate, until it is left. Of a hundred, one fails once and one for good."""

    def __init__(self, kafka, topic, partitions, rng, per_second, slow_ms, name, keys=60):
        super().__init__()
        self.topic, self.partitions, self.rng = topic, partitions, rng
        self.slow_ms, self.name, self.keys = slow_ms, name, keys
        self.per_step, self.owed = per_second * self.every, 0.0
        self.producer = kafka.producer()
        self.made, self.acked = 0, []

    def event(self):
        self.made += 1
        key = self.rng.randrange(self.keys)
        body = {"producer": self.name, "seq": self.made, "sleep_ms": self.rng.randrange(8)}
        roll = self.rng.random()
        if roll < 0.01:
            body["fail"] = "permanent"
        elif roll < 0.02:
            body.update(fail="transient", fail_times=1)
        elif roll < 0.03 and self.slow_ms:
            body["sleep_ms"] = self.slow_ms
        return Event(f"key-{key}".encode(), json.dumps(body).encode(), key % self.partitions)

    def step(self):
        self.owed += self.per_step
        while self.owed >= 1:
            self.owed -= 1
            send(self.producer, self.topic, self.event(), self.acked.append)
        self.producer.poll(0)

    def finish(self):
        assert self.producer.flush(60) == 0, "the producer's last events were not acknowledged"


class Views(Background):
    """Page views among clicks and malformed events, until it is left."""

    every = 0.1

    def __init__(self, kafka, topic, partitions, rng, per_second):
        super().__init__()
        self.topic, self.partitions, self.rng = topic, partitions, rng
        self.per_step = round(per_second * self.every)
        self.producer = kafka.producer()
        self.acked = []

    def step(self):
        for event in page_views.crowd(self.per_step, self.rng.random(), self.partitions):
            send(self.producer, self.topic, event, self.acked.append)
        self.producer.poll(0)

    def finish(self):
        assert self.producer.flush(60) == 0, "the producer's last events were not acknowledged"

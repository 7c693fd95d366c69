"""Worker actors and events for them, as tests/support/effects_app.cpp understands them."""

import json

from support.kafka import Event

# A breaker that only `unavailable` opens.
PATIENT_BREAKER = {"failure_ratio": 1.0, "over": 1000, "open_for": "10s"}

# Members that are gone without a word are noticed soon.
QUICK_SESSION = {"session.timeout.ms": 2000, "heartbeat.interval.ms": 300}


def pool(topic, group, **actor):
    """A worker actor with a handler that leaves a line for each call."""
    return {"consume": {"topic": topic, "group": group}, "handler": "effect.append", "breaker": PATIENT_BREAKER,
            **actor}


def told(key, partition=None, **instructions):
    """An event that tells its handler what to do."""
    return Event(key, json.dumps(instructions).encode(), partition)

"""The oracle of the counts: what Redis must hold for a log of user events, and events to fill one."""

import json
import random
from collections import Counter
from datetime import datetime, timedelta, timezone

from support.kafka import Event

KEEP = 48 * 3600


def actor(topic, group, **aggregate):
    """The page-view actor of the design's example, as config."""
    return {"consume": {"topic": topic, "group": group},
            "aggregate": {"where": {"/type": "page_view"}, "count_by": "/payload/path", "into": "views:{value}",
                          "per_minute": {"into": "page-views:{minute}", "keep": "48h"}, "event_time": "/timestamp",
                          "flush": {"every": "200ms", "max_keys": 10000}, **aggregate}}


def view(path, at=None, kind="page_view"):
    at = at or datetime.now(timezone.utc)
    stamp = at.isoformat(timespec="microseconds").replace("+00:00", "123Z")
    return {"type": kind, "user_id": "u-1", "session_id": "s-1", "payload": {"path": path}, "timestamp": stamp}


def event(body, key=b"s-1", **where):
    return Event(key, json.dumps(body).encode(), **where)


def crowd(count, seed, partitions):
    """Page views of some forty pages over the last hour, among clicks, malformed events and missing values."""
    rng, start = random.Random(seed), datetime.now(timezone.utc) - timedelta(hours=1)
    pages = [f"/page/{n}" for n in range(37)] + ["/", "", "/with space", "/ünïcode/é", '/quote"and\\slash', "/{value}"]
    events = []
    for n in range(count):
        at = start + timedelta(milliseconds=rng.randrange(3_600_000))
        body = view(rng.choice(pages), at)
        roll = rng.random()
        if roll < 0.2:
            body["type"] = rng.choice(["click", "search"])
        elif roll < 0.3:
            _spoil(body, rng)
        value = json.dumps(body, ensure_ascii=rng.random() < 0.5).encode()
        if 0.3 <= roll < 0.35:
            value = rng.choice([b"", None, b"nonsense", b'"page_view"', b"[1,2]", b"null", value[:-1], value[:30],
                                value + b"}", b"\xff\xfe" + value, value.replace(b'"type"', b"type", 1)])
        events.append(Event(f"s-{n % 1000}".encode(), value, partition=rng.randrange(partitions)))
    return events


def _spoil(body, rng):
    what = rng.randrange(9)
    if what == 0:
        body["payload"]["path"] = 17
    elif what == 1:
        body["payload"]["path"] = None
    elif what == 2:
        del body["payload"]
    elif what == 3:
        body["payload"] = ["path"]
    elif what == 4:
        del body["type"]
    elif what == 5:
        body["type"] = True
    elif what == 6:
        del body["timestamp"]
    elif what == 7:
        body["timestamp"] = "yesterday"
    else:
        body["timestamp"] = body["timestamp"].replace("Z", "+02:00")


def expected(records, kind="page_view"):
    """Totals by key, and by minute: the counts by path. An undecodable event counts nothing; one without an
    event time counts in the total only."""
    totals, minutes = Counter(), {}
    for record in records:
        body = _object(record.value)
        payload = body.get("payload")
        path = payload.get("path") if isinstance(payload, dict) else None
        if body.get("type") != kind or not isinstance(path, str):
            continue
        totals[f"views:{path}"] += 1
        minute = _minute(body.get("timestamp"))
        if minute:
            minutes.setdefault(f"page-views:{minute}", Counter())[path] += 1
    return totals, minutes


def _object(value):
    try:
        body = json.loads(value.decode())
    except (ValueError, AttributeError):
        return {}
    return body if isinstance(body, dict) else {}


def _minute(stamp):
    try:
        return datetime.fromisoformat(stamp).astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M")
    except (ValueError, TypeError):
        return None


def stored(redis):
    """What Redis holds, in the form of `expected`."""
    totals = {}
    names = [key for key in redis.scan_iter("views:*", 1000) if redis.type(key) == "string"]
    if names:
        totals = {key: int(count) for key, count in zip(names, redis.mget(names)) if count is not None}
    minutes = {key: {member: int(score) for member, score in redis.zrange(key, 0, -1, withscores=True)}
               for key in redis.scan_iter("page-views:*", 1000)}
    return totals, minutes


def assert_exact(redis, records, kind="page_view"):
    totals, minutes = expected(records, kind)
    got_totals, got_minutes = stored(redis)
    assert got_totals == dict(totals), _difference(got_totals, totals)
    assert set(got_minutes) == set(minutes)
    for minute, counts in minutes.items():
        assert got_minutes[minute] == dict(counts), f"{minute}: {_difference(got_minutes[minute], counts)}"


def _difference(got, wanted):
    wrong = {key: (got.get(key), wanted.get(key)) for key in {*got, *wanted} if got.get(key) != wanted.get(key)}
    return f"{len(wrong)} counts are wrong (got, wanted): {dict(list(wrong.items())[:5])}"


def positions(redis, app, group):
    """The stored position of each partition, by `<topic>/<partition>`."""
    return {name: int(value) for name, value in redis.hgetall(f"{app}:positions:{group}").items()
            if "/" in name and value.lstrip("-").isdigit()}

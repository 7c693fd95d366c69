"""The analytics example, from outside: HTTP in; a topic, counts and sessions out."""

import json
import pathlib
import re
import shutil
import signal
import subprocess
from collections import Counter
from datetime import datetime, timedelta, timezone
from http.client import HTTPException

import pytest

from support import page_views
from support.background import Background
from support.door import Door
from support.kafka import Event
from support.waiting import eventually

TOPIC, PARTITIONS = "user.events", 4
COUNTED = {"page-views": ("page_view", "path", "views"), "clicks": ("click", "element", "clicks"),
           "searches": ("search", "term", "searches")}
TRACKER = pathlib.Path(__file__).parents[2] / "apps" / "analytics" / "tracker.js"
NODE = pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")


class Site:
    """The example behind a door of its own, and what can be seen of it."""

    def __init__(self, examples, kafka, redis_server):
        self.kafka, self.redis, self.door = kafka, redis_server.client, Door()
        self.engine = examples("analytics", overrides={"actors.events.ingest.listen": self.door.listen})
        kafka.create_topic(TOPIC, PARTITIONS)

    def post(self, body, content_type="application/json"):
        """The status of the answer."""
        body = body if isinstance(body, (str, bytes)) else json.dumps(body)
        return self.door.ask("POST", "/events", body, Content_Type=content_type)[0].status

    def totals(self, group):
        """What Redis holds for this group, by value."""
        prefix = COUNTED[group][2] + ":"
        return {key[len(prefix):]: int(self.redis.get(key)) for key in self.redis.scan_iter(prefix + "*")}

    def wait_counted(self, *groups, within=30):
        """Until these groups, or all, have taken everything that is in the topic."""
        ends = {f"{TOPIC}/{p}": end for p, end in self.kafka.ends(TOPIC).items()}
        for group in groups or COUNTED:
            eventually(lambda: page_views.positions(self.redis, "analytics", group) == ends, within,
                       lambda: f"{group} stands at {ends}", 0.2)
        if not groups:
            self.kafka.wait_all_committed("active-sessions", TOPIC, within)

    def active_sessions(self):
        """As docs/analytics.md asks for it."""
        now = datetime.now(timezone.utc)
        return self.redis.pfcount(*[sessions_key(now - timedelta(minutes=ago)) for ago in range(5)])


@pytest.fixture
def site(examples, fresh_kafka, redis_server):
    return Site(examples, fresh_kafka, redis_server)


def event(kind, session="s-1", **payload):
    return {"type": kind, "user_id": "u-1", "session_id": session, "payload": payload}


def sessions_key(at):
    return f"sessions:{at.strftime('%Y-%m-%dT%H:%M')}"


def oracle(records, group):
    """The totals that the topic's content makes."""
    kind, field, _ = COUNTED[group]
    bodies = [json.loads(record.value) for record in records]
    return dict(Counter(body["payload"][field] for body in bodies if body["type"] == kind))


def test_what_is_posted_is_in_the_topic_and_in_every_groups_counts(site):
    site.engine.start_and_join()
    assert site.post(event("page_view", path="/")) == 204
    assert site.post([event("page_view", "s-2", path="/"), event("click", "s-2", element="buy")]) == 204
    lines = [event("search", "s-3", term="lamp"), event("page_view", "s-3", path="/ü"), event("click", element="buy")]
    assert site.post("\n".join(map(json.dumps, lines)), "application/x-ndjson") == 204
    assert site.post(event("search", term="lamp"), "text/plain;charset=UTF-8") == 204, "a beacon"
    assert site.post("{no JSON") == 400
    assert site.post({"type": "click"}) == 400, "without a session"
    assert site.post([event("click", element="buy"), "no object"]) == 400, "all or nothing"

    written = site.kafka.read(TOPIC)
    assert len(written) == 7
    for record in written:
        body = json.loads(record.value)
        assert record.key == body["session_id"].encode()
        assert set(body) == {"type", "user_id", "session_id", "payload", "timestamp"}
    site.wait_counted()
    assert site.totals("page-views") == {"/": 2, "/ü": 1}
    assert site.totals("clicks") == {"buy": 2}
    assert site.totals("searches") == {"lamp": 2}
    page_views.assert_exact(site.redis, written)
    assert site.active_sessions() == 3
    eventually(lambda: {kind: site.redis.get(f"types:{kind}") for kind in ("page_view", "click", "search")} == {
        "page_view": "3", "click": "2", "search": "2"}, 30, "events are counted by type")
    for key in site.redis.scan_iter("sessions:*"):
        assert 480 < site.redis.ttl(key) <= 600, "forgotten ten minutes after the minute began"


def produced(at, session="s-1", **more):
    body = {"type": "page_view", "session_id": session, "timestamp": at, **more}
    return Event(session.encode(), json.dumps(body).encode())


def test_a_session_counts_as_active_by_the_time_of_its_event(site):
    now = datetime.now(timezone.utc)
    elsewhere = now.astimezone(timezone(timedelta(hours=5, minutes=30)))
    site.kafka.produce(TOPIC, [
        *[produced(now.isoformat(), "again")] * 3,
        produced(elsewhere.isoformat(), "elsewhere"),
        produced((now - timedelta(minutes=3)).isoformat(), "a-while-ago"),
        produced((now - timedelta(minutes=7)).isoformat(), "gone"),
        produced((now - timedelta(minutes=11)).isoformat(), "replayed"),
        produced((now - timedelta(days=400)).isoformat(), "replayed-too"),
        produced((now + timedelta(days=400)).isoformat(), "from-a-wrong-clock"),
    ])
    site.engine.start_and_join()
    site.kafka.wait_all_committed("active-sessions", TOPIC)
    assert site.active_sessions() == 3
    minutes = {sessions_key(now - timedelta(minutes=ago)) for ago in (0, 3, 7)}
    assert set(site.redis.scan_iter("sessions:*")) == minutes
    assert all(0 < site.redis.ttl(key) <= 600 for key in minutes)
    assert sum(site.kafka.ends(f"{TOPIC}.active-sessions.dlq").values()) == 0


def test_an_event_that_names_no_session_or_time_is_a_dead_letter_that_says_so(site):
    now = datetime.now(timezone.utc).isoformat()
    wrong = {
        "no JSON object": [b"", b"nonsense", b"[]", b'"s-1"', b"\xff\xfe", None],
        "/session_id": [{"timestamp": now}, {"session_id": 7, "timestamp": now}, {"session_id": None}],
        "/timestamp": [{"session_id": "s"}, {"session_id": "s", "timestamp": 7},
                       {"session_id": "s", "timestamp": "yesterday"}, {"session_id": "s", "timestamp": now[:19]}],
    }
    values = {body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode(): reason
              for reason, bodies in wrong.items() for body in bodies}
    # Apart from each other, or the flood brake would hold them back.
    good = [produced(now, f"s-{n}") for n in range(100)]
    site.kafka.produce(TOPIC, [one for value in values for one in (*good, Event(b"k", value, partition=0))])
    site.engine.start_and_join()
    letters = site.kafka.read_when(f"{TOPIC}.active-sessions.dlq", len(values))
    assert Counter(letter.value for letter in letters) == Counter(list(values))
    for letter in letters:
        assert values[letter.value] in letter.header("error")
        assert letter.header("error-class") == "undecodable"
    site.kafka.wait_all_committed("active-sessions", TOPIC)
    assert abs(site.active_sessions() - 100) <= 3, "the others went on"


def test_the_groups_are_independent_one_may_be_taken_out_and_catches_up_later(site, tmp_path):
    [original] = site.engine.files
    whole = original.read_text()
    without = re.sub(r"(?ms)^  clicks:.*?(?=^  searches:)", "", whole)
    assert len(without) < len(whole)
    copy = tmp_path / "analytics.yaml"
    copy.write_text(whole)
    site.engine.files = [copy]
    site.engine.start_and_join()

    def visit(times):
        for n in range(times):
            assert site.post([event("page_view", f"s-{n}", path="/"), event("click", f"s-{n}", element="buy"),
                              event("search", f"s-{n}", term="lamp")]) == 204
    visit(20)
    site.wait_counted()

    copy.write_text(without)
    site.engine.signal(signal.SIGHUP)
    eventually(lambda: site.engine.logged("info", "actor_removed", "clicks"), 20, "clicks is taken out")
    visit(30)
    site.wait_counted("page-views", "searches")
    site.kafka.wait_all_committed("active-sessions", TOPIC)
    assert site.totals("page-views") == {"/": 50} and site.totals("searches") == {"lamp": 50}
    assert site.totals("clicks") == {"buy": 20}

    copy.write_text(whole)
    site.engine.signal(signal.SIGHUP)
    site.wait_counted()
    assert site.totals("clicks") == {"buy": 50}
    assert site.totals("page-views") == {"/": 50} and site.totals("searches") == {"lamp": 50}


class Visitors(Background):
    """Events of sixty sessions that keep coming by HTTP, until it is left. `accepted` are the numbers of those
    that were answered 204; of the others nobody knows whether the topic has them."""

    def __init__(self, site):
        super().__init__()
        self.site, self.made, self.accepted = site, 0, set()

    def event(self, n):
        kind = ("page_view", "click", "search")[n % 3]
        value = f"{kind}-{n * 7919 % 17}"
        return event(kind, f"s-{n % 60}", path=value, element=value, term=value, n=str(n))

    def step(self):
        numbers = range(self.made, self.made + 30)
        self.made += 30
        try:
            if self.site.post([self.event(n) for n in numbers]) == 204:
                self.accepted.update(numbers)
        except (OSError, HTTPException):
            pass  # nobody at the door


@pytest.mark.limit(120)
def test_after_kills_under_load_every_count_is_what_the_topic_says(site):
    with Visitors(site) as visitors:
        for _ in range(3):
            site.engine.start_and_join(within=40)
            seen, counted = len(visitors.accepted), sum(site.totals("page-views").values())
            eventually(lambda: len(visitors.accepted) > seen + 1000, 30, "events are accepted")
            eventually(lambda: sum(site.totals("page-views").values()) > counted, 30, "and counted")
            seen = len(visitors.accepted)
            eventually(lambda: len(visitors.accepted) > seen + 500, 30, "a part of the next flush is there")
            site.engine.kill()
        site.engine.start_and_join(within=40)
    written = site.kafka.read(TOPIC)
    numbers = {json.loads(record.value)["payload"]["n"] for record in written}
    assert {str(n) for n in visitors.accepted} <= numbers, "what was answered 204 is in the topic"
    site.wait_counted(within=60)
    for group in COUNTED:
        assert site.totals(group) == oracle(written, group)
    page_views.assert_exact(site.redis, written)
    assert abs(site.active_sessions() - 60) <= 2
    assert sum(site.kafka.ends(f"{TOPIC}.active-sessions.dlq").values()) == 0
    assert site.engine.stop() == 0


# ---- tracker.js ----

# A browser in few words: what the tracker sends is captured and printed.
BROWSER = """
const [file, navigator] = [process.argv[1], JSON.parse(process.argv[2])]
const sent = [], listeners = {}, stored = new Map()
const send = (by, to, blob) => sent.push({by, to, type: blob.type, body: blob.text})
const page = {
  crypto, console,
  Blob: class { constructor(parts, about) { this.text = parts.join(''); this.type = about.type } },
  navigator: {sendBeacon: (to, blob) => !navigator.beaconsFail && !!send('beacon', to, blob), ...navigator},
  fetch: async (to, how) => { send(how.keepalive && how.method, to, how.body) },
  sessionStorage: {getItem: (name) => stored.get(name) ?? null, setItem: (name, text) => {
    if (navigator.storageFails) throw new Error('forbidden')
    stored.set(name, text)
  }},
  location: {pathname: '/'},
  history: {pushState: (state, title, path) => { page.location.pathname = path }},
  addEventListener: (name, f) => { listeners[name] = f },
  document: {
    currentScript: {dataset: {endpoint: 'http://localhost:8081/events', user: 'u-7'}},
    addEventListener: (name, f) => { listeners[name] = f },
  },
}
page.window = page
const script = require('fs').readFileSync(file, 'utf8')
require('vm').runInNewContext(script, page)
page.history.pushState(null, '', '/cart')
page.history.pushState(null, '', '/cart')
page.location.pathname = '/'
listeners.popstate({})
listeners.popstate({})
listeners.click({target: {closest: (what) => what === '[data-track]' ? {dataset: {track: 'buy'}} : null}})
listeners.click({target: {closest: () => null}})
page.troupe.track('search', {term: 'lamp', page: 2})
page.troupe.track('search')
console.log(JSON.stringify(sent))
"""


def browse(**navigator):
    """What the tracker sends from a visit of two pages, with a click and two searches."""
    ran = subprocess.run(["node", "-e", BROWSER, TRACKER, json.dumps(navigator)], capture_output=True, text=True,
                         timeout=30)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


VISIT = [("page_view", {"path": "/"}), ("page_view", {"path": "/cart"}), ("page_view", {"path": "/"}),
         ("click", {"element": "buy", "path": "/"}), ("search", {"term": "lamp", "page": "2"}), ("search", {})]


def seen_in(sent):
    bodies = [json.loads(one["body"]) for one in sent]
    assert all(body["user_id"] == "u-7" for body in bodies)
    [session] = {body["session_id"] for body in bodies}
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", session)
    return [(body["type"], body["payload"]) for body in bodies]


def test_the_tracker_is_small():
    assert TRACKER.stat().st_size < 2048


@NODE
def test_the_tracker_is_javascript():
    assert subprocess.run(["node", "--check", TRACKER], timeout=30).returncode == 0


@NODE
def test_what_the_tracker_sends_is_taken_and_counted(site):
    site.engine.start_and_join()
    sent = browse()
    assert seen_in(sent) == VISIT
    for one in sent:
        assert (one["by"], one["to"], one["type"]) == ("beacon", "http://localhost:8081/events", "text/plain")
        answer, body = site.door.ask("POST", "/events", one["body"].encode(), Content_Type=one["type"],
                                     Origin="https://shop.example")
        assert (answer.status, body) == (204, b"")
        assert answer.getheader("Access-Control-Allow-Origin") == "*"
    site.wait_counted()
    assert site.totals("page-views") == {"/": 2, "/cart": 1}
    assert site.totals("clicks") == {"buy": 1} and site.totals("searches") == {"lamp": 1}
    assert site.active_sessions() == 1


@NODE
def test_the_tracker_falls_back_to_fetch_and_to_a_session_per_page():
    sent = browse(beaconsFail=True, storageFails=True)
    assert seen_in(sent) == VISIT
    assert {(one["by"], one["type"]) for one in sent} == {("POST", "text/plain")}


@NODE
def test_two_visits_are_two_sessions():
    one, other = browse(), browse()
    assert json.loads(one[0]["body"])["session_id"] != json.loads(other[0]["body"])["session_id"]


@NODE
@pytest.mark.parametrize("wish", [{"doNotTrack": "1"}, {"globalPrivacyControl": True}])
def test_who_asks_not_to_be_tracked_is_not(wish):
    assert browse(**wish) == []

"""The dashboard's server: who may do what, and what it shows of running engines, of Redis and of Kafka."""

import http.client
import json
import time

import pytest
from support.broker import Broker
from support.dashboard import Dashboard, Stream, Web, hashed
from support.kafka import Kafka
from support.processes import free_port
from support.waiting import eventually, stays
from support.working import QUICK_SESSION, pool, told

STREAM = "/api/v1/stream"


@pytest.fixture
def webs():
    """Starts `troupe web` for an engine's app."""
    all_of_them = []

    def make(engine, **dashboard):
        web = Web(engine, engine.binary, **dashboard)
        all_of_them.append(web)
        return web
    yield make
    for web in all_of_them:
        web.kill()


def status_of(page, endpoint, **headers):
    """Of one endpoint, with a body that means nothing; of a stream the head alone."""
    given = {"Host": page.address, "Cookie": page.cookie, **{k.replace("_", "-"): v for k, v in headers.items()}}
    connection = http.client.HTTPConnection(page.address, timeout=20)
    try:
        connection.putrequest(endpoint["method"], endpoint["path"].replace("*", "x"), skip_host=True)
        for name, value in given.items():
            if value:
                connection.putheader(name, value)
        connection.putheader("Content-Length", "2" if endpoint["method"] == "POST" else "0")
        connection.endheaders(b"{}" if endpoint["method"] == "POST" else None)
        return connection.getresponse().status
    finally:
        connection.close()


def posting(page, **other):
    return {"Origin": f"http://{page.address}", "Content_Type": "application/json", "X_Troupe_CSRF": page.csrf, **other}


def try_all(page, table, allowed, **headers):
    """Each endpoint's status with these headers; `allowed` tells from an endpoint what it must be among."""
    for endpoint in table:
        got = status_of(page, endpoint, **headers)
        assert allowed(endpoint)(got), f"{endpoint} answered {got}"


def is_in(*statuses):
    return lambda got: got in statuses


def is_let_in(got):
    return got not in (401, 403, 421, 500)


@pytest.mark.limit(180)
def test_no_endpoint_is_open_to_who_has_no_right_to_it(kafka, engines, redis_server, name, webs):
    engine = engines({"sized": pool(kafka.create_topic(name), name)}, redis=redis_server)
    password = hashed(engine.binary, "open sesame")
    page = webs(engine, auth={"operators": {"alice": password}, "viewers": {"bob": password}}).start()
    assert page.log_in("alice", "open sesame") == 200
    table = sorted(page.endpoints(), key=lambda e: e["path"] == "/api/v1/logout")  # it ends the session: the last
    paths = {e["path"] for e in table}
    assert {"/api/v1/session", "/api/v1/login", STREAM, "/api/v1/snapshot", "/api/v1/commands"} <= paths
    assert [e["path"] for e in table if e["anybody"]] == ["/api/v1/login"]
    assert all(e["method"] == "POST" for e in table if e["acts"])

    def posts(endpoint):
        return endpoint["method"] == "POST"
    nobody = Dashboard(page.address)
    try_all(nobody, table, lambda e: is_in(400) if e["anybody"] else is_in(401), **posting(nobody))
    try_all(page, table, lambda e: is_in(421), **posting(page, Host="evil.example"))
    try_all(page, table, lambda e: is_in(421), **posting(page, Host=f"evil.example:{page.address.split(':')[1]}"))
    try_all(page, [e for e in table if posts(e)], lambda e: is_in(403), **posting(page, Origin=None))
    try_all(page, [e for e in table if posts(e)], lambda e: is_in(403), **posting(page, Origin="http://evil.example"))
    try_all(page, [e for e in table if posts(e)], lambda e: is_in(403), **posting(page, Origin="http://127.0.0.1:1"))
    try_all(page, [e for e in table if posts(e) and not e["anybody"]], lambda e: is_in(403),
            **posting(page, X_Troupe_CSRF=None))
    try_all(page, table, lambda e: is_let_in, **posting(page))
    assert page.get("/api/v1/session")[0] == 401, "logged out"

    viewer = Dashboard(page.address)
    assert viewer.log_in("bob", "open sesame") == 200
    try_all(viewer, table, lambda e: is_in(403) if e["acts"] else is_let_in, **posting(viewer))


@pytest.mark.limit(120)
def test_on_another_address_than_the_loopback_nobody_acts_without_a_login(kafka, engines, redis_server, name, webs):
    engine = engines({"sized": pool(kafka.create_topic(name), name)}, redis=redis_server)
    port = free_port()
    web = webs(engine, listen=f"0.0.0.0:{port}")
    web.address = f"127.0.0.1:{port}"
    page = web.start()
    session = page.open()
    assert not session["actions"] and not session["payloads"] and session["role"] == "viewer" and session["banner"]
    for endpoint in page.endpoints():
        if endpoint["acts"]:
            assert status_of(page, endpoint, **posting(page)) == 403, endpoint
    kafka.produce(name, [told(b"key", secret="of somebody")])
    events = eventually(lambda: page.get("/api/v1/tap?actor=sized")[1]["events"], 20, "the event is there")
    assert "key" not in events[0] and "value" not in events[0]


@pytest.mark.limit(90)
def test_who_guesses_passwords_is_slowed_down(kafka, engines, redis_server, name, webs):
    engine = engines({"sized": pool(kafka.create_topic(name), name)}, redis=redis_server)
    page = webs(engine, auth={"operators": {"alice": hashed(engine.binary, "open sesame")}}).start()
    assert [page.log_in("alice", f"guess {n}") for n in range(5)] == [401] * 5
    assert page.log_in("alice", "open sesame") == 429
    eventually(lambda: page.log_in("alice", "open sesame") == 200, 20, "a moment later it is heard again", 0.3)


@pytest.mark.limit(150)
def test_three_engines_are_shown_together_and_what_becomes_of_them(
        kafka, engines, effects, redis_server, name, webs):
    topic = kafka.create_topic(name, 6)
    three = [engines({"sized": pool(topic, name)}, redis=redis_server, instance=f"number-{n}",
                     kafka={"brokers": kafka.address, "consumer": QUICK_SESSION}).start() for n in range(3)]
    for engine in three:
        engine.wait_ready()
    page = webs(three[0]).start()
    page.open()
    stream = Stream(page)

    def actor():
        return stream.document["actors"]["sized"]
    eventually(lambda: stream.document and stream.document["summary"].get("live") == 3 and actor().get("workers") == 24
               and actor().get("lag") == 0, 30, "all three are in the sums")
    sent = kafka.produce(topic, [told(f"key-{n % 50}".encode(), sleep_ms=2) for n in range(3000)])
    eventually(lambda: actor().get("per_second", 0) > 0, 20, "the rate is seen")
    effects.wait_done(sent)
    eventually(lambda: actor().get("p99_s", 0) > 0 and actor()["lag"] == 0, 20, "times and lag are seen")
    assert stream.kinds[0] == "snapshot" and set(stream.kinds[1:]) == {"patch"}
    assert len(stream.document["partitions"]) == 6
    assert stream.document["instances"]["number-1"]["state"] == "live"
    eventually(lambda: "cpu_share" in stream.document["instances"]["number-1"], 10, "its share of the processor too")

    # Whoever was away for a moment gets what was missed, and no more.
    again = Stream(page, last=stream.last)
    eventually(lambda: len(again.kinds) > 1, 10, "it goes on")
    assert "snapshot" not in again.kinds
    assert Stream(page, last=1)
    eventually(lambda: sum(n or 0 for n in page.get("/api/v1/history?actor=(all)&window=15m")[1]["ok"]) == 3000, 30,
               "the chart has every event", 1)
    charts = eventually(lambda: (lambda c: c if c["ok"][-1] == 0 and max(p or 0 for p in c["latency"]["p99_s"]) > 0
                                 else None)(page.get("/api/v1/history?actor=sized&window=15m")[1]), 30,
                        "all were there and nothing happened: that is 0", 1)
    assert charts["ok"][0] is None, "nobody was there a quarter of an hour ago"

    three[2].kill()
    eventually(lambda: stream.document["instances"]["number-2"]["state"] == "late", 15, "who was killed is late")
    assert actor()["reporting"] == 2 and stream.document["summary"]["expected"] == 3
    eventually(lambda: stream.document["instances"]["number-2"]["state"] == "lost", 40, "and then lost")
    assert "cpu_share" not in stream.document["instances"]["number-2"]
    three[1].stop()
    eventually(lambda: stream.document["instances"]["number-1"]["state"] == "stopped", 10, "a clean end is told apart")


@pytest.mark.limit(150)
def test_what_a_source_that_is_gone_would_say_is_not_shown(tmp_path, engines, redis_server, name, webs):
    broker = Broker(tmp_path / "kafka")
    try:
        kafka = Kafka(broker.start())
        topic = kafka.create_topic(name, 3)
        three = [engines({"sized": pool(topic, name)}, redis=redis_server, instance=f"number-{n}",
                         kafka={"brokers": kafka.address}).start() for n in range(3)]
        for engine in three:
            engine.wait_ready()
        page = webs(three[0]).start()
        eventually(lambda: page.snapshot()["actors"]["sized"].get("lag") == 0, 30, "the lag is known")

        redis_server.stop()
        eventually(lambda: not page.snapshot()["redis"]["up"], 15, "Redis is away")
        before = page.snapshot()
        assert before["redis"]["trouble"]
        stays(lambda: page.snapshot()["at"] == before["at"] < time.time() * 1000, 3, "the values are of then")
        assert before["actors"]["sized"]["workers"] == 24
        page.open()
        assert page.post("/api/v1/commands", {"action": "pause", "actor": "sized"})[0] == 503
        redis_server.start()
        eventually(lambda: page.snapshot()["redis"] == {"up": True} and page.snapshot()["at"] > before["at"], 15,
                   "Redis is back")
        eventually(lambda: page.snapshot()["actors"]["sized"].get("workers") == 24, 20, "and told by all again")

        broker.stop()
        eventually(lambda: not page.snapshot()["kafka"]["up"], 20, "Kafka is away")
        document = page.snapshot()
        assert document["actors"]["sized"]["workers"] == 24, "that is Redis's"
        assert "lag" not in document["actors"]["sized"] and "behind_s" not in document["actors"]["sized"]
        assert "lag" not in document["summary"] and "behind_s" not in document["summary"]
        assert not any("lag" in p or "end" in p for p in document["partitions"].values())
    finally:
        broker.stop()


@pytest.mark.limit(90)
def test_lag_goes_on_growing_when_no_engine_runs(kafka, engines, redis_server, effects, name, webs):
    topic = kafka.create_topic(name, 2)
    engine = engines({"sized": pool(topic, name)}, redis=redis_server).start_and_join()
    effects.wait_done(kafka.produce(topic, [told(f"key-{n}".encode()) for n in range(20)]))
    engine.stop()
    page = webs(engine).start()
    kafka.produce(topic, [told(f"key-{n}".encode()) for n in range(30)])
    eventually(lambda: page.snapshot()["actors"]["sized"].get("lag") == 30, 20, "Kafka itself was asked")
    document = page.snapshot()
    assert document["actors"]["sized"]["behind_s"] > 0 and document["summary"]["lag"] == 30
    assert "workers" not in document["actors"]["sized"] and "per_second" not in document["summary"]
    assert document["partitions"][f"{name}/{topic}/0"]["committed"] > 0


@pytest.mark.limit(120)
def test_an_order_is_given_answered_and_audited(kafka, engines, redis_server, name, webs):
    engine = engines({"sized": pool(kafka.create_topic(name, 2), name)}, redis=redis_server,
                     instance="one").start_and_join()
    page = webs(engine).start()
    user = page.open()["user"]
    eventually(lambda: page.snapshot()["summary"].get("live") == 1, 15, "it is seen")

    def order(**body):
        status, given = page.post("/api/v1/commands", {"actor": "sized", **body})
        assert status == 202, given
        return eventually(lambda: (lambda s: s if s["answers"] else None)(
            page.get(f"/api/v1/commands/{given['id']}")[1]), 10, "it is answered")
    paused = order(action="pause")
    assert paused["expected"] == 1
    assert paused["answers"]["one"] == {"done": True, "runs_it": True, "before": "running, 8 workers",
                                        "after": "paused, 8 workers", "text": ""}
    eventually(lambda: page.snapshot()["actors"]["sized"].get("paused") == 1, 10, "it is shown")
    desired = page.snapshot()["actors"]["sized"]["desired"]
    assert desired["paused"] and desired["by"] == user
    order(action="resize", workers=3)
    eventually(lambda: engine.metric("troupe_pool_workers", actor="sized") == 3, 10, "it has another size")
    order(action="reset")
    eventually(lambda: "desired" not in page.snapshot()["actors"]["sized"], 10, "as in the file")

    eventually(lambda: len([e for e in page.get("/api/v1/audit")[1]["entries"] if "result" in e]) == 3, 15,
               "each has its end in the audit")
    entries = page.get("/api/v1/audit")[1]["entries"]
    assert len(entries) == 6 and {e["by"] for e in entries} == {user}
    assert {e["result"] for e in entries if "result" in e} == {"1 of 1 processes did it"}
    older = page.get(f"/api/v1/audit?before={entries[3]['id']}&max=1")[1]["entries"]
    assert older == [entries[4]]

    for body in ({"action": "pause"}, {"action": "resize", "actor": "sized"}, {"action": "stop", "actor": "sized"},
                 {"action": "pause", "actor": "none"}, {"action": "resize", "actor": "sized", "workers": 1000}):
        assert page.post("/api/v1/commands", body)[0] == 400, body


@pytest.mark.limit(90)
def test_an_actors_lines_and_its_newest_events_can_be_read(kafka, engines, redis_server, name, webs):
    topic = kafka.create_topic(name, 3)
    engine = engines({"sized": pool(topic, name, settings={"password": "hunter2"})}, redis=redis_server)
    page = webs(engine).start()
    status, config = page.get("/api/v1/actors/sized/config")
    assert status == 200 and config["place"].startswith(str(engine.folder / "web.yaml") + ":")
    assert '"handler": "effect.append"' in config["text"] and "hunter2" not in config["text"]
    assert page.get("/api/v1/actors/none/config")[0] == 404
    kafka.produce(topic, [told(f"key-{n}".encode(), n=n) for n in range(60)])
    status, tap = page.get("/api/v1/tap?actor=sized")
    assert status == 200 and 0 < len(tap["events"]) <= 20
    assert json.loads(tap["events"][0]["value"])["n"] > 30 and tap["events"][0]["key"].startswith("key-")
    assert page.get("/api/v1/history?window=1h")[0] == 400
    status, day = page.get("/api/v1/history?actor=sized&window=24h")
    assert status == 200 and set(day["ok"]) == {None}, "nobody has run yet"


@pytest.mark.limit(90)
def test_run_has_one_that_outlives_the_actors(kafka, engines, redis_server, name):
    address = f"127.0.0.1:{free_port()}"
    engine = engines({"sized": pool(kafka.create_topic(name), name)}, redis=redis_server, instance="one",
                     dashboard={"listen": address, "interval": "250ms"}).start_and_join()
    page = Dashboard(address).wait_open()
    stream = Stream(page)
    eventually(lambda: stream.document and stream.document["summary"].get("live") == 1, 15, "it shows itself")
    eventually(lambda: engine.metric("troupe_web_stream_clients") == 1, 10, "who looks is counted")
    engine.reload(lambda config: config["actors"].update(more=pool(config["actors"]["sized"]["consume"]["topic"],
                                                                   name + "-more")))
    eventually(lambda: "more" in page.snapshot()["actors"], 15, "a reload is seen")
    second = engines({"sized": pool(name, name)}, redis=redis_server, instance="two", dashboard={"listen": address})
    assert second.start().wait() == 69
    assert second.logged("error", "dashboard.listen", address, "another process has it")
    assert engine.stop() == 0
    eventually(lambda: stream.ended, 5, "the stream ends with it")
    assert stream.document["instances"]["one"]["state"] == "stopped", "the last thing it told"

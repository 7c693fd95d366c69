"""Dead letters from the browser: the dashboard's API, without a running engine and with one."""

import json
import urllib.parse

import pytest

from support import processes
from support.dashboard import Dashboard, Web
from support.kafka import Event
from support.letters import bury, letter, numbers, read_decided, replayed
from support.waiting import eventually
from support.working import pool, told


@pytest.fixture
def topic(kafka, name):
    return kafka.create_topic(name, 3)


class Desk:
    """A dashboard of an app whose actor `payment` reads the topic, and somebody in front of it."""

    def __init__(self, engine, topic, redis, page):
        self.topic, self.graves, self.app = topic, f"{topic}.payment.dlq", engine.config["app"]
        self.engine, self.redis, self.page = engine, redis, page
        self.session, self.post = page.open(), page.post

    def get(self, path, **parameters):
        """Status and answer; parameters may be lists."""
        return self.page.get(f"{path}?{urllib.parse.urlencode(parameters, doseq=True)}")

    def list(self, **parameters):
        status, answer = self.get("/api/v1/dlq", topic=self.graves, **parameters)
        assert status == 200, answer
        return answer

    def order(self, action, **more):
        return {"topic": self.graves, "action": action, **more}

    def begin(self, action, count, **more):
        """The job's last state."""
        status, answer = self.post("/api/v1/dlq/jobs", self.order(action, count=count, **more))
        assert status == 202, answer
        return self.wait(answer["job"])

    def job(self, one):
        status, answer = self.get(f"/api/v1/dlq/jobs/{one}")
        assert status == 200, answer
        return answer

    def wait(self, one):
        return eventually(lambda: (lambda job: job if job["state"] != "running" else None)(self.job(one)), 60,
                          lambda: f"it ends: {self.job(one)}")

    def open_in_redis(self, count):
        self.redis.hset(f"tr:{{{self.app}}}:dlq:n", self.graves, count)

    def audit(self):
        """Newest first."""
        return [fields for _, fields in self.redis.xrevrange(f"tr:{{{self.app}}}:audit")]


@pytest.fixture
def desks(engines, redis_server, topic):
    """Before a `troupe web` for the app; `host` is what it listens on."""
    started = []

    def make(host="127.0.0.1"):
        engine = engines({"payment": pool(topic, f"{topic}-payment")}, redis=redis_server)
        port = processes.free_port()
        web = Web(engine, engine.binary, listen=f"{host}:{port}")
        web.address = f"127.0.0.1:{port}"
        started.append(web)
        return Desk(engine, topic, redis_server.client, web.start())
    yield make
    for web in started:
        web.kill()


@pytest.fixture
def desk(desks):
    return desks()


def test_letters_are_listed_by_cause_hour_and_filter(kafka, desk, topic):
    bury(kafka, topic, [
        *[letter(topic, n, error=f"deadline exceeded after {n} ms", partition=n % 3) for n in range(8)],
        *[letter(topic, n, error=f"no JSON at byte {n}", error_class="decode", key=b"other",
                 failed_at="2026-02-01T10:00:00.000Z") for n in range(8, 11)]])
    shown = desk.list()
    assert (shown["open"], shown["replayed"], shown["discarded"], shown["matching"]) == (11, 0, 0, 11)
    assert [(c["error_class"], c["message"], c["count"]) for c in shown["causes"]] == [
        ("timeout", "deadline exceeded after # ms", 8), ("decode", "no JSON at byte #", 3)]
    assert shown["by_hour"] == {"2026-01-31T23": 8, "2026-02-01T10": 3}
    assert [one["error_class"] for one in shown["letters"]] == ["decode"] * 3 + ["timeout"] * 8, "the newest first"
    assert shown["letters"][0]["key"] == "other" and shown["letters"][0]["attempts"] == 5
    some = desk.list(where=["error~DEADLINE", "partition=1"], max=2)
    assert (some["open"], some["matching"], len(some["letters"]), some["more"]) == (11, 3, 2, True)
    assert desk.list(since="2026-02-01T00:00:00Z")["matching"] == 3
    for wrong in ({"where": "error"}, {"since": "yesterday"}):
        status, problem = desk.get("/api/v1/dlq", topic=desk.graves, **wrong)
        assert status == 400 and problem["detail"]


def test_one_letter_is_shown_whole(kafka, desk, topic):
    bury(kafka, topic, [letter(topic, 0, key=b"\xff\x00", value='{"id": "ä"}'.encode(), headers=[("null", None)])])
    status, one = desk.get("/api/v1/dlq/letter", topic=desk.graves, partition=0, offset=0)
    assert status == 200
    assert one["value"] == {"text": '{"id": "ä"}'} and one["key"] == {"hex": "ff00"} and one["state"] == "open"
    assert {"name": "null"} in one["headers"] and {"name": "error-class", "text": "timeout"} in one["headers"]
    assert desk.get("/api/v1/dlq/letter", topic=desk.graves, partition=0, offset=7)[0] == 404
    assert desk.get("/api/v1/dlq/letter", topic=desk.graves, partition="x", offset=7)[0] == 400


def test_only_topics_of_dead_letters_are_looked_into(kafka, desk, topic):
    kafka.produce(topic, [Event(b"secret", b"secret", 0)])
    for path, more in (("/api/v1/dlq", {}), ("/api/v1/dlq/letter", {"partition": 0, "offset": 0})):
        for other in (topic, "", f"{topic}.email.dlq", "__consumer_offsets"):
            status, problem = desk.get(path, topic=other, **more)
            assert status == 404 and "secret" not in json.dumps(problem)
    assert desk.post("/api/v1/dlq/plan", {"topic": topic, "action": "discard"})[0] == 404
    assert desk.post("/api/v1/dlq/edit", {"topic": topic, "partition": 0, "offset": 0, "value": ""})[0] == 404


def test_a_plan_names_what_would_happen_and_nothing_happens(kafka, desk, topic):
    bury(kafka, topic, [letter(topic, n, key=f"k{n}".encode(), replays=3 if n == 4 else 0) for n in range(5)])
    status, plan = desk.post("/api/v1/dlq/plan", desk.order("replay"))
    assert status == 200 and plan["count"] == 4 and plan["targets"] == {f"{topic}.payment.replay": 4}
    assert plan["first_keys"] == ["k0", "k1", "k2"] and list(plan["skipped"].values()) == [1]
    assert desk.post("/api/v1/dlq/plan", desk.order("replay", force=True))[1]["count"] == 5
    assert desk.post("/api/v1/dlq/plan", desk.order("discard", where=["key=k2"]))[1]["count"] == 1
    assert desk.post("/api/v1/dlq/plan", desk.order("discard", letters=[
        {"partition": 0, "offset": 1}, {"partition": 0, "offset": 3}, {"partition": 1, "offset": 0}]))[1]["count"] == 2
    assert desk.post("/api/v1/dlq/plan", desk.order("replay", letters=[]))[0] == 400
    assert not kafka.partitions(f"{topic}.payment.replay") and desk.list()["open"] == 5


def test_a_replay_is_a_job_that_is_counted_and_audited(kafka, desk, topic):
    bury(kafka, topic, [letter(topic, n) for n in range(5)])
    desk.open_in_redis(5)
    assert desk.list()["open"] == 5
    kafka.create_topic(f"{topic}.payment.replay", 3, retention_ms=-1)
    status, problem = desk.post("/api/v1/dlq/jobs", desk.order("replay", count=4))
    assert status == 409 and "5" in problem["detail"], "there are more than were confirmed"
    assert desk.post("/api/v1/dlq/jobs", desk.order("replay"))[0] == 400
    job = desk.begin("replay", 2, letters=[{"partition": 0, "offset": 1}, {"partition": 0, "offset": 3}])
    assert (job["state"], job["done"], job["total"]) == ("done", 2, 2)
    assert numbers(replayed(kafka, topic)) == [1, 3]
    shown = desk.list()
    assert (shown["open"], shown["replayed"]) == (3, 2), "not what was remembered from before"
    assert desk.redis.hget(f"tr:{{{desk.app}}}:dlq:n", desk.graves) == "3"
    done, begun = desk.audit()
    assert begun["id"] == job["job"] and begun["action"] == done["action"] == "dlq replay" and begun["by"] == done["by"]
    assert (done["before"], done["after"]) == ("5 open", "3 open")
    assert desk.begin("discard", 3)["state"] == "done"
    assert desk.post("/api/v1/dlq/jobs", desk.order("replay", count=0))[0] == 409
    [second, first] = desk.get("/api/v1/dlq/jobs")[1]["jobs"]
    assert (second["action"], first["action"]) == ("discard", "replay")


def test_a_replay_into_the_source_needs_its_name(kafka, desk, topic):
    bury(kafka, topic, [letter(topic, n) for n in range(2)])
    for typed in ({}, {"typed": f"{topic}.payment.replay"}):
        status, problem = desk.post("/api/v1/dlq/jobs", desk.order("replay", count=2, to_source=True, **typed))
        assert status == 409 and topic in problem["detail"]
    assert desk.begin("replay", 2, to_source=True, typed=topic)["done"] == 2
    assert numbers(read_decided(kafka, topic)) == [0, 1]


@pytest.mark.limit(150)
def test_a_job_that_is_stopped_goes_on_without_a_second_copy(kafka, desk, topic):
    total = 30_000
    bury(kafka, topic, [letter(topic, n, key=f"k{n}".encode()) for n in range(total)])
    status, answer = desk.post("/api/v1/dlq/jobs", desk.order("replay", count=total))
    assert status == 202
    eventually(lambda: desk.job(answer["job"])["done"] > 0, 30, "it is at work")
    status, problem = desk.post("/api/v1/dlq/jobs", desk.order("discard", count=total))
    assert status == 409 and "at work" in problem["detail"] or "by now" in problem["detail"]
    assert desk.post(f"/api/v1/dlq/jobs/{answer['job']}/stop")[0] == 204
    job = desk.wait(answer["job"])
    assert job["state"] == "stopped" and 0 < job["done"] < total
    left = desk.post("/api/v1/dlq/plan", desk.order("replay"))[1]["count"]
    assert left == total - job["done"]
    assert desk.begin("replay", left)["done"] == left
    assert sorted(numbers(replayed(kafka, topic))) == list(range(total))
    assert desk.post("/api/v1/dlq/jobs/unknown/stop")[0] == 404


def test_an_edited_copy_goes_to_the_actor_and_the_letter_stays(kafka, effects, desk, topic):
    engine = desk.engine.start_and_join()
    kafka.produce(topic, [told(b"poison", 1, fail="permanent")])
    [dead] = kafka.read_when(desk.graves, 1)
    place = {"topic": desk.graves, "partition": dead.partition, "offset": dead.offset}
    status, answer = desk.post("/api/v1/dlq/edit", {**place, "value": json.dumps({"n": 7})})
    assert status == 202 and answer == {"target": f"{topic}.payment.replay"}
    eventually(lambda: [c for c in effects.read() if c.topic == answer["target"] and c.succeeded], 40, "it is handled")
    [copy] = kafka.read(answer["target"])
    assert copy.value == b'{"n": 7}' and copy.key == dead.key and copy.header("edited-by") == desk.audit()[0]["by"]
    assert desk.list()["open"] == 1, "the letter itself is open"
    assert desk.audit()[0]["action"] == "dlq edit" and desk.audit()[0]["actor"] == f"{desk.graves}/{dead.partition}/{dead.offset}"
    assert desk.begin("discard", 1)["done"] == 1
    assert desk.post("/api/v1/dlq/edit", {**place, "value": "{}"})[0] == 409, "it is dealt with"
    assert engine.running()


def test_who_may_not_see_payloads_cannot_ask_for_them_either(kafka, desks, topic):
    bury(kafka, topic, [letter(topic, 0, key=b"customer-17", value=b"card 4111", headers=[("mine", b"card 4111")])])
    desk = desks(host="0.0.0.0")  # without a login: to look at, without payloads
    assert desk.session["payloads"] is False
    shown = desk.list(where="error-class=timeout")
    assert shown["matching"] == 1 and "key" not in shown["letters"][0]
    _, one = desk.get("/api/v1/dlq/letter", topic=desk.graves, partition=0, offset=0)
    assert one["hidden"] is True and not {"key", "value"} & one.keys()
    assert "4111" not in json.dumps(one) and "customer" not in json.dumps(one)
    for where in ("key=customer-17", "value~4111", "mine~4"):
        assert desk.get("/api/v1/dlq", topic=desk.graves, where=where)[0] == 403, where
    for path in ("plan", "jobs", "edit", "jobs/x/stop"):
        assert desk.post(f"/api/v1/dlq/{path}", desk.order("discard", count=1))[0] == 403, path
    assert not kafka.partitions(f"{desk.graves}.resolved")


def test_actions_in_a_process_that_runs_the_actors_are_on_its_metrics(kafka, engines, redis_server, topic):
    bury(kafka, topic, [letter(topic, n) for n in range(2)])
    address = f"127.0.0.1:{processes.free_port()}"
    engine = engines({"payment": pool(topic, f"{topic}-payment")}, redis=redis_server,
                     dashboard={"listen": address}).start_and_join()
    desk = Desk(engine, topic, redis_server.client, Dashboard(address))
    assert desk.begin("discard", 2)["state"] == "done"
    eventually(lambda: engine.metric("troupe_dlq_actions_total", action="discard", result="done") == 1, 10, "it is counted")
    assert engine.stop() == 0

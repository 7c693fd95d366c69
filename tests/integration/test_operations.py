"""What people see of running engines and do to them: status, lag, top, tap, pool, and the state in Redis behind them."""

import dataclasses
import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import termios
import time
from collections import Counter

import pytest
from support.effects import assert_keys_in_order, most_at_once
from support.tmux import Tmux
from support.waiting import eventually, pause, stays
from support.working import QUICK_SESSION, pool, told


def ask(engine, *words, code=0):
    """The output of a command about this engine's app."""
    answer = subprocess.run([engine.binary, *map(str, words)], capture_output=True, text=True, timeout=60,
                            stdin=subprocess.DEVNULL, env={**os.environ, "NO_COLOR": "1"})
    assert answer.returncode == code, f"{words}: {answer.returncode}\n{answer.stdout}{answer.stderr}"
    return answer


def status(engine):
    return json.loads(ask(engine, "status", engine.file, "--json").stdout)


def actor(engine, name):
    return next(a for a in status(engine)["actors"] if a["name"] == name)


def states(engine):
    return {i["id"]: i["state"] for i in status(engine)["instances"]}


def order(engine, *words, code=0):
    return json.loads(ask(engine, "pool", *words, "-c", engine.file, "--by", "alice", "--json", code=code).stdout)


def workers(engine):
    return engine.metric("troupe_pool_workers", actor="sized")


@pytest.mark.limit(150)
def test_status_shows_two_engines_their_sums_and_what_becomes_of_them(kafka, engines, effects, redis_server, name):
    topic = kafka.create_topic(name, 4)
    one = engines({"sized": pool(topic, name)}, redis=redis_server, instance="one",
                  kafka={"brokers": kafka.address, "consumer": QUICK_SESSION}).start_and_join()
    two = engines({"sized": pool(topic, name)}, redis=redis_server, instance="two",
                  kafka={"brokers": kafka.address, "consumer": QUICK_SESSION}).start_and_join()
    eventually(lambda: actor(one, "sized")["reporting"] == 2 and actor(one, "sized")["workers"] == 16, 20,
               "both engines are in the sums")
    assert states(one) == {"one": "live", "two": "live"}
    sent = kafka.produce(topic, [told(f"key-{n % 50}".encode(), sleep_ms=2) for n in range(2000)])
    eventually(lambda: actor(one, "sized")["per_second"] > 0, 30, "the rate of both is seen")
    effects.wait_done(sent)
    counted = eventually(lambda: sum(int(n) for key in redis_server.client.scan_iter(f"tr:{{{name}}}:c:1d:*")
                                     for n in [redis_server.client.hget(key, "sized/ok") or 0]) == 2000, 10,
                         "every event is counted once in the day's sums")
    assert counted
    eventually(lambda: actor(one, "sized")["lag"] == 0, 20, "the lag is 0")
    assert actor(one, "sized")["p99_s"] > 0
    text = ask(one, "status", one.file).stdout
    assert "sized" in text and "one" in text and "two" in text

    two.kill()
    eventually(lambda: states(one)["two"] == "late", 15, "who was killed is late")
    assert actor(one, "sized")["reporting"] == 1 and actor(one, "sized")["workers"] == 8
    assert "1/2 reporting" in ask(one, "status", one.file).stdout
    eventually(lambda: states(one)["two"] == "lost", 40, "and then lost")
    one.stop()
    assert states(one)["one"] == "stopped"
    gone = actor(one, "sized")
    assert gone["workers"] is None and gone["per_second"] is None, "what is not known is null"


@pytest.mark.limit(120)
def test_a_pool_is_paused_resumed_resized_and_reset_and_the_audit_knows(kafka, engines, effects, redis_server, name):
    topic = kafka.create_topic(name, 2)
    engine = engines({"sized": pool(topic, name)}, redis=redis_server, instance="one").start_and_join()
    eventually(lambda: states(engine).get("one") == "live", 10, "it tells of itself")

    paused = order(engine, "pause", "sized")
    assert paused["instances"] == [{"id": "one", "answered": True, "done": True, "runs_it": True,
                                    "before": "running, 8 workers", "after": "paused, 8 workers", "text": ""}]
    eventually(lambda: engine.metric("troupe_pool_paused", actor="sized") == 1, 10, "the metric says so")
    sent = kafka.produce(topic, [told(f"key-{n % 20}".encode(), sleep_ms=20) for n in range(100)])
    eventually(lambda: (actor(engine, "sized")["queued"] or 0) > 0, 20, "events wait")
    stays(lambda: not effects.read(), 1.5, "no call begins")
    eventually(lambda: actor(engine, "sized")["lag"] == 100, 10, "the lag grows meanwhile")
    seen = actor(engine, "sized")
    assert seen["paused"] == 1 and seen["desired"]["paused"] and seen["desired"]["by"] == "alice"
    assert "paused/8" in ask(engine, "status", engine.file).stdout

    order(engine, "resize", "sized", 2)
    order(engine, "resume", "sized")
    calls = effects.wait_done(sent)
    assert most_at_once(calls) == 2
    assert_keys_in_order(calls)
    assert workers(engine) == 2

    # Its file says otherwise, but an operator said so later.
    engine.reload(lambda config: config["actors"]["sized"].update(deadline="7s"))
    eventually(lambda: engine.metric("troupe_config_reloads_total", result="ok") >= 1, 10, "the file is read again")
    assert workers(engine) == 2
    order(engine, "reset", "sized")
    eventually(lambda: workers(engine) == 8, 10, "as in the file again")
    assert redis_server.client.hgetall(f"tr:{{{name}}}:desired") == {}

    audit = [fields for _, fields in redis_server.client.xrange(f"tr:{{{name}}}:audit")]
    given = [fields for fields in audit if "result" not in fields]
    assert [(f["by"], f["action"], f["actor"]) for f in given] == [
        ("alice", what, "sized") for what in ("pause", "resize", "resume", "reset")]
    assert given[0]["before"] == "" and json.loads(given[0]["after"])["paused"]
    assert json.loads(given[3]["before"])["workers"] == 2 and given[3]["after"] == ""
    assert {f["result"] for f in audit if "result" in f} == {"1 of 1 processes did it"}


@pytest.mark.limit(150)
def test_a_pool_resized_every_second_under_load_keeps_every_keys_order(kafka, engines, effects, redis_server, name):
    topic = kafka.create_topic(name, 2)
    engine = engines({"sized": pool(topic, name, pool={"workers": 4})}, redis=redis_server).start_and_join()
    rebalances = engine.metric("troupe_rebalances_total", group=name)
    sent = kafka.produce(topic, [told(f"key-{n % 200}".encode(), sleep_ms=5) for n in range(8000)])
    for wanted in (32, 1, 4, 32, 1, 32):
        order(engine, "resize", "sized", wanted)
        eventually(lambda: workers(engine) == wanted, 10, f"{wanted} workers")
        pause(1)
    calls = effects.wait_done(sent, 90)
    assert_keys_in_order(calls)
    assert Counter(call.id for call in calls) == Counter(event.id for event in sent)
    assert most_at_once(calls) == 32
    assert engine.metric("troupe_rebalances_total", group=name) == rebalances


@pytest.mark.limit(120)
def test_what_is_desired_survives_a_restart_until_it_is_reset(kafka, engines, effects, redis_server, name):
    topic = kafka.create_topic(name, 1)
    engine = engines({"sized": pool(topic, name)}, redis=redis_server, instance="one").start_and_join()
    order(engine, "pause", "sized")
    order(engine, "resize", "sized", 3)
    engine.stop()
    sent = kafka.produce(topic, [told(f"key-{n}".encode()) for n in range(50)])
    engine.start_and_join()
    eventually(lambda: (actor(engine, "sized")["queued"] or 0) == 50, 20, "they wait")
    assert not effects.read(), "not one call, not even before the engine looked"
    assert workers(engine) == 3
    engine.kill()
    engine.start_and_join()
    stays(lambda: not effects.read(), 1)
    order(engine, "reset", "sized")
    effects.wait_done(sent)
    assert workers(engine) == 8


@pytest.mark.limit(120)
def test_lag_goes_on_growing_while_no_engine_runs_and_names_what_blocks(kafka, engines, effects, redis_server, name):
    topic = kafka.create_topic(name, 1)
    engine = engines({"sized": pool(topic, name, retry={"attempts": 100, "backoff": "constant", "initial": "1s"})},
                     redis=redis_server).start_and_join()
    stuck = kafka.produce(topic, [told(b"stuck", fail="transient", fail_times=1000)])[0]
    kafka.produce(topic, [told(f"key-{n}".encode()) for n in range(9)])

    def partition():
        return json.loads(ask(engine, "lag", engine.file, "--json").stdout)["partitions"][0]
    blocked = eventually(lambda: partition()["blocked"], 20, "what blocks it is named")
    assert blocked["offset"] == stuck.offset and "attempt" in blocked["why"]
    assert partition()["lag"] == 10
    assert f"{stuck.offset} for" in ask(engine, "lag", engine.file).stdout
    retried = eventually(lambda: redis_server.client.zrange(f"tr:{{{name}}}:inst:{engine_id(redis_server, name)}:retry",
                                                            0, -1), 10, "it is among the retries")
    assert retried == [f"sized/{topic}/0/{stuck.offset}"]

    engine.stop()
    before = partition()
    kafka.produce(topic, [told(b"more") for _ in range(40)])
    after = partition()
    assert (before["lag"], after["lag"]) == (10, 50)
    assert after["behind_s"] >= before["behind_s"] > 0
    assert after["blocked"] is None or after["blocked"]["offset"] == stuck.offset
    eventually(lambda: partition()["blocked"] is None, 15, "nobody knows any more what blocks it")
    row = actor(engine, "sized")
    assert row["lag"] == 50 and row["workers"] is None


@pytest.mark.limit(120)
def test_an_event_that_just_came_is_not_as_far_behind_as_the_one_before_it_is_old(kafka, engines, effects, name):
    topic = kafka.create_topic(name, 1)
    engine = engines({"sized": pool(topic, name)}).start_and_join()
    hour_ago = int(time.time() * 1000) - 3_600_000
    effects.wait_done(kafka.produce(topic, [dataclasses.replace(told(b"old"), timestamp=hour_ago)]))
    eventually(lambda: engine.metric("troupe_consumer_lag_messages", topic=topic) == 0, 20, "it has caught up")
    kafka.produce(topic, [told(b"new", sleep_ms=8000)])
    eventually(lambda: engine.metric("troupe_consumer_lag_messages", topic=topic) == 1, 20, "the new one is seen")
    assert engine.metric("troupe_consumer_lag_seconds", topic=topic) < 60


def engine_id(redis_server, name):
    return redis_server.client.zrange(f"tr:{{{name}}}:inst", 0, -1)[0]


@pytest.mark.limit(120)
def test_while_redis_is_frozen_the_work_goes_on_and_what_is_dropped_is_counted(kafka, engines, effects, redis_server,
                                                                               name):
    topic = kafka.create_topic(name, 2)
    engine = engines({"sized": pool(topic, name)}, redis=redis_server).start_and_join()
    day = eventually(lambda: redis_server.client.exists(f"tr:{{{name}}}:inst"), 10, "it tells of itself")
    assert day
    redis_server.hold()
    sent = kafka.produce(topic, [told(f"key-{n % 20}".encode(), sleep_ms=1) for n in range(3000)])
    effects.wait_done(sent)
    kafka.wait_all_committed(name, topic)
    eventually(lambda: engine.metric("troupe_redis_dropped_updates_total") >= 2, 20, "drops are counted")
    redis_server.go_on()
    # Dropped updates cost moments, not counts: each event is there, once.
    eventually(lambda: sum(int(redis_server.client.hget(key, "sized/ok") or 0)
                           for key in redis_server.client.scan_iter(f"tr:{{{name}}}:c:1d:*")) == 3000, 20,
               "every event is counted once")
    stays(lambda: sum(int(redis_server.client.hget(key, "sized/ok") or 0)
                      for key in redis_server.client.scan_iter(f"tr:{{{name}}}:c:1d:*")) == 3000, 2.5)
    assert engine.stop() == 0


@pytest.mark.limit(90)
def test_tap_shows_events_as_they_come_and_joins_no_group(kafka, engines, redis_server, name):
    topic = kafka.create_topic(name, 2)
    engine = engines({"sized": pool(topic, name)}, redis=redis_server)
    engine.write_config()
    kafka.produce(topic, [told(b"old")])
    with subprocess.Popen([engine.binary, "tap", "sized", "-c", engine.file, "-n", "3", "--rate", "1000", "--json"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert "from their ends" in process.stderr.readline()
            lines, numbers = [], iter(range(10_000))

            def fed():
                kafka.produce(topic, [told(f"key-{next(numbers)}".encode(), n=1)])
                return process.poll() is not None
            eventually(fed, 30, "three events were shown", 0.2)
            lines = [json.loads(line) for line in process.stdout.read().splitlines()]
            assert process.returncode == 0
        finally:
            process.kill()
    assert len(lines) == 3 and all(line["topic"] == topic and line["key"].startswith("key-") for line in lines)


@pytest.mark.limit(90)
def test_top_is_drawn_on_a_terminal_resizes_and_q_ends_it(kafka, engines, redis_server, name):
    topic = kafka.create_topic(name, 2)
    engine = engines({"sized": pool(topic, name)}, redis=redis_server, instance="one").start_and_join()
    eventually(lambda: states(engine).get("one") == "live", 10, "it tells of itself")
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
    before = termios.tcgetattr(theirs)
    os.set_blocking(ours, False)
    process = subprocess.Popen([engine.binary, "top", engine.file], stdin=theirs, stdout=theirs,
                               stderr=subprocess.PIPE, start_new_session=True)
    screen = b""

    def shows(*words):
        nonlocal screen
        try:
            screen += os.read(ours, 65536)
        except BlockingIOError:
            pass
        return all(word.encode() in screen for word in words)
    try:
        eventually(lambda: shows("\x1b[?1049h", "ACTOR", "sized", "0/8", "one", "q quits"), 20, lambda: screen.decode())
        screen = b""
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 5, 30, 0, 0))
        process.send_signal(signal.SIGWINCH)
        eventually(lambda: shows("ACTOR") and screen.count(b"\x1b[H") >= 2, 20, lambda: screen.decode())
        last = screen.split(b"\x1b[H")[-1].decode(errors="replace")
        assert "INSTANCE" not in last, "five rows hold no more than the heading and the actors"
        os.write(ours, b"q")
        eventually(lambda: process.poll() is not None, 10, "q ends it")
        shows()
        assert process.returncode == 0 and b"\x1b[?1049l" in screen
        assert termios.tcgetattr(theirs) == before, "the terminal is as it was"
    finally:
        process.kill()
        process.wait(10)
        process.stderr.close()
        os.close(ours)
        os.close(theirs)


@pytest.mark.limit(90)
def test_top_in_a_terminal_fits_its_window_whatever_its_size_and_leaves_it_as_it_was(kafka, engines, redis_server, name):
    topic, reserving = kafka.create_topic(name, 2), "reserves-stock-in-all-warehouses"
    engine = engines({reserving: pool(topic, name)}, redis=redis_server, instance="one", app="shop").start_and_join()
    kafka.produce(topic, [told(f"key-{n}".encode()) for n in range(100)])
    run = 'echo "before it"; "$0" top "$1"; echo "ended with $?"; read after'
    with Tmux(100, 30, "sh", "-c", run, engine.binary, engine.file) as terminal:
        def figures():
            lines = terminal.lines()
            rows = [line.split() for line in lines if line.startswith(("ACTOR", reserving))]
            return dict(zip(*rows)) if len(rows) == 2 else {}
        eventually(lambda: figures().get("LAG") == "0" and figures()["P99"] != "–", 20, terminal.lines)
        assert figures()["WORKERS"] == "0/8"
        wide = terminal.lines()
        assert wide[0].startswith("shop   1/1 instances") and max(map(len, wide)) > 60, wide
        assert terminal.told("alternate_on", "cursor_flag") == ["1", "0"]

        terminal.resize(60, 20)
        eventually(lambda: terminal.lines()[0] != wide[0], 20, "it is drawn again, with another time")
        narrow = terminal.lines()
        assert terminal.told("pane_width", "pane_height") == ["60", "20"] and len(narrow) <= 20
        assert max(map(len, narrow)) <= 60, narrow
        assert narrow[0].startswith("shop   1/1 instances"), narrow
        assert [line.split()[0] for line in narrow[2:4]] == ["ACTOR", reserving], "nothing was pushed down"

        terminal.press("q")
        eventually(lambda: "ended with 0" in terminal.lines(), 20, terminal.lines)
        assert terminal.lines() == ["before it", "ended with 0"]
        assert terminal.told("alternate_on", "cursor_flag") == ["0", "1"]


def test_what_cannot_be_done_is_said_with_the_remedy_and_the_exit_code(kafka, engines, redis_server, name):
    topic = kafka.create_topic(name, 1)
    engine = engines({"sized": pool(topic, name, pool={"max_workers": 16}),
                      "load": {"generate": {"topic": topic, "value": "{}"}}}, redis=redis_server)
    engine.write_config()
    for words in (["pause", "seized"], ["pause", "load"], ["resize", "sized"], ["resize", "sized", "17"],
                  ["resize", "sized", "0"], ["pause", "sized", "3"], ["stop", "sized"]):
        ask(engine, "pool", *words, "-c", engine.file, code=64)
    assert redis_server.client.keys() == [], "and nothing was written"
    said = order(engine, "pause", "sized")
    assert said["instances"] == [] and said["after"] == "paused", "nobody runs, so it waits for the next start"
    redis_server.stop()
    answer = ask(engine, "status", engine.file, code=69)
    assert redis_server.url.split("/")[2] in answer.stderr and "redis.url" in answer.stderr and not answer.stdout
    ask(engine, "pool", "pause", "sized", "-c", engine.file, code=69)
    engine.config["kafka"] = {"brokers": "127.0.0.1:1"}
    engine.write_config()
    assert "kafka.brokers" in ask(engine, "lag", engine.file, code=69).stderr
    del engine.config["redis"]
    engine.write_config()
    assert "redis" in ask(engine, "status", engine.file, code=78).stderr


@pytest.mark.limit(120)
def test_open_dead_letters_are_on_metrics_until_somebody_deals_with_them(kafka, engines, redis_server, name):
    topic = kafka.create_topic(name, 1)
    graves = f"{topic}.sized.dlq"
    engine = engines({"sized": pool(topic, name)}, redis=redis_server).start_and_join()
    kafka.produce(topic, [told(b"key", fail="permanent") for _ in range(2)])

    def shown():
        return [value for got, labels, value in engine.metrics()
                if got == "troupe_dlq_open_messages" and labels["topic"] == graves]
    eventually(lambda: shown() == [2], 20, "both are open")
    ask(engine, "dlq", "discard", f"{graves}/0/0", "-c", engine.file, "--yes")
    eventually(lambda: shown() == [1], 10, "one is left")
    ask(engine, "dlq", "discard", graves, "-c", engine.file, "--yes")
    eventually(lambda: shown() == [0], 10, "none is left")
    redis_server.stop()
    eventually(lambda: shown() == [], 30, "without Redis nobody knows")


@pytest.mark.limit(90)
def test_with_watch_a_changed_file_is_read_again_and_the_log_says_what_came_of_it(kafka, engines, name):
    topic = kafka.create_topic(name, 1)
    engine = engines({"sized": pool(topic, name, pool={"workers": 4}), "beside": pool(topic, f"{name}-beside")})
    engine.start("--watch").wait_ready()

    def changed(**actor_keys):
        engine.config["actors"]["sized"].update(actor_keys)
        aside = engine.folder / "next"  # replaced as a whole, as editors do
        aside.write_text(json.dumps(engine.config))
        os.replace(aside, engine.file)
    changed(pool={"workers": 6}, deadline="9s")
    eventually(lambda: workers(engine) == 6, 20, "the change is live")
    assert engine.logged("info", "changed while it runs", "sized", "workers 4", "deadline")
    assert not engine.logged("info", "changed while it runs", "beside")
    changed(deadline="many")
    eventually(lambda: engine.logged("error", "nothing changes"), 20, "the bad file is told")
    eventually(lambda: engine.metric("troupe_config_reloads_total", result="refused") == 1, 10, "and counted")
    assert engine.metric("troupe_config_reloads_total", result="ok") == 1
    assert workers(engine) == 6
    changed(deadline="9s", consume={"topic": topic, "group": name, "window": 64})
    eventually(lambda: engine.logged("info", "needs the actor restarted", "sized"), 20, "what restarts is told")
    assert not engine.logged("info", "needs the actor restarted", "beside")

"""Dead letters from the terminal: listed, shown, brought back to their actor alone, laid to rest."""

import json
import os
import pty
import pwd
import signal
import subprocess
from datetime import datetime

import pytest

from support import processes
from support.kafka import Event
from support.letters import bury, letter, numbers, read_decided, replayed
from support.waiting import eventually, stays
from support.working import pool, told

NO_BRAKE = {"ratio": 1.0, "run": 100_000}


class Dlq:
    """`troupe dlq` on one broker."""

    def __init__(self, kafka):
        self.kafka = kafka

    def command(self, *arguments):
        return [os.environ["TROUPE_EFFECTS_BINARY"], "dlq", *map(str, arguments)]

    def environment(self):
        return {**os.environ, "KAFKA_BROKERS": self.kafka.address}

    def __call__(self, *arguments, code=0):
        answer = subprocess.run(self.command(*arguments), capture_output=True, text=True, timeout=60,
                                stdin=subprocess.DEVNULL, env=self.environment())
        assert answer.returncode == code, answer.stdout + answer.stderr
        return answer

    def json(self, *arguments, code=0):
        return json.loads(self(*arguments, "--json", code=code).stdout)

    def start(self, *arguments):
        return processes.start(self.command(*arguments), env=self.environment(), stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)

    def on_terminal(self, answer, *arguments):
        """Exit code and all that was shown, after the one question was answered."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen(self.command(*arguments), stdin=theirs, stdout=theirs, stderr=theirs,
                                   env=self.environment())
        os.close(theirs)
        shown = b""
        try:
            while True:
                shown += os.read(ours, 4096)
                if answer is not None and (b"[y/N] " in shown or b"go on: " in shown):
                    os.write(ours, answer.encode() + b"\n")
                    answer = None
        except OSError:  # the other end was closed: it has ended
            pass
        os.close(ours)
        return process.wait(20), shown.decode()


@pytest.fixture
def dlq(kafka):
    return Dlq(kafka)


@pytest.fixture
def topic(kafka, name):
    return kafka.create_topic(name, 3)


def test_a_replay_is_handled_by_its_actor_and_by_no_other_group(kafka, engines, effects, dlq, topic, tmp_path):
    mended = str(tmp_path / "mended")
    sent = kafka.produce(topic, [told(b"good", 0), told(b"poison", 1, fail="permanent", fail_until_file=mended)])
    actors = {
        "payment": pool(topic, f"{topic}-payment", dlq={"flood": NO_BRAKE}),
        "email": {"consume": {"topic": topic, "group": f"{topic}-email"}, "handler": {"simulate": {}}}}
    engine = engines(actors).start_and_join()
    graves = f"{topic}.payment.dlq"
    kafka.read_when(graves, 1)
    (tmp_path / "mended").touch()

    listed = dlq.json("ls", "-c", engine.file)["topics"]
    assert [(t["topic"], t["open"]) for t in listed if t["open"]] == [(graves, 1)]
    dlq("replay", graves, "-c", engine.file, "--yes")

    replays = f"{topic}.payment.replay"
    assert kafka.partitions(replays) == kafka.partitions(topic)
    eventually(lambda: [c for c in effects.read() if c.topic == replays and c.succeeded], 40, "it is handled")
    [again] = [c for c in effects.read() if c.topic == replays]
    assert again.key == b"poison" and again.succeeded
    eventually(lambda: kafka.committed(f"{topic}-payment", replays)[again.partition] == 1, 20, "it is committed")
    assert sum(kafka.ends(topic).values()) == len(sent), "nothing came into the source"
    assert not any(kafka.committed(f"{topic}-email", replays).values())
    [state] = [t for t in dlq.json("ls", "-c", engine.file)["topics"] if t["topic"] == graves]
    assert (state["open"], state["replayed"]) == (0, 1)


def test_ls_groups_by_cause_and_filters(kafka, dlq, topic):
    graves = bury(kafka, topic, [
        *[letter(topic, n, error=f"deadline exceeded after {n} ms") for n in range(8)],
        *[letter(topic, n, error=f"no JSON at byte {n}", error_class="decode", key=b"other",
                 failed_at="2026-02-01T10:00:00.000Z") for n in range(8, 11)]])
    [all_of_it] = dlq.json("ls", graves)["topics"]
    assert all_of_it["open"] == 11
    assert [(c["error_class"], c["message"], c["count"]) for c in all_of_it["causes"]] == [
        ("timeout", "deadline exceeded after # ms", 8), ("decode", "no JSON at byte #", 3)]
    assert all_of_it["causes"][1]["first"] == "2026-02-01T10:00:00.000Z"
    counts = {text: dlq.json("ls", graves, "--where", text)["topics"][0]["open"] for text in (
        "error~DEADLINE", "error-class=decode", "error-class!=decode", "key=other", "attempts=5", "offset=10",
        "original-partition=7", "error~after 3")}
    assert list(counts.values()) == [8, 3, 8, 3, 11, 1, 0, 1], counts
    both = dlq.json("ls", graves, "--where", "key=other", "--where", "error~byte 9")
    assert both["topics"][0]["open"] == 1
    assert dlq.json("ls", graves, "--since", "2026-02-01T00:00:00Z")["topics"][0]["open"] == 3
    assert dlq.json("ls", graves, "--since", "1h")["topics"][0]["open"] == 0
    text = dlq("ls", graves).stdout
    assert f"{graves}: 11 open" in text and "deadline exceeded after # ms" in text
    each = [json.loads(line) for line in dlq("ls", graves, "--each", "--json", "--where", "key=other").stdout.splitlines()]
    assert [e["offset"] for e in each] == [8, 9, 10]


def test_show_tells_all_of_a_letter_in_text_or_in_hex(kafka, dlq, topic):
    graves = bury(kafka, topic, [
        letter(topic, 0, value='{"id": "ä"}'.encode(), headers=[("traceparent", b"00-aa-bb-01"), ("null", None)]),
        letter(topic, 1, key=b"\xff\x00", value=b"\x00\x01\xfe", error="\x1b[31mred")])
    first = dlq.json("show", graves, 0, 0)
    assert first["value"] == {"text": '{"id": "ä"}'} and first["key"] == {"text": "k"} and first["state"] == "open"
    assert {"name": "traceparent", "text": "00-aa-bb-01"} in first["headers"]
    assert {"name": "null", "text": None} in first["headers"]
    second = dlq.json("show", f"{graves}/0/1")
    assert second["value"] == {"hex": "0001fe"} and second["key"] == {"hex": "ff00"}
    text = dlq("show", f"{graves}/0/1").stdout
    assert f"{topic}/1/1" in text and "0001fe" in text and "payment-service" in text
    assert "\x1b" not in text, "a letter must not colour the terminal"
    assert "offsets from 0 to before 2" in dlq("show", graves, 0, 9, code=64).stderr
    assert "TOPIC PARTITION OFFSET" in dlq("show", graves, code=64).stderr


def test_a_dry_run_and_a_refused_question_do_nothing(kafka, dlq, topic):
    graves = bury(kafka, topic, [letter(topic, n) for n in range(3)])
    dry = dlq("replay", graves, "--dry-run")
    assert f"3 messages -> {topic}.payment.replay (payment only)" in dry.stdout
    assert "--yes" in dlq("replay", graves, code=64).stderr, "there is no terminal to ask on"
    code, shown = dlq.on_terminal("n", "replay", graves)
    assert code == 1 and f"3 messages -> {topic}.payment.replay (payment only)" in shown and "Replay? [y/N]" in shown
    assert not kafka.partitions(f"{topic}.payment.replay")
    assert dlq.json("ls", graves)["topics"][0]["open"] == 3


def test_a_replayed_event_is_the_event_without_its_death(kafka, dlq, topic):
    graves = bury(kafka, topic, [letter(topic, 4711, key=bytes(range(256)), value=os.urandom(3000), replays=1, headers=[
        ("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), ("twice", b"1"), ("twice", b"2"),
        ("null", None)])])
    [dead] = kafka.read(graves)
    code, shown = dlq.on_terminal("y", "replay", graves)
    assert code == 0 and "100% 1/1" in shown, shown
    [event] = replayed(kafka, topic)
    assert (event.key, event.value, event.timestamp) == (dead.key, dead.value, dead.timestamp)
    names = {"error", "actor", "error-class", "attempts", "first-failed-at", "failed-at", "replay-count"}
    assert [h for h in event.headers if h[0] != "replay-count"] == [h for h in dead.headers if h[0] not in names]
    assert event.header("replay-count") == "2"
    [mark] = read_decided(kafka, f"{graves}.resolved")
    about = json.loads(mark.value)
    assert mark.key == b"0/0" and about["action"] == "replayed" and about["at"]
    assert about["by"] == pwd.getpwuid(os.geteuid()).pw_name, "as in the audit of `troupe pool`"


def test_the_order_of_a_key_is_kept_and_what_has_none_goes_where_it_came_from(kafka, dlq, topic):
    kafka.produce(topic, [told(b"x")])
    graves = bury(kafka, topic, [letter(topic, n, key=f"k{n % 7}".encode() if n % 3 else None, partition=n % 2)
                                 for n in range(600)])
    dlq("replay", graves, "--yes")
    events = replayed(kafka, topic)
    assert sorted(numbers(events)) == list(range(600))
    for partition in range(2):
        for key in {e.key for e in events} - {None}:
            mine = [n for n in numbers([e for e in events if e.key == key]) if n % 2 == partition]
            assert mine == sorted(mine)
    assert all(len({e.partition for e in events if e.key == key}) == 1 for key in {e.key for e in events})
    assert {e.partition for e in events if e.key is None} == {1}


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_replay_goes_on_without_a_second_copy(kafka, dlq, topic, how):
    graves = bury(kafka, topic, [letter(topic, n, key=f"k{n}".encode()) for n in range(300)])
    first = dlq.start("replay", graves, "--yes", "--rate", 100)
    try:
        eventually(lambda: len(replayed(kafka, topic)) >= 30, 30, "some are replayed")
        first.send_signal(how)
        _, said = first.communicate(timeout=30)
    finally:
        processes.end(first)
    if how == signal.SIGINT:
        assert first.returncode == 130 and "resume: troupe dlq replay " + graves in said
    done = len(replayed(kafka, topic))
    assert 30 <= done < 300
    assert dlq.json("ls", graves)["topics"][0]["open"] == 300 - done, "marked is what was replayed, and nothing else"
    again = dlq.json("replay", graves, "--yes")
    assert again["topics"][0]["done"] == 300 - done
    assert sorted(numbers(replayed(kafka, topic))) == list(range(300))
    assert "nothing open" in dlq("replay", graves, "--yes").stderr


def test_the_later_of_two_replays_takes_over_and_nothing_goes_twice(kafka, dlq, topic):
    graves = bury(kafka, topic, [letter(topic, n, key=f"k{n}".encode()) for n in range(300)])
    first = dlq.start("replay", graves, "--yes", "--rate", 50)
    try:
        eventually(lambda: len(replayed(kafka, topic)) >= 20, 30, "the first is at work")
        dlq("replay", graves, "--yes")
        _, said = first.communicate(timeout=60)
    finally:
        processes.end(first)
    assert first.returncode == 1 and "took over" in said
    assert sorted(numbers(replayed(kafka, topic))) == list(range(300))


def test_a_rate_is_kept(kafka, dlq, topic):
    graves = bury(kafka, topic, [letter(topic, n) for n in range(60)])
    dlq("replay", graves, "--yes", "--rate", 20)
    assert len(replayed(kafka, topic)) == 60
    marked = [datetime.fromisoformat(json.loads(mark.value)["at"]) for mark in read_decided(kafka, f"{graves}.resolved")]
    assert (max(marked) - min(marked)).total_seconds() >= 2


def test_what_came_back_three_times_is_left_alone_unless_forced(kafka, dlq, topic):
    graves = bury(kafka, topic, [letter(topic, n, replays=n) for n in range(5)])
    said = dlq.json("replay", graves, "--yes", code=1)["topics"][0]
    assert said["done"] == 3 and sum(said["skipped"].values()) == 2
    assert numbers(replayed(kafka, topic)) == [0, 1, 2]
    assert "--force" in dlq("replay", graves, "--yes", code=1).stdout
    dlq("replay", graves, "--yes", "--force")
    assert [e.header("replay-count") for e in replayed(kafka, topic)] == ["1", "2", "3", "4", "5"]


def test_max_and_single_letters(kafka, dlq, topic):
    graves = bury(kafka, topic, [letter(topic, n) for n in range(10)])
    dlq("replay", graves, "--yes", "--max", 4)
    assert numbers(replayed(kafka, topic)) == [0, 1, 2, 3]
    dlq("replay", f"{graves}/0/8", "--yes")
    assert numbers(replayed(kafka, topic)) == [0, 1, 2, 3, 8]
    dlq("discard", f"{graves}/0/9", "--yes")
    assert [t["open"] for t in dlq.json("ls", graves)["topics"]] == [4]


def test_an_edited_copy_goes_to_the_actor_and_the_letter_stays(kafka, dlq, topic):
    graves = bury(kafka, topic, [letter(topic, 0, value=b'{"n": "x"}', headers=[("mine", b"1")])])

    def edit(value, code=0):
        answer = subprocess.run(dlq.command("edit", f"{graves}/0/0"), input=value, capture_output=True, timeout=60,
                                env=dlq.environment())
        assert answer.returncode == code, answer.stderr
        return answer.stderr.decode() + answer.stdout.decode()
    assert f"{topic}.payment.replay" in edit(b'{"n": 7}')
    [copy] = kafka.read(f"{topic}.payment.replay")
    assert (copy.key, copy.value, copy.header("mine")) == (b"k", b'{"n": 7}', "1")
    assert "error" not in [name for name, _ in copy.headers]
    assert copy.header("edited-by") == pwd.getpwuid(os.geteuid()).pw_name and copy.header("replay-count") == "1"
    assert dlq.json("ls", graves)["topics"][0]["open"] == 1
    dlq("discard", graves, "--yes")
    assert "discarded already" in edit(b"{}", code=1)


def test_a_discard_is_a_mark_and_the_letter_stays(kafka, dlq, topic):
    graves = bury(kafka, topic, [letter(topic, n, error_class="told" if n % 2 else "timeout") for n in range(6)])
    code, shown = dlq.on_terminal("y", "discard", graves, "--where", "error-class=told")
    assert code == 0 and "3 messages" in shown and "retention" in shown
    [state] = dlq.json("ls", graves)["topics"]
    assert (state["open"], state["discarded"], state["replayed"]) == (3, 3, 0)
    assert len(kafka.read(graves)) == 6
    assert not kafka.partitions(f"{topic}.payment.replay")
    assert dlq.json("show", graves, 0, 1)["state"] == "discarded"
    dlq("replay", graves, "--yes")
    assert numbers(replayed(kafka, topic)) == [0, 2, 4]


def test_a_mark_says_nothing_of_a_letter_of_a_topic_made_anew(kafka, dlq, topic):
    graves = bury(kafka, topic, [letter(topic, 0)])
    dlq("discard", graves, "--yes")
    kafka.delete_topic(graves)
    bury(kafka, topic, [letter(topic, 9)])
    eventually(lambda: dlq.json("ls", graves)["topics"][0]["open"] == 1, 20, "it is open")


def test_an_envelope_is_replayed_whole_or_not_at_all(kafka, engines, dlq, topic):
    graves = kafka.create_topic(f"{topic}-graves", 3, max_message_bytes=4000, retention_ms=-1)
    whole = told(b"large", 1, fail="permanent", pad="x" * 20_000)
    whole.headers = [("mine", b"1")]
    [where] = kafka.produce(topic, [whole])
    engine = engines({"payment": pool(topic, topic, dlq={"topic": graves, "flood": NO_BRAKE})}).start()
    [dead] = kafka.read_when(graves, 1)
    assert dead.header("payload-envelope") == "1"
    engine.kill()
    assert "--config" in dlq("replay", graves, "--dry-run", code=1).stdout, "the topic's name does not tell it"
    # One that lies about its payload, and one whose payload is gone.
    forged = json.loads(dead.value)
    forged["sha256"] = "0" * 64
    gone = [(n, b"999" if n == "original-offset" else v) for n, v in dead.headers]
    for event in (Event(dead.key, json.dumps(forged).encode(), 0, headers=dead.headers),
                  Event(dead.key, dead.value, 0, headers=gone)):
        kafka.produce(graves, [event])  # each alone: together they would be too large
    said = dlq.json("replay", graves, "--yes", "-c", engine.file, code=1)["topics"][0]
    assert said["done"] == 1 and sum(said["skipped"].values()) == 2
    [event] = replayed(kafka, topic)
    assert (event.key, event.value) == (whole.key, whole.value)
    assert event.header("mine") == "1" and event.header("original-offset") == str(where.offset)
    assert not [h for h in event.headers if h[0] in ("payload-envelope", "error")]


def test_to_source_asks_for_the_topics_name_and_no_yes_will_do(kafka, dlq, topic):
    graves = bury(kafka, topic, [letter(topic, 1)])
    assert "by the topic's name" in dlq("replay", graves, "--to-source", "--yes", code=64).stderr
    code, shown = dlq.on_terminal("y", "replay", graves, "--to-source")
    assert code == 1 and f"Every group that reads {topic}" in shown and not kafka.read(topic)
    code, shown = dlq.on_terminal(topic, "replay", graves, "--to-source")
    assert code == 0, shown
    [event] = read_decided(kafka, topic)
    assert event.partition == 1 and event.header("replay-count") == "1"


def test_what_nobody_would_read_is_not_replayed(kafka, engines, dlq, topic):
    graves = bury(kafka, topic, [letter(topic, 0), letter(topic, 1, actor="gone")])
    engine = engines({"payment": pool(topic, topic)})
    engine.write_config()
    said = dlq.json("replay", graves, "--yes", "-c", engine.file, code=1)["topics"][0]
    assert said["done"] == 1 and "gone" in " ".join(said["skipped"])
    engine.config["actors"]["audit"] = pool("^.*" + topic[-8:] + ".*", "audit")
    engine.write_config()
    bury(kafka, topic, [letter(topic, 2)])
    refused = dlq("replay", graves, "--yes", "-c", engine.file, code=1)
    assert "'audit' would read" in refused.stdout, "its pattern matches the replay topic"
    assert numbers(replayed(kafka, topic)) == [0]


def test_errors_name_the_cause_and_the_remedy(kafka, dlq, engines, topic):
    dead = f"127.0.0.1:{processes.free_port()}"
    refused = dlq("ls", "--brokers", dead, code=69)
    assert dead in refused.stderr and "check" in refused.stderr
    assert "there is no topic" in dlq("ls", f"{topic}.nobody.dlq", code=64).stderr
    assert "error~timeout" in dlq("ls", "--where", "error", code=64).stderr
    assert "48h" in dlq("ls", "--since", "yesterday", code=64).stderr
    dlq("replay", code=64)
    engine = engines({"payment": pool(topic, topic)}, kafka={"brokers": "embedded"})
    engine.write_config()
    assert "embedded" in dlq("ls", "-c", engine.file, code=64).stderr
    stays(lambda: not kafka.partitions(f"{topic}.payment.dlq"), 0.5, "asking makes no topics")


def test_what_was_dealt_with_is_open_no_more_in_redis(kafka, engines, dlq, topic, redis_server):
    kafka.produce(topic, [told(b"k%d" % n, 0, fail="permanent") for n in range(3)])
    engine = engines({"payment": pool(topic, f"{topic}-payment", dlq={"flood": NO_BRAKE})}, redis_server)
    engine.start_and_join()
    graves, state = f"{topic}.payment.dlq", f"tr:{{{engine.config['app']}}}"

    def open_letters():
        return redis_server.client.hgetall(f"{state}:dlq:n")
    eventually(lambda: open_letters() == {graves: "3"}, 20, lambda: f"three are open: {open_letters()}")
    dlq("discard", graves, "-c", engine.file, "--max", 2, "--yes")
    assert open_letters() == {graves: "1"}
    [(_, entry)] = redis_server.client.xrevrange(f"{state}:audit", count=1)
    assert (entry["action"], entry["before"], entry["after"]) == ("dlq discard", "3 open", "1 open")
    redis_server.stop()
    answer = dlq("discard", graves, "-c", engine.file, "--yes")
    assert "was not lowered" in answer.stderr and dlq.json("ls", graves)["topics"][0]["open"] == 0

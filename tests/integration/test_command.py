"""The command: exit codes, texts, the admin port, and a config on the embedded broker."""

import json
import os
import re
import shutil
import subprocess

import pytest

from support import processes
from support.effects import most_at_once
from support.kafka import Event
from support.waiting import eventually


def troupe(*arguments, binary="TROUPE_BINARY", **environment):
    return subprocess.run([os.environ[binary], *map(str, arguments)], capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL, env={**os.environ, "NO_COLOR": "1", **environment})


GOOD = """\
version: 1
app: shop
kafka: { brokers: "${KAFKA_BROKERS:-localhost:9092}" }
actors:
  inventory:
    consume: { topic: order.placed, group: inventory-service }
    handler: { simulate: { latency: 5ms } }
"""

BAD = """\
version: 1
app: shop
actors:
  inventory:
    consume: { topic: order.placed, group: inventory-service }
    handler: { simulate: { latency: 5ms } }
    retires: { attempts: 5 }
    deadline: 30
    pool: { workers: 0 }
"""


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "shop.yaml"
        path.write_text(text)
        return path
    return write


def test_check_of_a_good_file_is_0_and_needs_no_server(file):
    answer = troupe("check", file(GOOD), KAFKA_BROKERS="127.0.0.1:1")
    assert answer.returncode == 0, answer.stderr


def test_check_shows_all_problems_at_once_with_place_line_caret_and_the_nearest_key(file):
    path = file(BAD)
    answer = troupe("check", path)
    assert answer.returncode == 78
    text = answer.stdout + answer.stderr
    for line, word in ((7, "retires"), (8, "30"), (9, "0")):
        assert re.search(rf"shop\.yaml:{line}:\d+: ", text), f"no problem in line {line}:\n{text}"
        assert word in text
    assert BAD.splitlines()[6] in text
    assert re.search(r"^[\s|]*\^~*", text, re.MULTILINE)
    assert "'retry'" in text or "retry" in text.split("retires", 1)[1]
    assert "30s" in text


@pytest.mark.parametrize("text", ["", "actors: [", "version: 2\napp: a\nactors: {}\n", GOOD + "  inventory: 3\n",
                                  GOOD.replace("order.placed", "'${file:/nowhere/at/all}'"),
                                  GOOD.replace('9092}" }', '9092}", consumer: { fetch.max.bytes: 1000 } }')],
                         ids=["empty", "no YAML", "another version", "an actor twice", "a secret that is not there",
                              "properties that contradict ours"])
def test_run_refuses_what_check_refuses(file, text):
    path = file(text)
    assert troupe("check", path).returncode == 78
    assert troupe("run", path).returncode == 78


def test_a_file_that_is_not_there_is_a_config_error_that_names_it(tmp_path):
    answer = troupe("check", tmp_path / "missing.yaml")
    assert answer.returncode == 78 and "missing.yaml" in answer.stderr + answer.stdout


def test_a_handler_that_is_not_registered_is_refused_with_those_that_are(file):
    path = file(GOOD.replace("{ simulate: { latency: 5ms } }", "effect.appent"))
    answer = troupe("check", path, binary="TROUPE_EFFECTS_BINARY")
    assert answer.returncode == 78
    assert "effect.appent" in answer.stdout + answer.stderr and "effect.append" in answer.stdout + answer.stderr


@pytest.mark.parametrize("property", ["enable.auto.commit", "group.id", "partition.assignment.strategy",
                                      "auto.offset.reset", "isolation.level", "fetch.wait.max.msx"])
def test_a_property_that_a_promise_stands_on_is_refused_with_the_reason(file, property):
    path = file(GOOD.replace('localhost:9092}" }', f'localhost:9092}}", consumer: {{ {property}: "1" }} }}'))
    answer = troupe("check", path)
    assert answer.returncode == 78 and property in answer.stdout + answer.stderr


def test_check_online_asks_the_servers(file, kafka, redis_server):
    counting = GOOD.replace("handler: { simulate: { latency: 5ms } }",
                            'aggregate: { count_by: /a, into: "a:{value}" }')
    topic = kafka.create_topic("order.placed") if kafka.partitions("order.placed") == 0 else "order.placed"
    path = file(counting.replace("actors:", f'redis: {{ url: "{redis_server.url}" }}\nactors:'))
    good = troupe("check", "--online", path, KAFKA_BROKERS=kafka.address)
    assert good.returncode == 0, good.stderr + topic
    dead = f"127.0.0.1:{processes.free_port()}"
    no_kafka = troupe("check", "--online", path, KAFKA_BROKERS=dead)
    assert no_kafka.returncode == 69 and dead in no_kafka.stdout + no_kafka.stderr
    redis_server.stop()
    no_redis = troupe("check", "--online", path, KAFKA_BROKERS=kafka.address)
    assert no_redis.returncode == 69 and str(redis_server.port) in no_redis.stdout + no_redis.stderr


def test_run_without_a_broker_ends_with_69_and_names_it(file):
    dead = f"127.0.0.1:{processes.free_port()}"
    answer = troupe("run", file(GOOD + 'admin: { listen: "127.0.0.1:0" }\n'), KAFKA_BROKERS=dead)
    assert answer.returncode == 69 and dead in answer.stderr


def test_the_schema_is_json_and_describes_what_the_check_accepts():
    answer = troupe("schema")
    assert answer.returncode == 0
    schema = json.loads(answer.stdout)
    assert {"version", "app", "kafka", "redis", "actors", "defaults"} <= set(schema["properties"])


def test_graph_draws_the_topology(file):
    drawn = troupe("graph", file(GOOD))
    assert drawn.returncode == 0 and drawn.stdout.startswith("flowchart LR\n"), drawn.stderr
    for name in ("order.placed", "inventory-service", "order.placed.inventory.dlq", "order.placed.inventory.replay"):
        assert f'"{name}"' in drawn.stdout
    told = json.loads(troupe("graph", "--json", file(GOOD)).stdout)
    assert {"handler", "topic", "dlq", "replay"} == {node["kind"] for node in told["nodes"]}
    ids = {node["id"] for node in told["nodes"]}
    assert all(edge["from"] in ids and edge["to"] in ids for edge in told["edges"])
    assert troupe("graph", file(BAD)).returncode == 78


def completed(*words):
    """What bash offers for the last of these words."""
    script = troupe("completion", "bash").stdout
    asked = f'{script}\nCOMP_WORDS=(troupe "$@"); COMP_CWORD=$#; _troupe; printf "%s\\n" "${{COMPREPLY[@]}}"'
    answer = subprocess.run(["bash", "--norc", "-c", asked, "bash", *words], capture_output=True, text=True, timeout=20)
    assert answer.returncode == 0 and not answer.stderr, answer.stderr
    return answer.stdout.split()


def test_bash_completes_what_the_help_shows():
    commands = completed("")
    shown = set(re.findall(r"^  (\w+) ", troupe("--help").stdout.split("Subcommands:")[1], re.MULTILINE))
    assert shown and shown <= set(commands)
    assert completed("dl") == ["dlq"]
    assert set(completed("dlq", "")) >= {"ls", "show", "replay", "discard", "--help"}
    assert {"--where", "--since", "--rate", "--dry-run", "--yes"} <= set(completed("dlq", "replay", "some.dlq", "--"))
    assert completed("run", "--reb") == ["--rebuild"]
    assert "--rebuild" not in completed("check", "--")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_of_their_shell(shell, tmp_path):
    script = tmp_path / f"troupe.{shell}"
    script.write_text(troupe("completion", shell).stdout)
    assert "replay" in script.read_text() and "--help" in script.read_text().replace("-l help", "--help")
    if shutil.which(shell):  # bash is everywhere; the others are looked at where they are installed
        answer = subprocess.run([shell, "-n", script], capture_output=True, text=True, timeout=20)
        assert answer.returncode == 0 and not answer.stderr, answer.stderr
    assert troupe("completion", "csh").returncode == 64


def test_version_and_help():
    assert re.search(r"\d+\.\d+\.\d+", troupe("version").stdout)
    answer = troupe("--help")
    assert answer.returncode == 0
    for word in ("run", "check", "schema", "version"):
        assert re.search(rf"\b{word}\b", answer.stdout)
    assert troupe("run", "--help").returncode == 0
    assert "--set" in troupe("run", "--help").stdout


@pytest.mark.parametrize("arguments", [["--nonsense"], ["nonsense"], ["run"], ["check", "--nonsense", "x.yaml"]])
def test_a_wrong_command_line_is_64_and_says_so_on_standard_error(arguments):
    answer = troupe(*arguments)
    assert answer.returncode == 64 and answer.stderr and not answer.stdout


def test_secrets_are_never_printed(file, tmp_path, kafka, engines, name, redis_server):
    redis_server.client.config_set("requirepass", "s3cret-pass")
    redis_server.client.auth("s3cret-pass")
    topic = kafka.create_topic(name)
    engine = engines({"count": {"consume": {"topic": topic, "group": name},
                                "aggregate": {"count_by": "/a", "into": "a:{value}"}}})
    engine.config["redis"] = {"url": f"redis://:${{SECRET}}@127.0.0.1:{redis_server.port}/0"}
    engine.environment["SECRET"] = "s3cret-pass"
    engine.start_and_join()
    redis_server.stop()
    kafka.produce(topic, [Event(None, b'{"a":"b"}')])
    eventually(lambda: engine.logged("warn") or engine.logged("error"), 20, "the loss of Redis is told")
    assert "s3cret-pass" not in engine.log.read_text() + engine.get("/metrics")[1]


def test_flags_beat_the_environment_which_beats_the_file(kafka, engines, effects, name):
    topic = kafka.create_topic(name, 1)
    engine = engines({"sized": {"consume": {"topic": topic, "group": name}, "handler": "effect.append",
                                "pool": {"workers": 2}}})

    def workers(*options):
        engine.start_and_join(*options)
        sent = kafka.produce(topic, [Event(f"k{n}".encode(), b'{"sleep_ms":200}') for n in range(30)])
        effects.wait_done(sent)
        assert engine.stop() == 0
        ids = {event.id for event in sent}
        return most_at_once([call for call in effects.calls if call.id in ids])
    assert workers() == 2
    engine.environment["TROUPE_ACTORS__SIZED__POOL__WORKERS"] = "5"
    assert workers() == 5
    assert workers("--set", "actors.sized.pool.workers=9") == 9


def test_several_files_make_one_config(kafka, engines, effects, name, tmp_path):
    topic = kafka.create_topic(name, 1)
    sent = kafka.produce(topic, [Event(b"k", b"{}")])
    engine = engines({"one": {"consume": {"topic": topic, "group": f"{name}-1"}, "handler": "effect.append"}})
    second = tmp_path / "second.yaml"
    second.write_text(json.dumps({"actors": {
        "two": {"consume": {"topic": topic, "group": f"{name}-2"}, "handler": "effect.append"}}}))
    engine.start_and_join(str(second))
    eventually(lambda: len([call for call in effects.of(sent[0]) if call.end]) == 2, 20, "both actors handled it")


def test_the_admin_port_answers_live_ready_and_metrics(kafka, engines, effects, name):
    topic = kafka.create_topic(name, 2)
    sent = kafka.produce(topic, [Event(f"k{n}".encode(), b"{}") for n in range(100)])
    engine = engines({"working": {"consume": {"topic": topic, "group": name}, "handler": "effect.append"}})
    engine.start_and_join()
    effects.wait_done(sent)
    kafka.wait_all_committed(name, topic)
    assert engine.get("/livez")[0] == 200
    assert engine.get("/nothing")[0] == 404
    assert engine.metric("messaging_client_consumed_messages_total", messaging_consumer_group_name=name) == 100
    assert engine.metric("troupe_attempts_total", actor="working", result="ok") == 100
    assert engine.metric("troupe_pool_workers", actor="working") == 8
    assert engine.metric("troupe_assigned_partitions", group=name, topic=topic) == 2
    eventually(lambda: ("troupe_consumer_lag_messages", 0.0) in
               {(n, v) for n, labels, v in engine.metrics() if labels.get("group") == name}, 10, "a lag of 0")
    text = engine.get("/metrics")[1]
    for sample in {n for n, _, _ in engine.metrics()}:
        family = re.sub(r"_(bucket|sum|count)$", "", sample)
        assert f"# TYPE {sample} " in text or f"# TYPE {family} " in text, f"{sample} has no TYPE"
    assert b"k1" not in text.encode() or "k1" not in re.findall(r'="([^"]*)"', text), "no keys in labels"


def test_logs_are_json_on_standard_error_when_it_is_no_terminal(kafka, engines, name):
    topic = kafka.create_topic(name)
    engine = engines({"working": {"consume": {"topic": topic, "group": name}, "handler": "effect.append"}})
    engine.start_and_join()
    assert engine.stop() == 0
    lines = engine.log.read_text().splitlines()
    assert lines
    for line in map(json.loads, lines):
        assert {"ts", "level", "msg", "event", "app"} <= set(line), line


def test_a_listen_address_that_is_taken_is_told(kafka, engines, name):
    topic = kafka.create_topic(name)
    actors = {"working": {"consume": {"topic": topic, "group": name}, "handler": "effect.append"}}
    first = engines(actors).start_and_join()
    second = engines(actors)
    second.config["admin"] = {"listen": first.admin}
    assert second.start().wait(20) not in (0, None)
    assert first.admin in second.log_tail()


def test_a_config_on_the_embedded_broker_runs(engines, redis_server, name):
    value = '{"status":"healthy","device":"d"}'
    engine = engines({
        "load": {"generate": {"topic": "telemetry-events", "keys": 5, "value": value, "every": "100ms"}},
        "handle": {"consume": {"topic": "telemetry-events", "group": "handlers"},
                   "handler": {"simulate": {"latency": "1ms", "fail": "5%"}}, "retry": {"initial": "50ms"}},
        "count": {"consume": {"topic": "telemetry-events", "group": "counters"},
                  "aggregate": {"count_by": "/status", "into": "status:{value}", "flush": {"every": "500ms"}}},
    }, redis_server, binary="TROUPE_BINARY", kafka={"brokers": "embedded"})
    engine.start_and_join(within=40)
    eventually(lambda: int(redis_server.client.get("status:healthy") or 0) >= 100, 40, "counts arrive in Redis")
    eventually(lambda: engine.metric("troupe_attempts_total", actor="handle", result="ok") >= 100, 40, "it handles")
    assert "embedded" in engine.log.read_text()
    assert engine.stop() == 0


# ---- produce ----

def produce(topic, lines, *options, kafka):
    return subprocess.run([os.environ["TROUPE_BINARY"], "produce", topic, *options], input=lines, capture_output=True,
                          timeout=60, env={**os.environ, "KAFKA_BROKERS": kafka.address})


def test_produce_publishes_each_line_and_waits_for_the_broker(kafka, name):
    topic = kafka.create_topic(name, 3)
    lines = b"".join(b"line %d \xc3\xa4\n" % n for n in range(20_000)) + b"\nno line end"
    done = produce(topic, lines, kafka=kafka)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"20002 events acknowledged\n")
    events = kafka.read(topic)
    assert sorted(e.value for e in events) == sorted(lines.split(b"\n"))
    assert all(e.key is None for e in events)


def test_produce_takes_keys_before_a_separator_or_out_of_the_json(kafka, name):
    topic = kafka.create_topic(name, 1)
    assert produce(topic, b"k1\tv1\nk2\tv\t2\n\tempty key\n", "--key-separator", "\t", kafka=kafka).returncode == 0
    assert produce(topic, b'{"id":7,"a":{"b":"x"}}\n', "--key-at", "/a/b", kafka=kafka).returncode == 0
    assert [(e.key, e.value) for e in kafka.read(topic)] == [
        (b"k1", b"v1"), (b"k2", b"v\t2"), (b"", b"empty key"), (b"x", b'{"id":7,"a":{"b":"x"}}')]


def test_produce_names_the_line_that_is_no_event_and_keeps_what_came_before(kafka, name):
    topic = kafka.create_topic(name, 1)
    done = produce(topic, b'{"id":1}\n{"id":\n{"id":3}\n', "--key-at", "/id", kafka=kafka)
    assert done.returncode == 1
    assert done.stderr.startswith(b"1 event acknowledged\ntroupe produce: line 2: no JSON")
    assert [e.key for e in kafka.read(topic)] == [b"1"]
    assert b"line 1: the key is missing" in produce(topic, b"{}\n", "--key-at", "/id", kafka=kafka).stderr
    assert b"between key and value" in produce(topic, b"x\n", "--key-separator", ":", kafka=kafka).stderr


def test_produce_says_what_is_wrong_with_its_arguments(kafka):
    def refused(*options):
        done = produce("t", b"", *options, kafka=kafka)
        return done.returncode, done.stderr.decode()
    assert refused("--key-separator", ":", "--key-at", "/a")[0] == 64
    code, text = refused("--key-at", "a")
    assert code == 64 and "must start with /" in text
    code, text = refused("--property", "acks")
    assert code == 64 and "NAME=VALUE" in text
    code, text = refused("--property", "no.such=1")
    assert code == 78 and "no.such" in text


def test_produce_reports_what_was_not_acknowledged(kafka, name):
    done = produce(name + "-missing", b"x\n", "--property", "topic.metadata.propagation.max.ms=100", kafka=kafka)
    assert done.returncode == 69
    assert b"0 events acknowledged" in done.stderr

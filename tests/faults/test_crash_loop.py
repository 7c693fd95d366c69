"""Events whose handler kills the process: the third crash is the last, and nobody innocent is blamed."""

import collections
import signal
import time

import pytest

from support.background import Background
from support.effects import assert_in_order
from support.waiting import eventually, stays
from support.working import QUICK_SESSION, pool, told

PARTITIONS = 3
DEADS = {"segv": signal.SIGSEGV, "abort": signal.SIGABRT, "overflow": signal.SIGSEGV}


@pytest.fixture
def topic(kafka, name):
    return kafka.create_topic(name, PARTITIONS)


@pytest.fixture
def state(tmp_path):
    return tmp_path / "state"


@pytest.fixture
def engine(kafka, engines, topic, state):
    return engines({"working": pool(topic, topic)}, kafka={"brokers": kafka.address, "consumer": QUICK_SESSION},
                   state=str(state))


class Supervisor(Background):
    """Starts a process again as soon as it ends, as systemd would; notes how each life ended."""

    def __init__(self, engine):
        super().__init__()
        self.engine, self.deaths = engine, []
        engine.start()

    def step(self):
        if not self.engine.running():
            self.deaths.append(-self.engine.process.returncode)
            self.engine.start()


def letters_of(kafka, topic, actor="working"):
    return kafka.read(f"{topic}.{actor}.dlq") if kafka.partitions(f"{topic}.{actor}.dlq") else []


def assert_order_kept(calls):
    """As assert_keys_in_order, over processes that died with calls under way."""
    lanes, lives = collections.defaultdict(list), collections.defaultdict(int)
    for call in calls:
        lives[call.pid] = max(lives[call.pid], call.end or call.start)
    for call in calls:
        call.end = call.end or lives[call.pid]
        lanes[call.topic, call.partition, call.key].append(call)
    for lane, of_lane in lanes.items():
        assert_in_order(lane, of_lane)


@pytest.mark.row(17)
@pytest.mark.limit(200)
@pytest.mark.parametrize("how", [pytest.param("segv", marks=pytest.mark.short), "abort", "overflow"])
def test_the_third_crash_is_the_last_and_everything_else_is_handled(kafka, engine, effects, topic, how, whole, figure):
    if whole:
        del engine.config["kafka"]["consumer"]  # the figure is one with the session that everybody has

    def healthy(n):
        return told(f"k{n % 40}".encode(), n % PARTITIONS, sleep_ms=5)
    before = kafka.produce(topic, [healthy(n) for n in range(300)])
    [poison] = kafka.produce(topic, [told(b"k1", 1, crash=how)])
    after = kafka.produce(topic, [healthy(n) for n in range(600)])
    started = time.monotonic()
    with Supervisor(engine) as supervisor:
        effects.wait_done(before + after, 150)
        [letter] = kafka.read_when(f"{topic}.working.dlq", 1)
        took = time.monotonic() - started
        kafka.wait_all_committed(topic, topic)
        stays(engine.running, 1)
    assert supervisor.deaths == [DEADS[how]] * 3
    assert len(effects.of(poison)) == 3, "called once in each of three lives, and never again"
    assert len(letters_of(kafka, topic)) == 1
    assert letter.header("error-class") == "crash-loop"
    assert letter.header("attempts") == "3"
    assert "crashed 3 times" in letter.header("error")
    assert (letter.key, letter.value) == (poison.key, poison.value)
    assert letter.header("original-offset") == str(poison.offset)
    assert_order_kept(effects.read())
    assert took < 3 * 60
    figure(f"{how}: 3 calls, dead letter and all else done after {took:.1f} s", how=how, seconds=round(took, 1))


@pytest.mark.row(17)
@pytest.mark.limit(120)
def test_a_suspect_runs_alone_and_is_forgiven_when_it_succeeds(kafka, engine, effects, topic, state, tmp_path):
    gate = tmp_path / "mended"
    [poison] = kafka.produce(topic, [told(b"p", 0, crash="segv", crash_until_file=str(gate), sleep_ms=300)])
    others = kafka.produce(topic, [told(f"k{n}".encode(), n % PARTITIONS, sleep_ms=20) for n in range(200)])
    with Supervisor(engine) as supervisor:
        eventually(lambda: len(supervisor.deaths) == 2, 60, "two crashes")
        gate.touch()
        effects.wait_done([poison, *others])
        kafka.wait_all_committed(topic, topic)
        [last] = [call for call in effects.of(poison) if call.succeeded]
        beside = [call for call in effects.calls if call.pid == last.pid and call is not last
                  and call.start < last.end and (call.end or 0) > last.start]
        assert not beside, "while a suspect runs, nothing else does"
        book = state / f"{engine.config['app']}.crashes"
        eventually(lambda: str(poison.offset) not in
                   [line.split()[5] for line in book.read_text().splitlines()[1:]], 20, "it is forgotten")
    assert not letters_of(kafka, topic)


@pytest.mark.row(17)
@pytest.mark.limit(240)
def test_kills_from_outside_blame_nobody(kafka, engine, effects, topic, figure):
    kills = 20
    gate = f"{engine.folder}/free"
    [slow] = kafka.produce(topic, [told(b"slow", 0, hang_until_file=gate)])
    engine.config["actors"]["working"]["deadline"] = "10m"
    for n in range(kills):
        engine.start()
        eventually(lambda: len(effects.of(slow)) == n + 1, 40, "the slow event is under way")
        engine.signal(signal.SIGKILL)
        assert engine.wait() == -signal.SIGKILL
    open(gate, "w").close()
    engine.start()
    effects.wait_done([slow])
    kafka.wait_all_committed(topic, topic)
    assert not letters_of(kafka, topic)
    figure(f"{kills} kills with an innocent event under way: handled, no dead letter", kills=kills)


@pytest.mark.row(17)
@pytest.mark.limit(120)
def test_without_state_nothing_is_remembered(kafka, engine, effects, topic, tmp_path):
    del engine.config["state"]
    [poison] = kafka.produce(topic, [told(b"p", 0, crash="segv")])
    with Supervisor(engine) as supervisor:
        eventually(lambda: len(supervisor.deaths) >= 5, 90, "it crashes on and on")
    assert len(effects.of(poison)) >= 5
    assert not letters_of(kafka, topic)
    assert not list(tmp_path.glob("**/*.crashes"))


@pytest.mark.row(17)
@pytest.mark.short
@pytest.mark.limit(120)
def test_another_process_of_the_host_counts_on(kafka, engine, engines, effects, topic):
    [poison] = kafka.produce(topic, [told(b"p", 0, crash="segv")])
    others = [engine, *(engines(engine.config["actors"], kafka=engine.config["kafka"], state=engine.config["state"])
                        for _ in range(2))]
    for each in others:
        each.start()
    # None of them is started again: the survivor has to know what the dead ones left.
    fourth = engines(engine.config["actors"], kafka=engine.config["kafka"], state=engine.config["state"])
    eventually(lambda: not any(each.running() for each in others), 90, "the partition goes around, and each dies")
    fourth.start()
    [letter] = kafka.read_when(f"{topic}.working.dlq", 1, 40)
    assert letter.header("error-class") == "crash-loop"
    calls = effects.of(poison)
    assert len(calls) == 3 and len({call.pid for call in calls}) == 3
    assert fourth.running()


@pytest.mark.row(17)
@pytest.mark.limit(150)
def test_a_crash_on_a_thread_of_the_handlers_own_is_found_out_too(kafka, engine, effects, topic):
    """An asynchronous handler crashes on its timer's thread, among others that are under way: all are suspects, each
    then runs alone, and only the guilty one becomes a dead letter."""
    engine.config["actors"]["working"] |= {"handler": "effect.async", "pool": {"workers": 8}}
    events = [told(f"k{n}".encode(), n % PARTITIONS, sleep_ms=500) for n in range(24)]
    events[5] = told(b"k5", 2, sleep_ms=200, crash="segv")
    sent = kafka.produce(topic, events)
    with Supervisor(engine) as supervisor:
        effects.wait_done(sent[:5] + sent[6:], 120)
        [letter] = kafka.read_when(f"{topic}.working.dlq", 1)
        kafka.wait_all_committed(topic, topic)
        stays(engine.running, 1)
    assert letter.header("original-offset") == str(sent[5].offset)
    assert letter.header("error-class") == "crash-loop"
    assert set(supervisor.deaths) == {signal.SIGSEGV}
    assert len(effects.of(sent[5])) == 3

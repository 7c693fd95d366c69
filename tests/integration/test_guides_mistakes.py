"""Where the guide's own code goes wrong, and ours must not: a test for each sentence."""

import pytest

from support import page_views
from support.effects import assert_keys_in_order, most_at_once
from support.page_views import event, view
from support.waiting import eventually, stays
from support.working import QUICK_SESSION, pool, told


@pytest.fixture
def topic(kafka, name):
    return kafka.create_topic(name, 2)


def test_an_async_writer_with_acks_0_hides_errors(kafka, engines, topic):
    """Ours has no acks 0, and an event that the broker refuses to take is seen: its source is a dead letter."""
    out = kafka.create_topic(f"{topic}-out", 1, max_message_bytes=1000)
    engine = engines({"chain": pool(topic, topic, handler="effect.publish", publish={"topic": out, "acks": 0})})
    assert engine.start().wait(10) == 78
    assert "acks" in engine.log_tail()

    sent = kafka.produce(topic, [told(b"refused", 0, publish_bytes=5000), told(b"taken", 0)])
    engine.config["actors"]["chain"]["publish"] = {"topic": out, "acks": 1}
    engine.start_and_join()
    [letter] = kafka.read_when(f"{topic}.chain.dlq", 1)
    assert letter.header("original-offset") == str(sent[0].offset)
    assert [record.key for record in kafka.read_when(out, 1)] == [b"taken"]


def test_least_bytes_ignores_keys(kafka, engines, topic):
    """Ours puts a key where Java's clients put it, every time."""
    out = kafka.create_topic(f"{topic}-out", 7)
    kafka.produce(topic, [told(f"key-{n % 40}".encode(), n % 2, n=n) for n in range(400)])
    engines({"chain": pool(topic, topic, handler="effect.publish", publish={"topic": out})}).start()
    for record in kafka.read_when(out, 400):
        assert record.partition == (murmur2(record.key) & 0x7fffffff) % 7


def murmur2(data):
    """Kafka's, from its definition: 32 bits, little-endian words, seed 0x9747b28c."""
    mask, multiplier = 0xffffffff, 0x5bd1e995
    h = 0x9747b28c ^ len(data)
    words = len(data) // 4
    for n in range(words):
        k = int.from_bytes(data[4 * n:4 * n + 4], "little") * multiplier & mask
        k = (k ^ k >> 24) * multiplier & mask
        h = (h * multiplier & mask) ^ k
    rest = data[4 * words:]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * multiplier & mask
    h = (h ^ h >> 13) * multiplier & mask
    return h ^ h >> 15


def test_continue_without_a_commit_does_not_redeliver_because_the_next_commit_skips_it(
        kafka, engines, effects, topic, tmp_path):
    """Ours commits up to the failed event and not past it, however many later ones succeed; it comes again."""
    gate = tmp_path / "mended"
    [failed] = kafka.produce(topic, [told(b"failed", 0, fail="transient", fail_until_file=str(gate))])
    later = kafka.produce(topic, [told(f"k{n}".encode(), 0) for n in range(500)])
    retry = {"attempts": 1000, "backoff": "constant", "initial": "100ms"}
    engine = engines({"working": pool(topic, topic, retry=retry)}).start_and_join()
    effects.wait_done(later)
    assert engine.stop() == 0
    assert kafka.committed(topic, topic)[0] == failed.offset
    gate.touch()
    engine.start_and_join()
    effects.wait_done([failed])
    kafka.wait_all_committed(topic, topic)


def test_a_failed_dlq_write_is_ignored_and_committed_past(kafka, engines, effects, topic):
    """Ours waits: the source offset moves only after the broker acknowledged the dead letter."""
    graves = f"{topic}-graves"
    [poison] = kafka.produce(topic, [told(b"poison", 0, fail="permanent")])
    later = kafka.produce(topic, [told(f"k{n}".encode(), 0) for n in range(100)])
    engine = engines({"burying": pool(topic, topic, dlq={"topic": graves, "create": False})}).start_and_join()
    effects.wait_done(later)
    stays(lambda: not kafka.committed(topic, topic)[0], 3, "nothing is committed past the poison")
    assert engine.stop() == 0
    assert not kafka.committed(topic, topic)[0]
    engine.config["actors"]["burying"]["dlq"] = {"topic": graves}
    engine.start_and_join()
    [letter] = kafka.read_when(graves, 1)
    assert letter.header("original-offset") == str(poison.offset)
    kafka.wait_all_committed(topic, topic)


def test_read_message_commits_before_the_work(kafka, engines, effects, topic, tmp_path):
    """Ours commits after it: what was under way in a crash is delivered again."""
    gate = tmp_path / "free"
    under_way = kafka.produce(topic, [told(f"k{n}".encode(), 0, hang_until_file=str(gate)) for n in range(4)])
    engine = engines({"working": pool(topic, topic)}, kafka={
        "brokers": kafka.address, "consumer": QUICK_SESSION})
    engine.start_and_join()
    eventually(lambda: len(effects.read()) == 4, 20, "four calls run")
    stays(lambda: not kafka.committed(topic, topic)[0], 2, "nothing is committed while they run")
    engine.kill()
    gate.touch()
    engine.start_and_join(within=40)
    effects.wait_done(under_way)
    kafka.wait_all_committed(topic, topic)


def page_counter(engines, redis_server, topic):
    return engines({"page-views": page_views.actor(topic, f"{topic}-views")}, redis_server)


def test_the_page_counters_snapshot_is_never_reset_so_incrby_multiplies(kafka, engines, redis_server, topic):
    """Ours adds what is new since the last flush: ten flushes later each count is still the log's."""
    page_counter(engines, redis_server, topic).start_and_join()
    for round in range(1, 11):
        kafka.produce(topic, [event(view("/a")), event(view("/a")), event(view("/b"))])
        eventually(lambda: redis_server.client.get("views:/b") == str(round), 10, "this round was flushed")
    page_views.assert_exact(redis_server.client, kafka.read(topic))


def test_the_page_counters_map_is_a_data_race(kafka, engines, redis_server, name):
    """Ours counts one page from many partitions at once, and comes to the same sum."""
    topic = kafka.create_topic(name, 16)
    kafka.produce(topic, [event(view(f"/{n % 3}"), partition=n % 16) for n in range(80_000)])
    engine = page_counter(engines, redis_server, topic).start_and_join()
    eventually(lambda: sum(page_views.stored(redis_server.client)[0].values()) >= 80_000, 30, "all is counted")
    page_views.assert_exact(redis_server.client, kafka.read(topic))
    assert engine.stop() == 0


def test_sleeping_through_a_backoff_stops_the_whole_partition(kafka, engines, effects, topic):
    """Ours parks the failing key; with a single worker the partition goes on."""
    [failing] = kafka.produce(topic, [told(b"failing", 0, fail="transient", fail_times=1)])
    behind = kafka.produce(topic, [told(b"failing", 0)])
    others = kafka.produce(topic, [told(f"k{n}".encode(), 0) for n in range(1000)])
    engines({"working": pool(topic, topic, pool={"workers": 1},
                             retry={"attempts": 3, "backoff": "constant", "initial": "6s", "jitter": 0})}).start()
    calls = effects.wait_done([failing, *behind, *others], 30)
    first, second = effects.of(failing)
    other_ids = {sent.id for sent in others}
    assert all(first.end <= call.end < second.start for call in calls if call.id in other_ids)
    assert_keys_in_order(calls)
    assert most_at_once(calls) == 1

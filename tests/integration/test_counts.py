"""Counts in Redis: what is counted, how far, and what a changed definition does. What faults do to them is in
tests/faults."""

from datetime import datetime, timedelta, timezone

import pytest

from support import page_views
from support.page_views import actor, assert_exact, event, positions, view
from support.waiting import eventually, stays
from support.working import QUICK_SESSION

PARTITIONS = 4


@pytest.fixture
def topic(kafka, name):
    return kafka.create_topic(f"events-{name}", PARTITIONS)


class Counting:
    """A page-view engine, its group and its Redis."""

    def __init__(self, kafka, redis_server, engines, topic, **aggregate):
        self.kafka, self.redis, self.topic, self.app = kafka, redis_server.client, topic, engines.app
        self.group = f"page-views-{topic}"
        self.engine = engines({"page-views": actor(topic, self.group, **aggregate)}, redis_server,
                              kafka={"brokers": kafka.address, "consumer": QUICK_SESSION})

    def counted(self):
        return positions(self.redis, self.app, self.group)

    def lag(self):
        stored = self.counted()
        return sum(end - stored.get(f"{self.topic}/{p}", 0) for p, end in self.kafka.ends(self.topic).items())

    def wait_counted(self, within=30):
        eventually(lambda: self.lag() == 0, within, lambda: f"all is counted, but for {self.lag()}", 0.1)

    def assert_exact(self, **options):
        self.wait_counted()
        assert_exact(self.redis, self.kafka.read(self.topic), **options)


@pytest.fixture
def counting(kafka, redis_server, engines, topic):
    return Counting(kafka, redis_server, engines, topic)


@pytest.mark.limit(120)
def test_page_views_are_counted_exactly_among_filtered_and_malformed_events(kafka, counting):
    kafka.produce(counting.topic, page_views.crowd(200_000, 1, PARTITIONS))
    counting.engine.start_and_join()
    counting.assert_exact()
    ends = kafka.ends(counting.topic)
    assert counting.counted() == {f"{counting.topic}/{p}": end for p, end in ends.items()}
    kafka.wait_all_committed(counting.group, counting.topic)
    assert counting.engine.stop() == 0
    counting.assert_exact()


def test_a_minute_is_kept_for_48_hours_from_the_event_and_a_recount_does_not_prolong_it(kafka, counting):
    hour_ago = datetime.now(timezone.utc).replace(second=0, microsecond=0) - timedelta(hours=1)
    key = f"page-views:{hour_ago:%Y-%m-%dT%H:%M}"
    kafka.produce(counting.topic, [event(view("/a", hour_ago + timedelta(seconds=5)))])
    counting.engine.start_and_join()
    counting.wait_counted()
    expires = counting.redis.expiretime(key)
    assert 0 <= expires - page_views.KEEP - hour_ago.timestamp() <= 120
    kafka.produce(counting.topic, [event(view("/b", hour_ago + timedelta(seconds=50)))])
    counting.wait_counted()
    counting.redis.flushall()
    eventually(lambda: counting.redis.zcard(key) == 2, 20, "the minute is counted again")
    assert abs(counting.redis.expiretime(key) - expires) <= 60


def test_a_loss_of_redis_is_noticed_by_an_idle_aggregator_too(kafka, counting):
    kafka.produce(counting.topic, page_views.crowd(5000, 3, PARTITIONS))
    counting.engine.start_and_join()
    counting.assert_exact()
    counting.redis.flushall()
    counting.assert_exact()


def test_a_key_of_the_wrong_type_applies_nothing_partially_and_is_mended_by_deleting_it(kafka, counting):
    counting.redis.rpush("views:/poison", "a list")
    for partition in range(PARTITIONS):
        kafka.produce(counting.topic, [event(view("/poison"), partition=partition)]
                      + [event(view(f"/{n % 50}"), partition=partition) for n in range(500)])
    counting.engine.start_and_join()
    eventually(lambda: counting.engine.logged("error", "views:/poison"), 20, "an alarm that names the key")

    def nothing_applied():
        totals, minutes = page_views.stored(counting.redis)
        return not totals and not minutes and sum(counting.counted().values()) == 0
    stays(nothing_applied, 2, "nothing of the batch is applied")
    counting.redis.delete("views:/poison")
    counting.assert_exact()


def test_an_increment_that_would_overflow_applies_nothing_partially(kafka, counting):
    counting.redis.set("views:/full", 2**63 - 1)
    kafka.produce(counting.topic, [event(view("/full"), partition=0), event(view("/other"), partition=0)])
    counting.engine.start_and_join()
    eventually(lambda: counting.engine.logged("error", "views:/full"), 20, "an alarm that names the key")
    assert counting.redis.get("views:/other") is None and sum(counting.counted().values()) == 0
    counting.redis.delete("views:/full")
    counting.assert_exact()


def test_a_changed_filter_is_refused_until_told_to_rebuild(kafka, counting):
    kafka.produce(counting.topic, page_views.crowd(5000, 6, PARTITIONS))
    counting.engine.start_and_join()
    counting.wait_counted()
    assert counting.engine.stop() == 0

    counting.engine.config["actors"]["page-views"]["aggregate"]["where"] = {"/type": "click"}
    assert counting.engine.start().wait(30) == 78
    assert "--rebuild" in counting.engine.log_tail() and "--adopt" in counting.engine.log_tail()
    assert_exact(counting.redis, kafka.read(counting.topic))

    counting.engine.start_and_join("--rebuild", "page-views")
    counting.assert_exact(kind="click")
    assert counting.engine.stop() == 0
    # Once told, it stays told.
    counting.engine.start_and_join()
    assert counting.engine.stop() == 0


def test_a_changed_filter_told_to_adopt_goes_on_from_where_it_was(kafka, counting):
    kafka.produce(counting.topic, [event(view("/a")), event(view("/a", kind="click"))] * 100)
    counting.engine.start_and_join()
    counting.wait_counted()
    assert counting.engine.stop() == 0

    counting.engine.config["actors"]["page-views"]["aggregate"]["where"] = {"/type": "click"}
    counting.engine.start_and_join("--adopt", "page-views")
    kafka.produce(counting.topic, [event(view("/a")), event(view("/a", kind="click"))] * 10)
    counting.wait_counted()
    assert counting.redis.get("views:/a") == "110"


def test_the_group_is_the_identity_so_a_renamed_actor_goes_on(kafka, counting):
    kafka.produce(counting.topic, page_views.crowd(2000, 7, PARTITIONS))
    counting.engine.start_and_join()
    counting.wait_counted()
    assert counting.engine.stop() == 0
    actors = counting.engine.config["actors"]
    actors["views"] = actors.pop("page-views")
    kafka.produce(counting.topic, page_views.crowd(2000, 8, PARTITIONS))
    counting.engine.start_and_join()
    counting.assert_exact()


def test_the_position_stands_in_the_hash_of_the_app_and_its_group(kafka, counting):
    kafka.produce(counting.topic, [event(view("/a"), partition=2)] * 7)
    counting.engine.start_and_join()
    counting.wait_counted()
    stored = counting.redis.hgetall(f"{counting.app}:positions:{counting.group}")
    assert stored[f"{counting.topic}/2"] == "7"


def test_a_stop_flushes_what_no_timer_had_flushed_yet(kafka, redis_server, engines, topic):
    counting = Counting(kafka, redis_server, engines, topic, flush={"every": "1h", "max_keys": 10000})
    kafka.produce(topic, page_views.crowd(5000, 9, PARTITIONS))
    counting.engine.start_and_join()
    eventually(lambda: counting.engine.metric("messaging_client_consumed_messages_total") >= 5000, 20, "all is read")
    assert not page_views.stored(counting.redis)[0]
    assert counting.engine.stop() == 0
    assert_exact(counting.redis, kafka.read(topic))


def test_as_many_keys_as_max_keys_are_flushed_before_the_timer(kafka, redis_server, engines, topic):
    counting = Counting(kafka, redis_server, engines, topic, flush={"every": "1h", "max_keys": 100})
    kafka.produce(topic, [event(view(f"/{n}"), partition=0) for n in range(1000)])
    counting.engine.start_and_join()
    eventually(lambda: len(page_views.stored(counting.redis)[0]) >= 900, 20, "most keys are flushed")

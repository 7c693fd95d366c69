"""A handler that keeps more and more memory: the cap trips, the process drains and says so, and nothing is lost."""

import pytest

from support.effects import assert_keys_in_order, repeated_successes
from support.waiting import eventually
from support.working import QUICK_SESSION, pool, told

PARTITIONS = 3
MB = 1 << 20
LIMIT_MB = 160


@pytest.mark.row(16)
@pytest.mark.short
@pytest.mark.limit(180)
def test_a_leak_trips_the_cap_and_the_process_drains_and_is_started_again(kafka, engines, effects, name, figure):
    topic = kafka.create_topic(name, PARTITIONS)
    leaking = pool(topic, topic, pool={"workers": 4})
    engine = engines({"leaking": leaking}, kafka={"brokers": kafka.address, "consumer": QUICK_SESSION},
                     limits={"memory": f"{LIMIT_MB}MiB"})
    engine.start_and_join()
    assert engine.metric("troupe_memory_limit_bytes") == LIMIT_MB * MB
    assert engine.stop() == 0
    # 4 calls at a time, 40 ms each: 100 MB a second.
    sent = kafka.produce(topic, [told(f"k{n % 50}".encode(), n % PARTITIONS, leak_bytes=MB, sleep_ms=40)
                                 for n in range(400)])
    wanted, trips, most = {event.id for event in sent}, 0, 0
    while wanted - effects.done():
        engine.start()

        def over():
            nonlocal most
            if engine.running():
                try:
                    most = max(most, engine.memory_mb())
                except (OSError, StopIteration):
                    pass  # it ended just now
            return not engine.running() or not wanted - effects.done()
        eventually(over, 60, "the cap trips, or all is done")
        if engine.running():
            break
        assert engine.wait() == 70
        trips += 1
        assert len(engine.logged("error", "limits.memory", str(LIMIT_MB * MB))) == trips, "it says why"
    assert trips >= 2
    assert not repeated_successes(effects.read()), "a drain leaves nothing to be done again"
    assert_keys_in_order(effects.calls)
    # What a second of leaking adds, the drain, and the other half of a look that came just before.
    assert most < LIMIT_MB + 3 * 100
    figure(f"{trips} trips of a cap of {LIMIT_MB} MiB at 100 MB/s: exit 70, at most {most:.0f} MiB, 0 lost, 0 repeated",
           trips=trips, most_mb=round(most))

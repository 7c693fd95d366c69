"""Row 4: a broker that is killed and comes back."""

import pytest

from matrix.side_by_side import span
from support.broker import Broker
from support.kafka import Kafka
from support.waiting import stays

# Three times what the matrix says.
RESUME = 30


@pytest.fixture
def broker(tmp_path):
    broker = Broker(tmp_path / "kafka")
    try:
        broker.address = broker.start()
        yield broker
    finally:
        broker.stop()


@pytest.mark.row(4)
@pytest.mark.limit(600)
def test_work_goes_on_after_a_killed_broker_is_back(broker, lanes, figure):
    lane, seconds = lanes(of=Kafka(broker.address)), []
    lane.engine.start_and_join()
    with lane.load():
        for _ in range(3):
            lane.progress()
            broker.kill()
            stays(lane.engine.running, 20, "the engine waits")
            broker.start()
            seconds.append(max(lane.effects_go_on(RESUME), lane.counts_move(RESUME)))
    report = lane.judge()
    assert lane.engine.stop() == 0
    figure(f"{len(seconds)} kills of the broker, away for 20 s: work resumes {span(seconds)} after its return; {report}",
           resume=max(seconds), **report)

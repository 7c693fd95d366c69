"""Row 4: a broker that is killed and comes back."""

import pytest

from matrix.side_by_side import span
from support.waiting import stays

# Three times what the matrix says.
RESUME = 30


@pytest.mark.row(4)
@pytest.mark.limit(600)
def test_work_goes_on_after_a_killed_broker_is_back(own_broker, lanes, figure):
    broker, kafka = own_broker
    lane, seconds, again = lanes(of=kafka), [], 0
    lane.engine.start_and_join()
    with lane.load():
        for _ in range(3):
            lane.progress()
            broker.kill()
            stays(lane.engine.running, 20, "the engine waits")
            again += broker.bring_back()
            seconds.append(max(lane.effects_go_on(RESUME), lane.counts_move(RESUME)))
    report = lane.judge(interruptions=len(seconds))
    assert lane.engine.stop() == 0
    figure(f"{len(seconds)} kills of the broker, away for 20 s: work resumes {span(seconds)} after its return; "
           f"{again} more starts for its coordinator; {report}", resume=max(seconds), again=again, **report)

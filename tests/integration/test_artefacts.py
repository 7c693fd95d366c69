"""What deploy/ offers for Grafana and Prometheus names metrics that a running engine really has."""

import json
import pathlib
import re

from support.door import Door
from support.kafka import Event
from support.waiting import eventually
from support.working import pool, told

DEPLOY = pathlib.Path(__file__).parents[2] / "deploy"

# Set when something happens that no test can order from a healthy engine.
ON_OCCASION = {"troupe_lost_offsets_total", "troupe_actor_restarts_total", "troupe_log_lines_dropped_total",
               "troupe_redelivered_skipped_total", "troupe_backpressure_pauses_total", "troupe_skewed_events_total",
               "troupe_memory_limit_bytes", "troupe_dlq_actions_total"}


def test_a_running_engine_has_the_metrics_that_dashboard_and_alerts_name(kafka, engines, redis_server, effects, name):
    topic, out = kafka.create_topic(name, 1), kafka.create_topic(f"{name}-out", 1)
    door = Door()
    kafka.produce(topic, [told(b"a", fail="transient", fail_times=1), told(b"b", fail="permanent"), told(b"c")])
    kafka.produce(topic, [Event(b"d", b"no JSON"), Event(b"e", b'{"n": "x"}')])
    retry = {"attempts": 3, "backoff": "constant", "initial": "20ms"}
    engine = engines({
        "pool": pool(topic, f"{name}-pool", retry=retry),
        "exact": pool(topic, f"{name}-exact", handler="effect.publish", publish={"topic": out}, retry=retry,
                      guarantee="exactly_once"),
        "counts": {"consume": {"topic": topic, "group": f"{name}-counts"},
                   "aggregate": {"count_by": "/n", "into": name + ":{value}", "flush": {"every": "100ms"}}},
        "views": {"consume": {"topic": topic, "group": f"{name}-views"},
                  "aggregate": {"where": {"/type": "page_view"}, "count_by": "/path", "into": name + ":views:{value}"}},
        "door": {"ingest": {"route": "POST /events", "listen": door.listen, "topic": out}},
    }, redis=redis_server, dashboard={"listen": "127.0.0.1:0"}).start_and_join()
    assert door.ask("POST", "/events", json.dumps({"n": 1}))[0].status == 202
    engine.reload(lambda config: config["actors"]["pool"].update(pool={"workers": 3}))

    named = {panel["title"] for panel in json.loads((DEPLOY / "grafana.json").read_text())["panels"]
             if panel["type"] != "row"}
    in_alerts = set(re.findall(r"\b(?:troupe|process)_[a-z_]+", (DEPLOY / "alerts.yaml").read_text()))
    assert in_alerts and in_alerts <= named

    def missing():
        there = {re.sub(r"_(bucket|sum|count)$", "", n) for n, _, _ in engine.metrics()} | {n for n, _, _ in
                                                                                              engine.metrics()}
        return named - there - ON_OCCASION
    eventually(lambda: not missing(), 30, lambda: f"all but {missing()} are there")
